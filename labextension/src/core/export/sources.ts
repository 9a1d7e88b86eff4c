/** Where the replies of a run come from, in the words of `rlm_kernel/views/sources.py`. */

import { modeLabel, thousands } from '../format';
import type { RunStore } from '../model/store';
import type { Call } from '../trace/call';
import type { Mode, ModelReplied } from '../trace/wire';
import { ENGLISH } from '../words';

/** The sign of what comes from a record. */
export const REPLAYED = '↻';
/** The type of the error of a request that the record has no reply to. */
export const MISSING = 'MissingReply';

/** Whether the reply came from a record, and not only should have. */
export function isRecorded({ mode, error }: ModelReplied): boolean {
  return mode === 'replayed' && error?.type !== MISSING;
}

/** Whether the call's own replies all came from a record. */
export function isReplayed(call: Call): boolean {
  const replies = repliesOf(call);
  return replies.length > 0 && replies.every(isRecorded);
}

/** What a person must know about where the replies came from; empty for a live model. */
export function label(store: RunStore): string {
  const { run } = store.tree;
  const replies = allReplies(store);
  const modes = [...(run ? [run.mode] : []), ...replies.map(({ mode }) => mode)];
  const own = labels(modes);
  if (!modes.includes('replayed')) {
    return own.join('; ');
  }
  // A record of scripted replies is no record of a model's.
  const whose = labels(
    replies.flatMap(({ mode, firstMode }) => (mode === 'replayed' && firstMode ? [firstMode] : []))
  );
  const record = modeLabel('replayed', ENGLISH);
  return [...own, whose.length ? `${record}: ${whose.join(', ')}` : record].join('; ');
}

/** How many replies come from a record, from a person in a model's place, and from elsewhere; empty where none is to
 * come from a record. */
export function repliesTold(store: RunStore): string {
  const { run } = store.tree;
  const replies = allReplies(store);
  const replayed = replies.filter(isRecorded).length;
  if (!replayed && (!run?.origin || run.origin.kind === 'rerun')) {
    return '';
  }
  const others = replies.filter(({ mode }) => mode !== 'replayed');
  const written = run?.mode === 'human' ? 0 : others.filter(({ mode }) => mode === 'human').length;
  return [
    `${thousands(replayed)} replayed`,
    ...(written ? [`${thousands(written)} by a person`] : []),
    `${thousands(others.length - written)} new`
  ].join(', ');
}

function labels(modes: readonly Mode[]): string[] {
  const own = [...new Set(modes)].filter(mode => mode !== 'replayed').sort();
  return own.map(mode => modeLabel(mode, ENGLISH)).filter(Boolean);
}

function allReplies(store: RunStore): ModelReplied[] {
  return [...store.tree.calls.values()].flatMap(repliesOf);
}

function repliesOf(call: Call): ModelReplied[] {
  return call.turns.flatMap(({ reply }) => reply ?? []);
}
