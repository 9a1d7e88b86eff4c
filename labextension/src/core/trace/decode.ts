/** From JSON of a stranger to checked values. A missing field is at its default, as `rlm_kernel/trace/codec.py` leaves it out. */

import type {
  BatchPlace,
  Bundle,
  ContextCard,
  ErrorInfo,
  Fields,
  Message,
  RichOutput,
  Site,
  TraceEvent,
  Usage,
  Variable,
  VariableChanges
} from './wire';

/** The newest trace format that is read here. */
export const FORMAT = 1;

const KINDS = ['rlm', 'llm'] as const;
const STATUSES = ['running', 'finished', 'failed', 'exhausted', 'interrupted', 'cut off'] as const;
const MODES = ['live', 'scripted', 'demo', 'human', 'replayed'] as const;
const ROLES = ['system', 'user', 'assistant'] as const;

/** The data is not a trace that can be read here; `newer` when only a later version can. */
export class DecodeError extends Error {
  constructor(
    message: string,
    readonly newer = false
  ) {
    super(message);
    this.name = 'DecodeError';
  }
}

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
        settings: fields(from['settings'] ?? {}, 'settings'),
        context: optional(from, 'context', contextCard),
        parentRun: optionalText(from, 'parent_run')
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
        messages: list(from, 'messages').map(message)
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
        error: optional(from, 'error', errorInfo)
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
        seconds: number(from, 'seconds', 0)
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

/** Whether it is a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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

function fields(value: unknown, name: string): Fields {
  if (!isFields(value)) {
    throw new DecodeError(`${name} is ${kindOf(value)}, not an object`);
  }
  return value;
}

function text(from: Fields, name: string, fallback?: string): string {
  const value = from[name] ?? fallback;
  if (typeof value !== 'string') {
    throw new DecodeError(`${name} is ${kindOf(value)}, not a text`);
  }
  return value;
}

function optionalText(from: Fields, name: string): string | null {
  return from[name] === undefined || from[name] === null ? null : text(from, name);
}

function number(from: Fields, name: string, fallback?: number): number {
  const value = from[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new DecodeError(`${name} is ${kindOf(value)}, not a number`);
  }
  return value;
}

function optionalNumber(from: Fields, name: string): number | null {
  return from[name] === undefined || from[name] === null ? null : number(from, name);
}

function flag(from: Fields, name: string): boolean {
  const value = from[name] ?? false;
  if (typeof value !== 'boolean') {
    throw new DecodeError(`${name} is ${kindOf(value)}, not true or false`);
  }
  return value;
}

function list(from: Fields, name: string, fallback?: readonly unknown[]): readonly unknown[] {
  const value = from[name] ?? fallback;
  if (!Array.isArray(value)) {
    throw new DecodeError(`${name} is ${kindOf(value)}, not a list`);
  }
  return value;
}

function choice<T extends string>(from: Fields, name: string, allowed: readonly T[]): T {
  const value = text(from, name);
  const found = allowed.find(each => each === value);
  if (found === undefined) {
    throw new DecodeError(`${name} is none of ${allowed.join(', ')}`);
  }
  return found;
}

function optional<T>(from: Fields, name: string, read: (value: unknown) => T): T | null {
  const value = from[name];
  return value === undefined || value === null ? null : read(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) {
    return 'missing';
  }
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function message(value: unknown): Message {
  const from = fields(value, 'a message');
  return { role: choice(from, 'role', ROLES), content: text(from, 'content') };
}

function usage(value: unknown): Usage {
  const from = fields(value, 'usage');
  return {
    requests: number(from, 'requests', 0),
    inputTokens: number(from, 'input_tokens', 0),
    outputTokens: number(from, 'output_tokens', 0),
    cachedTokens: number(from, 'cached_tokens', 0),
    cost: optionalNumber(from, 'cost'),
    estimated: flag(from, 'estimated')
  };
}

function errorInfo(value: unknown): ErrorInfo {
  const from = fields(value, 'error');
  return { type: text(from, 'type'), message: text(from, 'message'), traceback: text(from, 'traceback', '') };
}

function contextCard(value: unknown): ContextCard {
  const from = fields(value, 'context');
  return {
    name: text(from, 'name'),
    type: text(from, 'type'),
    length: optionalNumber(from, 'length'),
    chars: optionalNumber(from, 'chars'),
    schema: text(from, 'schema', ''),
    preview: text(from, 'preview', ''),
    hash: text(from, 'hash', '')
  };
}

function batchPlace(value: unknown): BatchPlace {
  const from = fields(value, 'batch');
  return { id: text(from, 'id'), index: number(from, 'index'), size: number(from, 'size') };
}

function site(value: unknown): Site {
  const from = fields(value, 'site');
  return { block: number(from, 'block'), line: number(from, 'line'), code: text(from, 'code', '') };
}

function variable(value: unknown): Variable {
  const from = fields(value, 'a variable');
  return {
    name: text(from, 'name'),
    type: text(from, 'type'),
    size: text(from, 'size', ''),
    preview: text(from, 'preview', '')
  };
}

function variableChanges(value: unknown): VariableChanges {
  const from = fields(value, 'variables');
  return {
    added: list(from, 'added', []).map(variable),
    changed: list(from, 'changed', []).map(variable),
    removed: list(from, 'removed', []).map((name, at) => text({ name }, 'name', `removed ${String(at)}`))
  };
}

function richOutput(value: unknown): RichOutput {
  const data = fields(fields(value, 'an output')['data'], "an output's data");
  return { data: Object.fromEntries(Object.keys(data).map(mime => [mime, text(data, mime)])) };
}
