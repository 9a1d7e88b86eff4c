/** Steps: how magics, Python and the channel name a place in a run. `0.3.2` is a call, `0.3` turn 3 of the root. */

import type { Item } from './rows';

/** The step of an item; a block has that of its turn, and a batch has none. */
export function stepOf(item: Item): string {
  switch (item.kind) {
    case 'call':
      return item.call.id;
    case 'turn':
    case 'block':
      return `${item.call.id}.${String(item.turn.number)}`;
    case 'batch':
      return '';
  }
}

/** The key of the row that a step stands for; the whole run is its root. */
export function keyOf(step: string): string {
  const parts = step.split('.');
  if (step === '' || parts.length % 2 === 1) {
    return step || '0';
  }
  return `${parts.slice(0, -1).join('.')}@${parts.at(-1) ?? ''}`;
}
