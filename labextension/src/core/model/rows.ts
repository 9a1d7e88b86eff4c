/**
 * The rows of the tree: what is open, from top to bottom.
 *
 * A row's key names it for good (`0.3.2` a call, `0@3` a turn, `0@3.1` a block, `0.3.1+` the batch that begins with
 * that call), so that what is open and what is selected outlives every redraw, and is the same in all views.
 */

import { isBad } from '../trace/call';
import type { Block, Call, Turn } from '../trace/call';
import type { Tree } from '../trace/tree';

export type Item =
  | { readonly kind: 'call'; readonly key: string; readonly call: Call }
  | { readonly kind: 'turn'; readonly key: string; readonly call: Call; readonly turn: Turn }
  | {
      readonly kind: 'block';
      readonly key: string;
      readonly call: Call;
      readonly turn: Turn;
      readonly block: Block;
    }
  | { readonly kind: 'batch'; readonly key: string; readonly call: Call; readonly calls: readonly Call[] };

/** An item with its place in the tree, as a treegrid says it; `level`, `place` and `of` count from 1. */
export interface Row {
  readonly item: Item;
  readonly level: number;
  readonly place: number;
  readonly of: number;
  /** Null for a leaf. */
  readonly open: boolean | null;
}

/** Which rows are open, where it is not the usual. */
export type Opened = ReadonlyMap<string, boolean>;

export function callKey(call: Call): string {
  return call.id;
}

export function turnKey(call: Call, turn: Turn): string {
  return `${call.id}@${String(turn.number)}`;
}

export function blockKey(call: Call, turn: Turn, block: Block): string {
  return `${turnKey(call, turn)}.${String(block.number)}`;
}

export function batchKey(first: Call): string {
  return `${first.id}+`;
}

/** What stands directly below an item, in the order it happened. */
export function childItems(item: Item): Item[] {
  switch (item.kind) {
    case 'call':
      return item.call.kind === 'llm'
        ? []
        : item.call.turns.map(turn => ({
            kind: 'turn',
            key: turnKey(item.call, turn),
            call: item.call,
            turn
          }));
    case 'turn': {
      const { call, turn } = item;
      const [only] = turn.blocks;
      // The row of a turn with one block is that block's too.
      return only && turn.blocks.length === 1
        ? callItems(only)
        : turn.blocks.map(block => ({ kind: 'block', key: blockKey(call, turn, block), call, turn, block }));
    }
    case 'block':
      return callItems(item.block);
    case 'batch':
      return item.calls.map(call => ({ kind: 'call', key: callKey(call), call }));
  }
}

/** Whether there is anything below an item; cheaper than making it. */
export function hasChildren(item: Item): boolean {
  switch (item.kind) {
    case 'call':
      return item.call.kind === 'rlm' && item.call.turns.length > 0;
    case 'turn':
      return item.turn.blocks.length > 1 || (item.turn.blocks[0]?.calls.length ?? 0) > 0;
    case 'block':
      return item.block.calls.length > 0;
    case 'batch':
      return true;
  }
}

/** Whether an item is open where nobody has said otherwise: the root's story is, what it passed on is not. */
export function opensByItself(item: Item): boolean {
  switch (item.kind) {
    case 'call':
      return item.call.depth === 0;
    case 'turn':
    case 'block':
      return true;
    case 'batch':
      return false;
  }
}

/**
 * The rows that are open, in order. With `kept`, only those items, and all of them open: what a search found with
 * everything above it.
 */
export function visibleRows(tree: Tree, opened: Opened, kept: ReadonlySet<string> | null = null): Row[] {
  const rows: Row[] = [];
  const root: Item[] = tree.root ? [{ kind: 'call', key: callKey(tree.root), call: tree.root }] : [];
  const waiting = places(root, 1, kept);
  // A stack of our own: a damaged trace can be nested deeper than calls of functions may be.
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    const { item, level } = at;
    const open = hasChildren(item) ? (opened.get(item.key) ?? (kept ? true : opensByItself(item))) : null;
    rows.push({ ...at, open });
    if (open) {
      for (const below of places(childItems(item), level + 1, kept)) {
        waiting.push(below);
      }
    }
  }
  return rows;
}

