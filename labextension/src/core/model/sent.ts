/** The messages a model was sent at a turn, and which of them it had been sent before. */

import type { Call, Turn } from '../trace/call';
import type { Message } from '../trace/wire';

/** `unchanged` counts the messages that were sent at turn `since` already; the rest is new. */
export interface Sent {
  readonly messages: readonly Message[];
  readonly unchanged: number;
  readonly since: number | null;
}

export function sentAt(call: Call, turn: Turn): Sent {
  const messages = call.messages(turn.number);
  const before = call.turns.findLast(each => each.number < turn.number && each.asked.length > 0);
  return {
    messages,
    unchanged: before ? Math.min(call.messages(before.number).length, messages.length) : 0,
    since: before?.number ?? null
  };
}

/** How long a text is in characters, as Python counts them: a pair of surrogates is one. */
export function lengthOf(text: string): number {
  let pairs = 0;
  for (let at = 0; at < text.length - 1; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) {
      pairs += 1;
      at += 1;
    }
  }
  return text.length - pairs;
}

/** Where in a text so many characters end, from an index on; never inside a pair of surrogates. */
export function indexAfter(text: string, chars: number, from = 0): number {
  let at = from;
  for (let left = chars; left > 0 && at < text.length; left -= 1) {
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return at;
}
