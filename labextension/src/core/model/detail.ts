/** What there is to tell of a selected item: its place, its state, its events, and which tabs have something to show. */

import { isBad, waitedFor } from '../trace/call';
import type { Call, Turn } from '../trace/call';
import type { Tree } from '../trace/tree';
import type { CodeExecuted, ErrorInfo, ModelReplied, Status, TraceEvent } from '../trace/wire';
import { childItems, isFailed, itemsAbove, parentItem } from './rows';
import type { Item } from './rows';
import type { TabName } from './state';

/** Where an item stands among its siblings; `at` counts from 1. */
export interface Place {
  readonly at: number;
  readonly of: number;
  readonly before: string | null;
  readonly after: string | null;
}

/** The item with everything above it, the root first. */
export function crumbsOf(item: Item): Item[] {
  return [...itemsAbove(item).reverse(), item];
}

export function placeOf(item: Item): Place {
  const above = parentItem(item);
  const siblings = above ? childItems(above).map(each => each.key) : [item.key];
  const at = siblings.indexOf(item.key);
  return {
    at: at + 1,
    of: siblings.length,
    before: siblings[at - 1] ?? null,
    after: at < 0 ? null : (siblings[at + 1] ?? null)
  };
}

/** The turn or block whose code asked this; null for the root and for what is no call. */
export function issuerOf(item: Item): Item | null {
  return itemsAbove(item).find(each => each.kind === 'turn' || each.kind === 'block') ?? null;
}

/** How an item stands: a turn or block whose code failed has failed, whatever became of its call. */
export function statusOf(item: Item): Status {
  switch (item.kind) {
    case 'call':
      return item.call.status;
    case 'batch':
      return batchStatus(item.calls);
    case 'turn':
    case 'block':
      if (isFailed(item)) {
        return 'failed';
      }
      return isDone(item) ? 'finished' : item.call.status === 'finished' ? 'cut off' : item.call.status;
  }
}

function isDone(item: Extract<Item, { kind: 'turn' | 'block' }>): boolean {
  return item.kind === 'block'
    ? item.block.executed !== null
    : item.turn.reply !== null && item.turn.blocks.every(block => block.executed);
}

function batchStatus(calls: readonly Call[]): Status {
  if (calls.some(call => call.status === 'running')) {
    return 'running';
  }
  return (
    calls.find(call => isBad(call.status))?.status ??
    calls.find(call => call.status !== 'finished')?.status ??
    'finished'
  );
}

/** When it began and ended, in seconds since the run began; null where that is not known (yet). */
export function spanOf(item: Item): readonly [number | null, number | null] {
  switch (item.kind) {
    case 'call':
      return [item.call.start, item.call.end];
    case 'turn':
      return turnSpan(item.turn);
    case 'block': {
      const done = item.block.executed;
      return done ? [done.t - done.seconds, done.t] : [null, null];
    }
    case 'batch':
      return batchSpan(item.calls);
  }
}

function turnSpan({ asked, reply, blocks }: Turn): [number | null, number | null] {
  const start = asked[0]?.t ?? (reply ? reply.t - waitedFor(reply) : null);
  const last = blocks.at(-1);
  return [start, last ? (last.executed?.t ?? null) : (reply?.t ?? null)];
}

function batchSpan(calls: readonly Call[]): [number | null, number | null] {
  let [start, end]: [number, number | null] = [Infinity, 0];
  for (const call of calls) {
    start = Math.min(start, call.start);
    end = end === null || call.end === null ? null : Math.max(end, call.end);
  }
  return [Number.isFinite(start) ? start : null, end];
}

/** The requests that an item itself made, with what came back. */
export function repliesOf(item: Item): ModelReplied[] {
  switch (item.kind) {
    case 'call':
      return item.call.turns.flatMap(turn => turn.reply ?? []);
    case 'turn':
      return item.turn.reply ? [item.turn.reply] : [];
    case 'block':
      return [];
    case 'batch':
      return item.calls.flatMap(call => call.turns.flatMap(turn => turn.reply ?? []));
  }
}

/** What went wrong with the item itself. */
export function errorOf(item: Item): ErrorInfo | null {
  switch (item.kind) {
    case 'call':
      return item.call.error;
    case 'turn':
      return (
        item.turn.reply?.error ??
        item.turn.blocks.find(block => block.executed?.error)?.executed?.error ??
        null
      );
    case 'block':
      return item.block.executed?.error ?? null;
    case 'batch':
      return null;
  }
}

/** A block that ran, with the turn it belongs to. */
export interface Ran {
  readonly item: Extract<Item, { kind: 'block' }>;
  readonly done: CodeExecuted;
}

