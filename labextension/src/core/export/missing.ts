/** What of a run is not in the page: a notebook keeps it short, a kernel sends it short. */

import type { RunStore } from '../model/store';

/** Texts that are shortened, calls that are not there. */
export interface Missing {
  readonly texts: number;
  readonly calls: number;
}

/** How much of the run is not here. */
export function missing(store: RunStore): Missing {
  const cut = store.events.reduce((sum, event) => sum + event.cut, 0);
  return { texts: Math.max(cut, store.cutTexts), calls: store.omittedCalls };
}
