/** From JSON of a stranger to checked values. A missing field is at its default, as `rlm_kernel/trace/codec.py` leaves it out. */

import { DecodeError, choice, fields, flag, list, number, optional, optionalText, text } from './read';
import {
  batchPlace,
  contextCard,
  divergence,
  errorInfo,
  message,
  origin,
  richOutput,
  site,
  usage,
  variableChanges
} from './values';
import type { Bundle, Fields, TraceEvent } from './wire';

/** The newest trace format that is read here. */
export const FORMAT = 1;

const KINDS = ['rlm', 'llm'] as const;
const STATUSES = ['running', 'finished', 'failed', 'exhausted', 'interrupted', 'cut off'] as const;
const MODES = ['live', 'scripted', 'demo', 'human', 'replayed'] as const;
const DECISIONS = ['', 'edited', 'skipped'] as const;

/** The bundle in an output's data. Throws `DecodeError`. */
export function decodeBundle(data: unknown): Bundle {
  const from = fields(data, 'the bundle');
  checkFormat(from);
  const events = decodeEvents(list(from, 'events'));
  const first = events[0];
  return {
    run: text(from, 'run', first?.type === 'run_started' ? first.runId : ''),
    live: flag(from, 'live'),
    events,
    path: text(from, 'path', ''),
    warning: text(from, 'warning', ''),
    cutTexts: number(from, 'cut_texts', 0),
    omittedCalls: number(from, 'omitted_calls', 0)
  };
}

/** The events that are known here, in order; one of a later version is left out. Throws `DecodeError`. */
export function decodeEvents(items: readonly unknown[]): TraceEvent[] {
  const events: TraceEvent[] = [];
  items.forEach((item, at) => {
    try {
      const event = decodeEvent(item);
      if (event) {
        events.push(event);
      }
    } catch (error) {
      throw error instanceof DecodeError
        ? new DecodeError(`event ${String(at + 1)}: ${error.message}`, error.newer)
        : error;
    }
  });
  return events;
}

/** The event, or null for a kind that is not known here. Throws `DecodeError`. */
export function decodeEvent(data: unknown): TraceEvent | null {
  const from = fields(data, 'an event');
  checkFormat(from);
  const base = {
    seq: number(from, 'seq', -1),
    t: number(from, 't', 0),
    cut: number(from, 'cut', 0),
    source: from
  };
  const type = text(from, 'type');
  switch (type) {
    case 'run_started':
      return {
        type,
        ...base,
        runId: text(from, 'run_id'),
        query: text(from, 'query'),
        started: text(from, 'started'),
        version: text(from, 'version'),
        mode: choice(from, 'mode', MODES),
        isolation: text(from, 'isolation'),
        isolationWhy: text(from, 'isolation_why', ''),
        settings: fields(from['settings'] ?? {}, 'settings'),
        context: optional(from, 'context', contextCard),
        origin: optional(from, 'origin', origin)
      };
    case 'call_started':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        kind: choice(from, 'kind', KINDS),
        depth: number(from, 'depth'),
        model: text(from, 'model'),
        prompt: text(from, 'prompt'),
        context: optional(from, 'context', contextCard),
        batch: optional(from, 'batch', batchPlace),
        site: optional(from, 'site', site),
        depthCapped: flag(from, 'depth_capped')
      };
    case 'model_asked':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        turn: number(from, 'turn'),
        messages: list(from, 'messages').map(message),
        last: text(from, 'last', '')
      };
    case 'model_replied':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        turn: number(from, 'turn'),
        text: text(from, 'text'),
        model: text(from, 'model'),
        mode: choice(from, 'mode', MODES),
        seconds: number(from, 'seconds'),
        requestHash: text(from, 'request_hash'),
        usage: usage(from['usage'] ?? {}),
        retries: number(from, 'retries', 0),
        finishReason: text(from, 'finish_reason', ''),
        reasoning: text(from, 'reasoning', ''),
        error: optional(from, 'error', errorInfo),
        firstMode: optional(from, 'first_mode', () => choice(from, 'first_mode', MODES))
      };
    case 'block_held':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        turn: number(from, 'turn'),
        block: number(from, 'block'),
        code: text(from, 'code')
      };
    case 'code_executed':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        turn: number(from, 'turn'),
        block: number(from, 'block'),
        code: text(from, 'code'),
        stdout: text(from, 'stdout', ''),
        stderr: text(from, 'stderr', ''),
        stdoutChars: number(from, 'stdout_chars', 0),
        shown: text(from, 'shown', ''),
        error: optional(from, 'error', errorInfo),
        variables: variableChanges(from['variables'] ?? {}),
        outputs: list(from, 'outputs', []).map(richOutput),
        seconds: number(from, 'seconds', 0),
        decision: choice(from, 'decision', DECISIONS, ''),
        divergences: list(from, 'divergences', []).map(divergence)
      };
    case 'run_paused':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        turn: number(from, 'turn'),
        error: errorInfo(from['error']),
        retryAt: number(from, 'retry_at'),
        until: number(from, 'until'),
        tries: number(from, 'tries', 0)
      };
    case 'run_continued':
      return {
        type,
        ...base,
        callId: text(from, 'call_id', ''),
        seconds: number(from, 'seconds')
      };
    case 'call_finished':
      return {
        type,
        ...base,
        callId: text(from, 'call_id'),
        status: choice(from, 'status', STATUSES),
        answer: optionalText(from, 'answer'),
        how: text(from, 'how', ''),
        error: optional(from, 'error', errorInfo)
      };
    case 'run_finished':
      return {
        type,
        ...base,
        status: choice(from, 'status', STATUSES),
        answer: optionalText(from, 'answer'),
        error: optional(from, 'error', errorInfo)
      };
    default:
      return null;
  }
}

function checkFormat(from: Fields): void {
  const format = number(from, 'format', FORMAT);
  if (format > FORMAT) {
    throw new DecodeError(
      `trace format ${String(format)} is newer than this viewer, which reads up to ${String(FORMAT)}`,
      true
    );
  }
}
