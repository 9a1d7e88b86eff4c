/** What an item is called in one line: the words a collapsed row tells its story with. */

import { firstLine } from '../text';
import type { Block, Call, Turn } from '../trace/call';
import type { Words } from '../words';
import type { Item } from './rows';

const SKIPPED = /^(?:#|import |from )/;

/** The line of code that says most: one that asks a sub-call, else the first that does something. */
export function codeLine(codes: readonly string[], limit = 120): string {
  const lines = codes.flatMap(code => code.slice(0, 50_000).split('\n')).map(part => part.trim());
  const told = lines.filter(part => part && !SKIPPED.test(part));
  const found = told.find(part => part.includes('_query')) ?? told[0] ?? lines.find(Boolean) ?? '';
  return firstLine(found, limit);
}

/** The title of a row; code is told apart so that it can be drawn as code. */
export function title(item: Item, words: Words): { readonly text: string; readonly code: boolean } {
  switch (item.kind) {
    case 'call':
      return { text: callTitle(item.call), code: false };
    case 'turn':
      return turnTitle(item.call, item.turn, words);
    case 'block':
      return {
        text: codeLine(codesOf([item.block])) || words.__('running'),
        code: true
      };
    case 'batch':
      return {
        text: firstLine(item.call.site?.code ?? item.call.prompt, 160),
        code: Boolean(item.call.site)
      };
  }
}

// The root's question is the run's, which stands above the tree; what it is about is told instead.
function callTitle(call: Call): string {
  const card = call.depth === 0 ? call.started.context : null;
  return card ? firstLine(`${card.name}: ${card.schema || card.type}`, 160) : firstLine(call.prompt, 160);
}

function turnTitle(call: Call, turn: Turn, words: Words): { text: string; code: boolean } {
  if (!turn.reply) {
    return { text: call.alive ? words.__('waiting for the model') : words.__('no reply'), code: false };
  }
  if (turn.reply.error) {
    return { text: firstLine(`${turn.reply.error.type}: ${turn.reply.error.message}`, 160), code: false };
  }
  const code = codeLine(codesOf(turn.blocks));
  return code ? { text: code, code: true } : { text: firstLine(turn.reply.text, 160), code: false };
}

// What ran, or what waits to be run.
function codesOf(blocks: readonly Block[]): string[] {
  return blocks.flatMap(({ executed, held }) => executed?.code ?? held?.code ?? []);
}
