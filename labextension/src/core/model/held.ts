/** The blocks of a run that wait for a person, and where they are shown. */

import { firstLine } from '../text';
import type { BlockHeld } from '../trace/wire';
import type { Words } from '../words';
import { blockKey, turnKey } from './rows';
import type { RunStore } from './store';

/** The block that waits longest; null where none does. */
export function firstHeld({ live, tree }: RunStore): BlockHeld | null {
  const [first] = tree.held.values();
  return live ? (first ?? null) : null;
}

/** The key of the row that shows a held block: its turn's, where it is the only one of it. */
export function heldKey(held: BlockHeld, { tree }: RunStore): string {
  const call = tree.calls.get(held.callId);
  const turn = call?.turns.find(each => each.number === held.turn);
  const block = turn?.blocks.find(each => each.number === held.block);
  if (!call || !turn) {
    return '0';
  }
  return block && turn.blocks.length > 1 ? blockKey(call, turn, block) : turnKey(call, turn);
}

/** `Block 1 of turn 3 waits for you`, with its call where it is not the root's. */
export function heldTold({ block, turn, callId }: BlockHeld, words: Words): string {
  return callId === '0'
    ? words.__('Block %1 of turn %2 waits for you', block, turn)
    : words.__('Block %1 of turn %2 of %3 waits for you', block, turn, firstLine(callId, 60));
}
