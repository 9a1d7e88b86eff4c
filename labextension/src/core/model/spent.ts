/** What an item used: by its own requests, with everything below it, and of the run's limits. */

import { waitedFor } from '../trace/call';
import { Total } from '../trace/total';
import type { Call } from '../trace/call';
import { repliesOf, spanOf } from './detail';
import type { Item } from './rows';
import type { RunStore } from './store';

export interface Share {
  readonly limit: 'max_turns' | 'max_calls' | 'max_tokens' | 'max_seconds';
  readonly used: number;
  readonly most: number;
}

// Replies that come at once (a record's, a script's) have no speed.
const TIMED = 0.05;

/** What the item's own requests used. */
export function ownUsage(item: Item): Total {
  const total = new Total();
  for (const reply of repliesOf(item)) {
    total.add(reply.usage);
  }
  return total;
}

/** What the item used with everything below it. */
export function wholeUsage(item: Item): Total {
  switch (item.kind) {
    case 'call':
      return item.call.below.usage;
    case 'batch':
      return sum(item.calls);
    case 'block':
      return sum(item.block.calls);
    case 'turn': {
      const total = sum(item.turn.blocks.flatMap(block => block.calls));
      if (item.turn.reply) {
        total.add(item.turn.reply.usage);
      }
      return total;
    }
  }
}

function sum(calls: readonly Call[]): Total {
  const total = new Total();
  for (const call of calls) {
    total.merge(call.below.usage);
  }
  return total;
}

/** How many calls are below the item, or, of a batch, in it and below. */
export function callsIn(item: Item): number {
  const counted = (calls: readonly Call[]) => calls.reduce((all, call) => all + 1 + call.below.calls, 0);
  switch (item.kind) {
    case 'call':
      return item.call.below.calls;
    case 'batch':
      return counted(item.calls);
    case 'block':
      return counted(item.block.calls);
    case 'turn':
      return counted(item.turn.blocks.flatMap(block => block.calls));
  }
}

/** How long it took, or has taken so far in a run that goes on; null when that is not known. */
export function secondsIn(item: Item, store: RunStore): number | null {
  const [start, end] = spanOf(item);
  if (start === null) {
    return null;
  }
  return end === null ? (store.live ? store.now - start : null) : end - start;
}

/** Output tokens a second over the item's own requests; null where nothing was timed. */
export function tokensPerSecond(item: Item): number | null {
  const replies = repliesOf(item).filter(reply => waitedFor(reply) > 0 && reply.usage.outputTokens > 0);
  const seconds = replies.reduce((all, reply) => all + reply.seconds, 0);
  const tokens = replies.reduce((all, reply) => all + reply.usage.outputTokens, 0);
  return seconds >= TIMED ? tokens / seconds : null;
}

/** How much of each limit of the run the item took; turns only of the call that has them. */
export function shares(item: Item, store: RunStore): Share[] {
  const itself = item.kind === 'call' && item.call.depth > 0 ? 1 : 0;
  const used: Record<Share['limit'], number | null> = {
    max_turns: item.kind === 'call' && item.call.kind === 'rlm' ? item.call.turns.length : null,
    max_calls: callsIn(item) + itself,
    max_tokens: wholeUsage(item).tokens,
    max_seconds: secondsIn(item, store)
  };
  const limits = ['max_turns', 'max_calls', 'max_tokens', 'max_seconds'] as const;
  return limits.flatMap(limit => {
    const most = store.tree.run?.settings[limit];
    const so = used[limit];
    return typeof most === 'number' && most > 0 && so !== null ? [{ limit, used: so, most }] : [];
  });
}
