/** Many calls at a glance: how many are in which state, and a strip with a place for each. */

import { MARKS, statusWord, thousands } from '../format';
import type { Call } from '../trace/call';
import type { Status } from '../trace/wire';
import type { Words } from '../words';

const WORST: readonly Status[] = ['failed', 'cut off', 'interrupted', 'exhausted', 'running', 'finished'];
const ORDER = Object.keys(MARKS) as Status[];

/** `18 finished, 2 failed`. */
export function countsOf(calls: readonly Call[], words: Words): string {
  const counts = new Map<Status, number>();
  for (const call of calls) {
    counts.set(call.status, (counts.get(call.status) ?? 0) + 1);
  }
  return ORDER.filter(status => counts.has(status))
    .map(status => `${thousands(counts.get(status) ?? 0)} ${statusWord(status, words)}`)
    .join(', ');
}

/** The strip, equal neighbours together: a mark for each call, or for each of `most` equal parts the worst in it. */
export function stripOf(calls: readonly Call[], most: number): (readonly [Status, number])[] {
  const out: [Status, number][] = [];
  for (const status of sampled(calls, most)) {
    const last = out.at(-1);
    if (last?.[0] === status) {
      last[1] += 1;
    } else {
      out.push([status, 1]);
    }
  }
  return out;
}

function sampled(calls: readonly Call[], most: number): Status[] {
  const places = Math.min(most, calls.length);
  const worst = Array.from({ length: places }, () => WORST.length - 1);
  calls.forEach((call, at) => {
    const place = Math.floor((at * places) / calls.length);
    worst[place] = Math.min(worst[place] ?? 0, WORST.indexOf(call.status));
  });
  return worst.map(rank => WORST[rank] ?? 'finished');
}
