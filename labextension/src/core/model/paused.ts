/** A run that waits for its server: why, and when it is tried again. */

import { ticking } from '../format';
import { firstLine } from '../text';
import type { RunPaused } from '../trace/wire';
import type { Words } from '../words';
import type { RunStore } from './store';

/** The sign of a run that waits for its server. */
export const PAUSED = '❚❚';

/** The pause that a live run is in; null where it is in none. */
export function pauseOf({ live, tree }: RunStore): RunPaused | null {
  return live ? tree.paused : null;
}

/** `Paused: no connection to … Is the server running?` */
export function whyTold({ error }: RunPaused, words: Words): string {
  return words.__('Paused: %1', firstLine(error.message, 200));
}

/** `Trying again in 4.1 s, tried 2 times in vain` */
export function nextTold({ retryAt, tries }: RunPaused, now: number, words: Words): string {
  const next =
    now < retryAt ? words.__('Trying again in %1', ticking(retryAt - now)) : words.__('Trying now');
  return tries ? `${next}, ${words._n('tried %1 time in vain', 'tried %1 times in vain', tries)}` : next;
}
