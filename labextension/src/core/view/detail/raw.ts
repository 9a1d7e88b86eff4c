/** The raw tab: the events of an item as the JSON that they came as. */

import { seconds, thousands } from '../../format';
import { eventsOf } from '../../model/detail';
import type { Item } from '../../model/rows';
import type { TraceEvent } from '../../trace/wire';
import { h } from '../dom';
import { bounded, fold, signOf, still } from './parts';
import type { Pane, Section } from './section';
import { textBody } from './text';

/** How many events are shown at first. */
export const EVENTS = 50;
const FEW = 3;

export function rawSections(item: Item, pane: Pane): Section[] {
  const { words } = pane.state;
  const events = eventsOf(item, pane.state.store.tree);
  const open = events.length <= FEW;
  return bounded(
    pane,
    { key: eventsKey(item), step: EVENTS },
    events,
    event => still(String(event.seq), signOf([event]), () => eventFold(event, open, item, pane)),
    left => words._n('Show %1 more event', 'Show more of %2 events', left, thousands(left))
  );
}

/** What remembers how many events of an item are shown. */
export function eventsKey(item: Item): string {
  return `${item.key}|events`;
}

function eventFold(event: TraceEvent, open: boolean, item: Item, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const key = `${item.key}|raw ${String(event.seq)}`;
  const told = words.__('event %1, %2 into the run', event.seq, seconds(event.t));
  return fold(
    pane,
    key,
    [h('code', {}, event.type), h('span', { class: 'rlm-detail-size' }, told)],
    () => textBody(pane, `${key} text`, JSON.stringify(event.source, null, 2), { name: words.__('JSON') }),
    { open }
  );
}
