/** JSON of a stranger, field by field. A missing field is at its default where it has one. */

import type { Fields } from './wire';

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

/** Whether it is a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fields(value: unknown, name: string): Fields {
  if (!isFields(value)) {
    throw new DecodeError(`${name} is ${kindOf(value)}, not an object`);
  }
  return value;
}

export function text(from: Fields, name: string, fallback?: string): string {
  const value = from[name] ?? fallback;
  if (typeof value !== 'string') {
    throw new DecodeError(`${name} is ${kindOf(value)}, not a text`);
  }
  return value;
}

export function optionalText(from: Fields, name: string): string | null {
  return from[name] === undefined || from[name] === null ? null : text(from, name);
}

export function number(from: Fields, name: string, fallback?: number): number {
  const value = from[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new DecodeError(`${name} is ${kindOf(value)}, not a number`);
  }
  return value;
}

export function optionalNumber(from: Fields, name: string): number | null {
  return from[name] === undefined || from[name] === null ? null : number(from, name);
}

export function flag(from: Fields, name: string): boolean {
  const value = from[name] ?? false;
  if (typeof value !== 'boolean') {
    throw new DecodeError(`${name} is ${kindOf(value)}, not true or false`);
  }
  return value;
}

export function list(from: Fields, name: string, fallback?: readonly unknown[]): readonly unknown[] {
  const value = from[name] ?? fallback;
  if (!Array.isArray(value)) {
    throw new DecodeError(`${name} is ${kindOf(value)}, not a list`);
  }
  return value;
}

export function choice<T extends string>(from: Fields, name: string, allowed: readonly T[], fallback?: T): T {
  const value = text(from, name, fallback);
  const found = allowed.find(each => each === value);
  if (found === undefined) {
    throw new DecodeError(`${name} is none of ${allowed.join(', ')}`);
  }
  return found;
}

export function optional<T>(from: Fields, name: string, read: (value: unknown) => T): T | null {
  const value = from[name];
  return value === undefined || value === null ? null : read(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) {
    return 'missing';
  }
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
