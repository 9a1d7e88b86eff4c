/** What a run that was made from another says of it, in the words of `rlm_kernel/views/derived.py`. */

import type { RunStore } from '../model/store';
import { firstLine } from '../text';
import type { Block, Call, Turn } from '../trace/call';
import type { ModelReplied, Origin } from '../trace/wire';
import { count } from './summary';
import { span } from './markdown';
import { repliesTold } from './sources';

/** The sign of a step that is not what the record has. */
export const DIFFERS = '≠';
/** What is said of a reply that a person put in the place of the model's. */
export const WRITTEN = 'a person wrote this reply';

const EDITS = [
  'code',
  'block',
  'reply',
  'hint',
  'prompt',
  'model',
  'temperature',
  'max_output_tokens',
  'n',
  'limits'
];

/** How the run was made, how many replies were replayed, how many steps differ; in Markdown. */
export function originFacts(store: RunStore): string[] {
  const { differing, run } = store.tree;
  const verb = differing === 1 ? 'differs' : 'differ';
  return [
    run?.origin ? made(run.origin) : '',
    repliesTold(store),
    differing ? `${count(differing, 'step')} ${verb} from the record` : ''
  ].filter(Boolean);
}

function made({ kind, run, at, edit }: Origin): string {
  const edits = EDITS.filter(name => Object.hasOwn(edit, name)).join(', ');
  const words = madeWords(kind, span(run), at && span(at));
  return edits ? `${words}: ${edits}` : words;
}

function madeWords(kind: Origin['kind'], run: string, at: string): string {
  switch (kind) {
    case 'replay':
      return `Replay of ${run}`;
    case 'fork':
      return at ? `Fork of ${run} at ${at}` : `Fork of ${run}`;
    case 'rerun':
      return at ? `Rerun of ${at} of ${run}` : `Rerun of ${run}`;
    case 'resume':
      return `Resumed from ${run}`;
  }
}

/** Whether a person wrote this reply in the place of the run's model. */
export function isWritten({ mode }: ModelReplied, store: RunStore): boolean {
  return mode === 'human' && store.tree.run?.mode !== 'human';
}

/** What a person did with the block; empty where nobody was asked. */
export function decided(block: Block): string {
  switch (block.executed?.decision) {
    case 'edited':
      return 'a person edited the code';
    case 'skipped':
      return 'a person skipped it';
    case '':
    case undefined:
      return '';
  }
}

/** Whether the block is before a person now. */
export function isWaiting(block: Block, call: Call): boolean {
  return block.held !== null && block.executed === null && call.status === 'running';
}

/** Why the turn was the call's one last; empty for any other. */
export function lastWords(turn: Turn): string {
  return firstLine(turn.asked.at(-1)?.last ?? '', 100);
}
