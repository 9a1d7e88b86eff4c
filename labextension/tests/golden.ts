/// <reference types="node" />
/** The golden traces that pytest reads too, and what their trees come to. */

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../tests/trace/golden/', import.meta.url));
const SUFFIX = '.rlm.jsonl';

/** One call as `tests/trace/make_golden.py` writes it. */
export interface GoldenCall {
  readonly id: string;
  readonly parent: string | null;
  readonly status: string;
  readonly model: string;
  readonly title: string;
  readonly answer: string | null;
  readonly start: number;
  readonly end: number | null;
  readonly retries: number;
  readonly calls: number;
  readonly failed: number;
  readonly usage: {
    readonly requests: number;
    readonly input_tokens: number;
    readonly output_tokens: number;
    readonly cached_tokens: number;
    readonly cost: number | null;
    readonly estimated: boolean;
  };
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly turns: readonly {
    readonly number: number;
    readonly messages: number;
    readonly reply: string | null;
    readonly code: string;
    readonly blocks: readonly {
      readonly number: number;
      readonly shown: string | null;
      readonly groups: readonly (readonly string[])[];
    }[];
  }[];
}

export const NAMES: string[] = readdirSync(FOLDER)
  .filter(name => name.endsWith(SUFFIX))
  .map(name => name.slice(0, -SUFFIX.length));

/** The file of a golden trace. */
export function goldenFile(name: string): string {
  return readFileSync(`${FOLDER}${name}${SUFFIX}`, 'utf-8');
}

/** The tree of a golden trace. */
export function goldenTree(name: string): readonly GoldenCall[] {
  return JSON.parse(readFileSync(`${FOLDER}${name}.tree.json`, 'utf-8')) as readonly GoldenCall[];
}
