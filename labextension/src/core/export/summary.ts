/**
 * The words of `rlm_kernel/views/summary.py`, character by character: what is exported here is what the kernel would
 * write. So they are in English whatever language JupyterLab is in, and count characters as Python does.
 */

import { MARKS, thousands } from '../format';
import { SPACE, strip } from '../text';
import type { Call, Turn } from '../trace/call';
import type { Total } from '../trace/total';
import type { ErrorInfo, Usage } from '../trace/wire';
import { REPLAYED, isReplayed } from './sources';

const BEFORE = new RegExp(`^${SPACE}+`);
const FENCE = /^(?:```|~~~)/;
const TRIES = 20;

/** The reply of the turn without the blocks that ran, which are shown by themselves. */
export function said(turn: Turn): string {
  let text = (turn.reply?.text ?? '').replaceAll('\r\n', '\n');
  for (const block of turn.blocks) {
    const code = (block.executed?.code ?? '').replace(/^\n+/, '').replace(/\n+$/, '');
    const found = fencedPlace(text, code);
    if (!found) {
      return text;
    }
    text = text.slice(0, found[0]) + text.slice(found[1]);
  }
  return strip(text);
}

/** A duration as a person says it: `0.31 s`, `2 min 5 s`. */
export function seconds(value: number): string {
  if (value < 60) {
    return `${fixed(value, value < 10 ? 2 : 0)} s`;
  }
  return `${String(Math.floor(value / 60))} min ${String(Math.floor(value % 60))} s`;
}

/** Tokens in and out; empty when nothing was asked. */
export function tokens(usage: Usage | Total): string {
  if (!usage.requests) {
    return '';
  }
  const about = usage.estimated ? 'about ' : '';
  return `${about}${thousands(usage.inputTokens)} → ${thousands(usage.outputTokens)} tokens`;
}

/** The cost in dollars where it is known; nothing where it is not, nor for a reply of a record. */
export function cost(usage: Usage | Total): string {
  if (usage.cost === null || !usage.requests) {
    return '';
  }
  return usage.cost > 0 && usage.cost < 0.00005 ? 'under $0.0001' : `$${fixed(usage.cost, 4)}`;
}

/** `1 call`, `1,204 calls`. */
export function count(number: number, noun: string): string {
  return `${thousands(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** The figures of a call: status, time, calls below it, tokens, cost, retries, failures inside. */
export function facts(call: Call): string[] {
  const { below } = call;
  return [
    `${MARKS[call.status]} ${call.status}`,
    isReplayed(call) ? `${REPLAYED} replayed` : '',
    call.seconds === null ? '' : seconds(call.seconds),
    below.calls ? count(below.calls, 'sub-call') : '',
    tokens(below.usage),
    cost(below.usage),
    call.retries ? `retried ${String(call.retries)}×` : '',
    call.started.depthCapped ? 'rlm_query at the depth limit: a plain request' : '',
    below.failed ? `${thousands(below.failed)} failed inside` : ''
  ].filter(Boolean);
}

/** How the calls of a batch stand: `18 finished, 2 failed`, and how many come from a record. */
export function batchFacts(batch: readonly Call[]): string {
  const replayed = batch.filter(isReplayed).length;
  return [
    ...Object.keys(MARKS)
      .map(status => ({ status, number: batch.filter(call => call.status === status).length }))
      .filter(({ number }) => number > 0)
      .map(({ status, number }) => `${thousands(number)} ${status}`),
    ...(replayed ? [`${REPLAYED} ${thousands(replayed)} replayed`] : [])
  ].join(', ');
}

/** An error in a line. */
export function errorText(error: ErrorInfo): string {
  return error.message ? `${error.type}: ${error.message}` : error.type;
}

/** Text in HTML, as Python's `html.escape` writes it. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#x27;');
}

function fencedPlace(text: string, code: string): readonly [number, number] | null {
  let at = code ? text.indexOf(code) : -1;
  for (let tries = 0; tries < TRIES && at >= 0; tries += 1) {
    const before = text.slice(0, at).replace(/\n+$/, '');
    const after = text.slice(at + code.length).replace(/^\n+/, '');
    const start = before.lastIndexOf('\n') + 1;
    const [closing = ''] = after.split('\n', 1);
    if (FENCE.test(before.slice(start).replace(BEFORE, '')) && FENCE.test(closing.replace(BEFORE, ''))) {
      return [start, text.length - after.length + closing.length + 1];
    }
    at = text.indexOf(code, at + 1);
  }
  return null;
}

// Python rounds a number that lies exactly between two to the even one; `toFixed` to the larger.
function fixed(value: number, digits: number): string {
  const twice = value * 2 ** (digits + 1);
  if (!Number.isInteger(twice) || twice % 2 === 0) {
    return value.toFixed(digits);
  }
  const low = Math.floor(value * 10 ** digits);
  return ((low % 2 ? low + 1 : low) / 10 ** digits).toFixed(digits);
}
