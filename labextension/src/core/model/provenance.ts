/** Where what an item says comes from: a model, a record, a person; and whether it is what the record has. */

import { modeLabel, thousands } from '../format';
import { isReplayed } from '../trace/call';
import type { Block, Call } from '../trace/call';
import type { Tree } from '../trace/tree';
import type { Decision, Divergence, ModelReplied } from '../trace/wire';
import type { Words } from '../words';
import type { Item } from './rows';

/** The sign of a reply that comes from a record. */
export const REPLAYED = '↻';
/** The sign of what is not what the record has. */
export const DIFFERS = '≠';
/** The sign of a block that waits for a person. */
export const HELD = '❚❚';

/** Whether an item's own replies all come from a record. */
export function isFromRecord(item: Item): boolean {
  switch (item.kind) {
    case 'call':
      return item.call.replayed;
    case 'turn':
      return item.turn.reply !== null && isReplayed(item.turn.reply);
    case 'block':
      return false;
    case 'batch':
      return item.calls.every(call => call.replayed);
  }
}

/** Whether an item, done again, was not what the record has. */
export function doesDiffer(item: Item): boolean {
  switch (item.kind) {
    case 'call':
      return item.call.missing;
    case 'turn':
      return item.turn.differs;
    case 'block':
      return divergences(item.block).length > 0;
    case 'batch':
      return item.calls.some(call => call.missing);
  }
}

function divergences(block: Block): readonly Divergence[] {
  return block.executed?.divergences ?? [];
}

/** The blocks that an item's row stands for. */
export function blocksOf(item: Item): readonly Block[] {
  switch (item.kind) {
    case 'turn':
      return item.turn.blocks;
    case 'block':
      return [item.block];
    case 'call':
    case 'batch':
      return [];
  }
}

/** The block of an item that waits for a person; null where none does. */
export function heldIn(item: Item): Block | null {
  return item.call.status === 'running'
    ? (blocksOf(item).find(block => block.held && !block.executed) ?? null)
    : null;
}

function isDecided(item: Item, decision: Decision): boolean {
  return blocksOf(item).some(block => block.executed?.decision === decision);
}

/** Whether an item is what a search for `status:…` asks for, beside how it ended. */
export function isStanding(item: Item, word: string): boolean {
  switch (word) {
    case 'replayed':
      return isFromRecord(item);
    case 'differs':
      return doesDiffer(item);
    case 'waiting':
      return heldIn(item) !== null;
    case 'edited':
    case 'skipped':
      return isDecided(item, word);
    default:
      return false;
  }
}

/** What a row says beside its title of where it comes from. */
export function provenanceTags(item: Item, tree: Tree, words: Words): string[] {
  return [
    heldIn(item) ? words.__('%1 waiting for you', HELD) : '',
    replyOf(item)?.mode === 'human' && tree.run?.mode !== 'human'
      ? words.__('a person wrote this reply')
      : '',
    isDecided(item, 'edited') ? words.__('a person edited the code') : '',
    isDecided(item, 'skipped') ? words.__('a person skipped it') : '',
    doesDiffer(item) ? words.__('%1 differs from the record', DIFFERS) : ''
  ].filter(Boolean);
}

function replyOf(item: Item): ModelReplied | null {
  switch (item.kind) {
    case 'call':
      return item.call.kind === 'llm' ? item.call.reply : null;
    case 'turn':
      return item.turn.reply;
    case 'block':
    case 'batch':
      return null;
  }
}

/** How many of these calls were replayed, for a row that stands for many; empty where none was. */
export function replayedTold(calls: readonly Call[], words: Words): string {
  const replayed = calls.filter(call => call.replayed).length;
  return replayed ? words.__('%1 %2 replayed', REPLAYED, thousands(replayed)) : '';
}

/** What a person must know about where a reply comes from; one of a record is told with where it came from at first. */
export function replyLabel({ mode, firstMode }: ModelReplied, words: Words): string {
  return mode === 'replayed'
    ? recordLabel(firstMode ? [modeLabel(firstMode, words)] : [], words)
    : modeLabel(mode, words);
}

/** The same of all the replies of a run. */
export function runLabel(tree: Tree, words: Words): string {
  const own = tree.run && tree.run.mode !== 'replayed' ? modeLabel(tree.run.mode, words) : '';
  const first = [...tree.firstModes].map(mode => modeLabel(mode, words));
  const record =
    tree.run?.mode === 'replayed' || tree.replies.get('replayed') ? recordLabel(first, words) : '';
  return [...new Set([own, record])].filter(Boolean).join('; ');
}

function recordLabel(first: readonly string[], words: Words): string {
  return [modeLabel('replayed', words), first.filter(Boolean).join(', ')].filter(Boolean).join(': ');
}

/**
 * `12 replayed, 1 by a person, 3 new`; empty for a run that has nothing from a record. A reply that the record should
 * have had and has not is none of them.
 */
export function repliesTold(tree: Tree, words: Words): string {
  const fromRecord = tree.replies.get('replayed') ?? 0;
  const replayed = fromRecord - tree.missingReplies;
  const origin = tree.run?.origin ?? null;
  if (!replayed && (origin === null || origin.kind === 'rerun')) {
    return '';
  }
  const human = tree.run?.mode === 'human' ? 0 : (tree.replies.get('human') ?? 0);
  let all = 0;
  for (const count of tree.replies.values()) {
    all += count;
  }
  return [
    words.__('%1 replayed', thousands(replayed)),
    human ? words.__('%1 by a person', thousands(human)) : '',
    words.__('%1 new', thousands(all - fromRecord - human))
  ]
    .filter(Boolean)
    .join(', ');
}
