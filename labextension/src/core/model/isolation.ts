/** How well the model's code was kept apart from its owner, in the words of `rlm_kernel/views/isolation.py`. */

import type { RunStarted } from '../trace/wire';
import type { Words } from '../words';

/** Whether the code ran in its owner's own process. */
export function isUnprotected(run: RunStarted | null): boolean {
  return run?.isolation === 'inline';
}

/** Where the code ran; a warning where that was its owner's own process. Empty before the run has started. */
export function isolationLabel(run: RunStarted | null, words: Words): string {
  if (!run?.isolation) {
    return '';
  }
  return isUnprotected(run)
    ? words.__("isolation: inline – no protection: the model's code ran in this process")
    : words.__('isolation: %1', run.isolation);
}
