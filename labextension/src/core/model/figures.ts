/** What a step or a run took, and by how much another one took more: the words of `rlm_kernel/views/figures.py`. */

import { cost, seconds, tokens } from '../export/summary';
import { thousands } from '../format';
import type { Call, Turn } from '../trace/call';
import { Total } from '../trace/total';
import type { Words } from '../words';
import type { RunStore } from './store';

/** Less than these is nothing. */
const NO_COST = 1e-12;
const NO_TIME = 0.005;

/** Tokens, cost and time. */
export interface Figures {
  readonly usage: Total;
  /** US dollars: 0 where nothing was asked, null where it is not known. */
  readonly cost: number | null;
  /** Null without an end. */
  readonly seconds: number | null;
}

/** By how much the right one took more than the left; null where one of both is not known. */
export interface Delta {
  readonly tokens: number;
  readonly cost: number | null;
  readonly seconds: number | null;
}

/** Of a whole run. */
export function runFigures({ tree, live }: RunStore): Figures {
  return figures(tree.root?.below.usage ?? new Total(), live ? null : tree.seconds);
}

/** Of a call with all below it. */
export function callFigures(call: Call): Figures {
  return figures(call.below.usage, call.seconds);
}

/** Of a turn with its sub-calls and all below them. */
export function turnFigures(turn: Turn): Figures {
  const usage = new Total();
  if (turn.reply) {
    usage.add(turn.reply.usage);
  }
  for (const { calls } of turn.blocks) {
    for (const call of calls) {
      usage.merge(call.below.usage);
    }
  }
  return figures(usage, turnSeconds(turn));
}

function figures(usage: Total, took: number | null): Figures {
  return { usage, cost: usage.requests ? usage.cost : 0, seconds: took };
}

function turnSeconds({ asked, reply, blocks, messages }: Turn): number | null {
  if (!reply || blocks.some(block => !block.executed)) {
    return null;
  }
  const end = Math.max(reply.t, ...blocks.map(block => block.executed?.t ?? 0));
  return end - (messages.length ? (asked.at(-1)?.t ?? 0) : reply.t - reply.seconds);
}

export function delta(left: Figures, right: Figures): Delta {
  return {
    tokens: right.usage.tokens - left.usage.tokens,
    cost: less(right.cost, left.cost),
    seconds: less(right.seconds, left.seconds)
  };
}

/** In a row: what is known. */
export function figuresTold({ usage, seconds: took }: Figures): string {
  return [took === null ? '' : seconds(took), tokens(usage), cost(usage)].filter(Boolean).join(' · ');
}

/** In a row: what is known and not nothing. */
export function deltaTold(of: Delta, words: Words): string {
  return [
    of.tokens ? tokenDelta(of, words) : '',
    of.cost !== null && Math.abs(of.cost) >= NO_COST ? costDelta(of, words) : '',
    of.seconds !== null && Math.abs(of.seconds) >= NO_TIME ? timeDelta(of, words) : ''
  ]
    .filter(Boolean)
    .join(' · ');
}

/** `+1,204 tokens`. */
export function tokenDelta({ tokens: by }: Delta, words: Words): string {
  const many = Math.abs(by);
  return words._n('%2%3 token', '%2%3 tokens', many, sign(by), thousands(many));
}

/** `−$0.0010`, or that it is not known. */
export function costDelta({ cost: by }: Delta, words: Words): string {
  if (by === null) {
    return words.__('unknown');
  }
  return Math.abs(by) < NO_COST ? '±$0.0000' : sign(by) + priced(Math.abs(by));
}

/** `+0.20 s`, or that it is not known. */
export function timeDelta({ seconds: by }: Delta, words: Words): string {
  if (by === null) {
    return words.__('unknown');
  }
  return Math.abs(by) < NO_TIME ? '±0.00 s' : sign(by) + seconds(Math.abs(by));
}

/** The tokens, also where there are none. */
export function tokensTold({ usage }: Figures, words: Words): string {
  return tokens(usage) || words.__('no tokens');
}

/** The cost, also where it is nothing or not known. */
export function costTold(of: Figures, words: Words): string {
  return of.cost === null ? words.__('unknown') : cost(of.usage) || '$0.0000';
}

function priced(dollars: number): string {
  const usage = { requests: 1, inputTokens: 0, outputTokens: 0, cachedTokens: 0, estimated: false };
  return cost({ ...usage, cost: dollars });
}

function less(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one - other;
}

function sign(by: number): string {
  return by > 0 ? '+' : by < 0 ? '−' : '±';
}
