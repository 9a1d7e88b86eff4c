/** The output tab: what a block printed, as the model saw it or raw, its error, its figures and tables. */

import { thousands } from '../../format';
import { ranBlocks } from '../../model/detail';
import type { Ran } from '../../model/detail';
import { notedParts, printedParts } from '../../model/printed';
import type { Item } from '../../model/rows';
import { lengthOf } from '../../model/sent';
import { button, h } from '../dom';
import { blockName, blockSections } from './code';
import { differences } from './differences';
import { heading, remark, signOf, still } from './parts';
import { errorBody } from './reply';
import { richBody } from './rich';
import type { Pane, Section } from './section';
import { textBody } from './text';

/** Remembers which of the two a person wants to see, for all items. */
const RAW = 'output raw';

export function outputSections(item: Item, pane: Pane): Section[] {
  const raw = pane.memory.flag(RAW, false);
  const sign = (ran: Ran) => `${signOf([ran.done])} ${String(raw)}`;
  return [
    still('choice', String(raw), () => choice(raw, pane)),
    ...blockSections(item, pane, ranBlocks(item), sign, ran => blockOutput(ran, raw, pane))
  ];
}

function choice(raw: boolean, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const one = (label: string, value: boolean) =>
    button(label, {
      class: 'rlm-detail-toggle',
      attrs: { 'aria-pressed': String(raw === value) },
      on: {
        click: () => {
          pane.memory.setFlag(RAW, value);
          pane.redraw();
        }
      }
    });
  return h(
    'div',
    { class: 'rlm-detail-choice', attrs: { role: 'group', 'aria-label': words.__('Output') } },
    one(words.__('As the model saw it'), false),
    one(words.__('Raw output'), true)
  );
}

function blockOutput(ran: Ran, raw: boolean, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const { done, item } = ran;
  const title = heading(
    pane,
    item,
    blockName(ran, pane),
    done.error && h('span', { class: 'rlm-detail-tag rlm-bad' }, words.__('✗ failed'))
  );
  const shown = () =>
    textBody(pane, `${item.key}|shown`, done.shown, {
      name: title,
      printed: true,
      parts: notedParts(done.shown)
    });
  return h(
    'section',
    { class: 'rlm-detail-block' },
    ...(raw ? [title, ...rawOutput(ran, pane)] : [shown()]),
    done.divergences.length > 0 && differences(done.divergences, pane),
    ...done.outputs.map((output, at) =>
      richBody(pane, output, words.__('Figure %1 of block %2', at + 1, item.block.number))
    )
  );
}

function rawOutput({ done, item }: Ran, pane: Pane): HTMLElement[] {
  const { words } = pane.state;
  const out: HTMLElement[] = [];
  const limit = outputLimit(pane);
  // Where the text is shortened here, nobody can say which part of it the model did not see.
  const known = done.cut === 0 ? limit : null;
  if (done.stdout || !(done.stderr || done.error)) {
    out.push(stream(pane, `${item.key}|stdout`, words.__('Printed'), done.stdout, known));
  }
  if (done.stderr) {
    out.push(
      stream(pane, `${item.key}|stderr`, words.__('On stderr'), done.stderr, known && Math.floor(known / 4))
    );
  }
  if (done.error) {
    out.push(errorBody(pane, `${item.key}|error`, done.error));
  }
  return out;
}

function stream(pane: Pane, key: string, name: string, text: string, limit: number | null): HTMLElement {
  const { words } = pane.state;
  const parts = printedParts(text, limit);
  const unseen = parts
    .filter(part => part.kind === 'left out')
    .reduce((sum, part) => sum + lengthOf(part.text), 0);
  const body = textBody(pane, key, text, { name, printed: true, parts });
  if (unseen) {
    body.insertBefore(
      remark(
        words.__(
          'The model was not shown %1 characters of the middle, marked below; at most %2 go back to it.',
          thousands(unseen),
          thousands(limit ?? 0)
        )
      ),
      body.children[1] ?? null
    );
  }
  return body;
}

function outputLimit({ state }: Pane): number | null {
  const limit = state.store.tree.run?.settings['output_chars'];
  return typeof limit === 'number' && limit > 0 ? Math.floor(limit) : null;
}