/** The blocks of an item that ran, in order. */
export function ranBlocks(item: Item): Ran[] {
  switch (item.kind) {
    case 'call':
      return item.call.turns.flatMap(turn => ranIn(item.call, turn));
    case 'turn':
      return ranIn(item.call, item.turn);
    case 'block':
      return ranIn(item.call, item.turn).filter(({ item: each }) => each.block === item.block);
    case 'batch':
      return [];
  }
}

function ranIn(call: Call, turn: Turn): Ran[] {
  return turn.blocks.flatMap(block => {
    const key = `${call.id}@${String(turn.number)}.${String(block.number)}`;
    return block.executed
      ? [{ item: { kind: 'block' as const, key, call, turn, block }, done: block.executed }]
      : [];
  });
}

/** The events of an item itself, in order; those of its sub-calls are theirs. */
export function eventsOf(item: Item, tree: Tree): TraceEvent[] {
  switch (item.kind) {
    case 'call':
      return [
        ...(item.call.depth === 0 && tree.run ? [tree.run] : []),
        ...callEvents(item.call),
        ...(item.call.depth === 0 && tree.end ? [tree.end] : [])
      ];
    case 'turn':
      return turnEvents(item.turn);
    case 'block':
      return [item.block.held ?? [], item.block.executed ?? []].flat();
    case 'batch':
      return item.calls.flatMap(callEvents).sort((one, other) => one.seq - other.seq);
  }
}

function callEvents(call: Call): TraceEvent[] {
  return [call.started, ...call.turns.flatMap(turnEvents), ...(call.finished ? [call.finished] : [])];
}

function turnEvents(turn: Turn): TraceEvent[] {
  const ran = turn.blocks.flatMap(({ held, executed }) => [held ?? [], executed ?? []].flat());
  return [...turn.asked, ...(turn.reply ? [turn.reply] : []), ...ran];
}

/** The tabs that have something to show for an item, in their order. */
export function tabsOf(item: Item): TabName[] {
  switch (item.kind) {
    case 'batch':
      return ['reply', 'usage', 'raw'];
    case 'call':
      return item.call.kind === 'llm' ? llmTabs(item.call) : rlmTabs(item);
    case 'turn':
      return turnTabs(item);
    case 'block':
      return item.block.executed ? [...blockTabs(item), 'usage', 'raw'] : ['usage'];
  }
}

function llmTabs(call: Call): TabName[] {
  return call.reply || call.error ? ['prompt', 'reply', 'usage', 'raw'] : ['prompt', 'usage', 'raw'];
}

function rlmTabs(item: Extract<Item, { kind: 'call' }>): TabName[] {
  const { call } = item;
  const blocks = blockTabs(item);
  const card = call.started.context && !blocks.includes('variables');
  return [
    'prompt',
    ...(call.answer !== null || call.error ? (['reply'] as const) : []),
    ...blocks,
    ...(card ? (['variables'] as const) : []),
    'usage',
    'raw'
  ];
}

function turnTabs(item: Extract<Item, { kind: 'turn' }>): TabName[] {
  const { turn } = item;
  return [
    ...(turn.asked.length ? (['prompt'] as const) : []),
    ...(turn.reply ? (['reply'] as const) : []),
    ...blockTabs(item),
    'usage',
    'raw'
  ];
}

function blockTabs(item: Item): TabName[] {
  const ran = ranBlocks(item);
  if (!ran.length) {
    return [];
  }
  const changed = ran.some(
    ({ done: { variables: v } }) => v.added.length + v.changed.length + v.removed.length
  );
  return changed ? ['code', 'output', 'variables'] : ['code', 'output'];
}

/** The events whose texts a tab shows: what must be whole for the tab to be whole. */
export function eventsIn(tab: TabName, item: Item, tree: Tree, most: number): TraceEvent[] {
  switch (tab) {
    case 'prompt':
      return promptEvents(item);
    case 'reply':
      return replyEvents(item);
    case 'code':
    case 'output':
    case 'variables':
      return ranBlocks(item)
        .slice(0, most)
        .map(({ done }) => done);
    case 'variants':
    case 'usage':
      return [];
    case 'raw':
      return eventsOf(item, tree).slice(0, most);
  }
}

function promptEvents(item: Item): TraceEvent[] {
  const { call } = item;
  if (item.kind !== 'turn') {
    return [call.started, ...(call.kind === 'rlm' ? (call.turns[0]?.asked ?? []) : [])];
  }
  return call.turns
    .filter(turn => turn.number <= item.turn.number)
    .flatMap(turn => [...turn.asked, ...(turn.reply && turn !== item.turn ? [turn.reply] : [])]);
}

function replyEvents(item: Item): TraceEvent[] {
  if (item.kind === 'batch') {
    return [];
  }
  const finished = item.kind === 'call' && item.call.finished ? [item.call.finished] : [];
  return item.kind === 'call' && item.call.kind === 'rlm' ? finished : [...repliesOf(item), ...finished];
}
