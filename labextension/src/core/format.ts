/** The words every view uses for a call: figures and labels, as `rlm_kernel/views/summary.py` spells them. */

import type { Total } from './trace/total';
import type { Mode, Status } from './trace/wire';
import type { Words } from './words';

/** A sign for each status; the word always stands beside it. */
export const MARKS: Readonly<Record<Status, string>> = {
  running: '○',
  finished: '✓',
  failed: '✗',
  exhausted: '⚠',
  interrupted: '■',
  'cut off': '✂'
};

const NUMBER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A number with thousands separated. */
export function thousands(value: number): string {
  return NUMBER.format(value);
}

/** A number in few characters: `950`, `12.3k`, `1.2M`. */
export function brief(value: number): string {
  if (value < 999.5) {
    return String(Math.round(value));
  }
  return value < 999_950 ? `${scaled(value / 1000)}k` : `${scaled(value / 1_000_000)}M`;
}

function scaled(value: number): string {
  return value < 99.95 ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0);
}

/** A duration as a person says it: `0.31 s`, `2 min 5 s`. */
export function seconds(value: number): string {
  if (value < 60) {
    return value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(0)} s`;
  }
  return `${String(Math.floor(value / 60))} min ${String(Math.floor(value % 60))} s`;
}

/** A duration that still grows: with one decimal, so that it can be read. */
export function ticking(value: number): string {
  return value < 60 ? `${Math.max(0, value).toFixed(1)} s` : seconds(value);
}

/** US dollars; empty where the cost is unknown, and never a zero for that. */
export function dollars(cost: number | null): string {
  if (cost === null) {
    return '';
  }
  return cost > 0 && cost < 0.00005 ? '<$0.0001' : `$${cost.toFixed(cost < 1 ? 4 : 2)}`;
}

/** Tokens in and out; empty when nothing was asked. */
export function tokens(usage: Total): string {
  if (!usage.requests) {
    return '';
  }
  return `${usage.estimated ? '≈' : ''}${brief(usage.inputTokens)} → ${brief(usage.outputTokens)}`;
}

/** A status as a person reads it. */
export function statusWord(status: Status, words: Words): string {
  switch (status) {
    case 'running':
      return words.__('running');
    case 'finished':
      return words.__('finished');
    case 'failed':
      return words.__('failed');
    case 'exhausted':
      return words.__('exhausted');
    case 'interrupted':
      return words.__('interrupted');
    case 'cut off':
      return words.__('cut off');
  }
}

/** What a person must know about where replies came from; empty for a live model. */
export function modeLabel(mode: Mode, words: Words): string {
  switch (mode) {
    case 'live':
      return '';
    case 'scripted':
      return words.__("scripted replies, not a model's");
    case 'demo':
      return words.__('demo rules, not a language model');
    case 'human':
      return words.__("a person's replies");
    case 'replayed':
      return words.__('replayed from a trace');
  }
}