/** The items that are kept with their places, the last first. */
function places(
  items: readonly Item[],
  level: number,
  kept: ReadonlySet<string> | null
): Omit<Row, 'open'>[] {
  const shown = kept ? items.filter(item => kept.has(item.key)) : items;
  return shown.map((item, at) => ({ item, level, place: at + 1, of: shown.length })).reverse();
}

/** The item of that key, or null where the run has none (any more, or yet). */
export function findItem(tree: Tree, key: string): Item | null {
  const found = /^(?<id>[0-9.]+)(?:(?<batch>\+)|@(?<turn>\d+)(?:\.(?<block>\d+))?)?$/.exec(key)?.groups;
  const call = tree.calls.get(found?.['id'] ?? '');
  if (!found || !call) {
    return null;
  }
  if (found['batch']) {
    return batchOf(call);
  }
  if (!found['turn']) {
    return { kind: 'call', key, call };
  }
  const turn = call.turns.find(each => each.number === Number(found['turn']));
  if (!turn || !found['block']) {
    return turn ? { kind: 'turn', key, call, turn } : null;
  }
  const block = turn.blocks.find(each => each.number === Number(found['block']));
  return block ? { kind: 'block', key, call, turn, block } : null;
}

/** The items above one, the nearest first: what must be open for it to be seen. */
export function itemsAbove(item: Item): Item[] {
  const above: Item[] = [];
  for (let at = parentItem(item); at; at = parentItem(at)) {
    above.push(at);
  }
  return above;
}

/** The item directly above one, or null for the root. */
export function parentItem(item: Item): Item | null {
  switch (item.kind) {
    case 'turn':
      return { kind: 'call', key: callKey(item.call), call: item.call };
    case 'block':
      return { kind: 'turn', key: turnKey(item.call, item.turn), call: item.call, turn: item.turn };
    case 'batch':
      return issuer(item.call);
    case 'call':
      return item.call.batch ? (batchOf(item.call) ?? issuer(item.call)) : issuer(item.call);
  }
}

/** Whether an item itself did not go well, apart from what is below it. */
export function isFailed(item: Item): boolean {
  switch (item.kind) {
    case 'call':
      return isBad(item.call.status);
    case 'turn':
      return item.turn.failed;
    case 'block':
      return item.block.executed?.error != null;
    case 'batch':
      return item.calls.some(call => isBad(call.status));
  }
}

function callItems(block: Block): Item[] {
  return block.groups.flatMap(group => groupItem(group) ?? []);
}

function groupItem(group: readonly Call[]): Item | null {
  const [first] = group;
  if (!first) {
    return null;
  }
  return group.length > 1
    ? { kind: 'batch', key: batchKey(first), call: first, calls: group }
    : { kind: 'call', key: callKey(first), call: first };
}

function batchOf(call: Call): Item | null {
  const item = groupItem(blockOf(call)?.group(call) ?? []);
  return item?.kind === 'batch' ? item : null;
}

function blockOf(call: Call): Block | null {
  const turn = turnOf(call);
  return turn?.blocks.find(block => block.number === (call.site?.block ?? 1)) ?? null;
}

function turnOf(call: Call): Turn | null {
  const number = Number(call.id.split('.').at(-2));
  return call.parent?.turns.find(turn => turn.number === number) ?? null;
}

function issuer(call: Call): Item | null {
  const [parent, turn, block] = [call.parent, turnOf(call), blockOf(call)];
  if (!parent || !turn || !block) {
    return null;
  }
  return turn.blocks.length > 1
    ? { kind: 'block', key: blockKey(parent, turn, block), call: parent, turn, block }
    : { kind: 'turn', key: turnKey(parent, turn), call: parent, turn };
}
