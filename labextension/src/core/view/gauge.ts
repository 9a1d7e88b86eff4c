/** How much of its limits a run has used. */

import type { RunStore } from '../model/store';

export interface Gauge {
  readonly limit: 'max_turns' | 'max_calls' | 'max_tokens' | 'max_seconds';
  readonly used: number;
  readonly most: number;
}

/** The limits that the run has, in the order of the settings. Turns are the root's. */
export function gauges(store: RunStore): Gauge[] {
  const { root, run } = store.tree;
  const used = {
    max_turns: root?.turns.length ?? 0,
    max_calls: root?.below.calls ?? 0,
    max_tokens: root?.below.usage.tokens ?? 0,
    max_seconds: store.now
  };
  return (Object.keys(used) as Gauge['limit'][]).flatMap(limit => {
    const most = run?.settings[limit];
    return typeof most === 'number' && most > 0 ? [{ limit, used: used[limit], most }] : [];
  });
}
