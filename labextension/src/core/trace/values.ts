/** The values that events are made of, read from JSON of a stranger. Each throws `DecodeError`. */

import { choice, fields, flag, list, number, optional, optionalNumber, optionalText, text } from './read';
import type {
  BatchPlace,
  ContextCard,
  Divergence,
  ErrorInfo,
  Message,
  Origin,
  Original,
  RichOutput,
  Site,
  Usage,
  Variable,
  VariableChanges
} from './wire';

const ROLES = ['system', 'user', 'assistant'] as const;
const DERIVED = ['replay', 'fork', 'rerun', 'resume'] as const;

export function message(value: unknown): Message {
  const from = fields(value, 'a message');
  return { role: choice(from, 'role', ROLES), content: text(from, 'content') };
}

export function usage(value: unknown): Usage {
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

export function errorInfo(value: unknown): ErrorInfo {
  const from = fields(value, 'error');
  return { type: text(from, 'type'), message: text(from, 'message'), traceback: text(from, 'traceback', '') };
}

export function contextCard(value: unknown): ContextCard {
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

export function batchPlace(value: unknown): BatchPlace {
  const from = fields(value, 'batch');
  return { id: text(from, 'id'), index: number(from, 'index'), size: number(from, 'size') };
}

export function site(value: unknown): Site {
  const from = fields(value, 'site');
  return {
    block: number(from, 'block'),
    line: number(from, 'line'),
    code: text(from, 'code', ''),
    lane: text(from, 'lane', '')
  };
}

export function divergence(value: unknown): Divergence {
  const from = fields(value, 'a divergence');
  return { what: text(from, 'what'), recorded: text(from, 'recorded'), found: text(from, 'found') };
}

function original(value: unknown): Original {
  const from = fields(value, 'the original');
  return {
    prompt: text(from, 'prompt'),
    model: text(from, 'model'),
    answer: optionalText(from, 'answer'),
    usage: usage(from['usage'] ?? {}),
    seconds: optionalNumber(from, 'seconds'),
    error: optional(from, 'error', errorInfo)
  };
}

export function origin(value: unknown): Origin {
  const from = fields(value, 'the origin');
  return {
    kind: choice(from, 'kind', DERIVED),
    run: text(from, 'run'),
    at: text(from, 'at', ''),
    edit: fields(from['edit'] ?? {}, 'the edit'),
    original: optional(from, 'original', original)
  };
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

export function variableChanges(value: unknown): VariableChanges {
  const from = fields(value, 'variables');
  return {
    added: list(from, 'added', []).map(variable),
    changed: list(from, 'changed', []).map(variable),
    removed: list(from, 'removed', []).map((name, at) => text({ name }, 'name', `removed ${String(at)}`))
  };
}

export function richOutput(value: unknown): RichOutput {
  const data = fields(fields(value, 'an output')['data'], "an output's data");
  return { data: Object.fromEntries(Object.keys(data).map(mime => [mime, text(data, mime)])) };
}
