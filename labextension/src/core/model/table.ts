/** The rows of the table: a run's calls, in the order of the tree or of one column. */

import { firstLine } from '../text';
import type { Call } from '../trace/call';
import type { Tree } from '../trace/tree';
import type { Words } from '../words';
import { statusWord } from '../format';
import { title } from './titles';

export const COLUMNS = [
  'id',
  'kind',
  'title',
  'status',
  'model',
  'depth',
  'calls',
  'input',
  'output',
  'cost',
  'start',
  'duration'
] as const;
export type Column = (typeof COLUMNS)[number];
export type Direction = 'ascending' | 'descending';

/** Null is the order of the tree. */
export type Sort = { readonly column: Column; readonly direction: Direction } | null;

const NUMBERS: readonly Column[] = ['depth', 'calls', 'input', 'output', 'cost', 'start', 'duration'];

/** Whether a column holds numbers, which are sorted the greatest first. */
export function isNumeric(column: Column): boolean {
  return NUMBERS.includes(column);
}

/** The order after another click on a column: its own, the reverse, then the tree's again. */
export function nextSort(sort: Sort, column: Column): Sort {
  const first: Direction = isNumeric(column) ? 'descending' : 'ascending';
  if (sort?.column !== column) {
    return { column, direction: first };
  }
  return sort.direction === first
    ? { column, direction: first === 'ascending' ? 'descending' : 'ascending' }
    : null;
}

/** Every call in the order of the tree. */
export function treeOrder(tree: Tree): Call[] {
  const out: Call[] = [];
  const waiting = tree.root ? [tree.root] : [];
  for (let call = waiting.pop(); call; call = waiting.pop()) {
    out.push(call);
    if (call.below.calls) {
      waiting.push(...call.calls.reverse());
    }
  }
  return out;
}

/** The calls of what a search found, in the order of the tree; a turn stands for its call. */
export function callsOf(tree: Tree, keys: readonly string[]): Call[] {
  const ids = new Set(keys.map(key => /^[0-9.]+/.exec(key)?.[0] ?? ''));
  return treeOrder(tree).filter(call => ids.has(call.id));
}

/** The number in a numeric column; null where it is unknown. */
export function numberIn(column: Column, call: Call, now: number): number | null {
  const { usage, calls } = call.below;
  switch (column) {
    case 'depth':
      return call.depth;
    case 'calls':
      return calls;
    case 'input':
      return usage.requests ? usage.inputTokens : null;
    case 'output':
      return usage.requests ? usage.outputTokens : null;
    case 'cost':
      return usage.cost;
    case 'start':
      return call.start;
    case 'duration':
      return durationOf(call, now);
    default:
      return null;
  }
}

/** How long a call took, or has taken so far; null where its end is not known. */
export function durationOf(call: Call, now: number): number | null {
  return call.seconds ?? (call.status === 'running' ? Math.max(0, now - call.start) : null);
}

/** The text in a column that holds none but text. */
export function textIn(column: Column, call: Call, words: Words): string {
  switch (column) {
    case 'kind':
      return call.kind;
    case 'title':
      return titleOf(call, words);
    case 'status':
      return call.replayed && call.status === 'finished'
        ? words.__('replayed')
        : statusWord(call.status, words);
    case 'model':
      return firstLine(call.model, 60);
    default:
      return call.id;
  }
}

/** The calls in that order. What is equal stays as it was, and what is unknown comes last either way. */
export function sorted(calls: readonly Call[], sort: Sort, now: number, words: Words): readonly Call[] {
  if (!sort) {
    return calls;
  }
  const { column } = sort;
  const sign = sort.direction === 'ascending' ? 1 : -1;
  if (column === 'id') {
    // An id is a path, so the order of the tree is theirs.
    return sign === 1 ? calls : [...calls].reverse();
  }
  if (isNumeric(column)) {
    return calls
      .map(call => ({ call, key: numberIn(column, call, now) ?? NaN }))
      .sort((one, other) => compareNumbers(one.key, other.key, sign))
      .map(({ call }) => call);
  }
  return calls
    .map(call => ({ call, key: textIn(column, call, words).toLowerCase() }))
    .sort((one, other) => compareTexts(one.key, other.key, sign))
    .map(({ call }) => call);
}

const titles = new WeakMap<Call, string>();

// Made once: a prompt may be long, and ten thousand of them are put in order.
function titleOf(call: Call, words: Words): string {
  let text = titles.get(call);
  if (text === undefined) {
    text = title({ kind: 'call', key: call.id, call }, words).text;
    titles.set(call, text);
  }
  return text;
}

function compareNumbers(one: number, other: number, sign: number): number {
  if (Number.isNaN(one) || Number.isNaN(other)) {
    return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
  }
  return sign * (one - other);
}

function compareTexts(one: string, other: string, sign: number): number {
  if (one === other) {
    return 0;
  }
  // An empty text is one that is not known.
  if (!one || !other) {
    return one ? -1 : 1;
  }
  return one < other ? -sign : sign;
}
