/** `Edit`: what is changed at a step before a run goes on from there, by the names of Python's options. */

import { firstLine } from '../text';
import { isFields } from '../trace/read';
import type { Derived, Fields, Origin } from '../trace/wire';
import type { Words } from '../words';

export const TEXTS = ['hint', 'code', 'reply', 'prompt'] as const;
export type EditText = (typeof TEXTS)[number];

export const LIMITS = ['max_turns', 'max_calls', 'max_tokens', 'max_seconds'] as const;
export type Limit = (typeof LIMITS)[number];

export interface Edit {
  readonly hint?: string;
  readonly code?: string;
  readonly reply?: string;
  readonly prompt?: string;
  /** The block that `code` is for; the first without. */
  readonly block?: number;
  readonly model?: string;
  readonly temperature?: number;
  /** How many samples. */
  readonly n?: number;
  readonly limits?: Readonly<Partial<Record<Limit, number>>>;
}

const QUOTED = 60;

/** What of a record is an edit. */
export function readEdit(from: Fields): Edit {
  const texts = [...TEXTS, 'model' as const].filter(name => typeof from[name] === 'string');
  const numbers = (['block', 'temperature', 'n'] as const).filter(name => typeof from[name] === 'number');
  const limits = from['limits'];
  return {
    ...Object.fromEntries([...texts, ...numbers].map(name => [name, from[name]])),
    ...(isFields(limits) ? { limits: readLimits(limits) } : {})
  };
}

function readLimits(from: Fields): Partial<Record<Limit, number>> {
  return Object.fromEntries(
    LIMITS.filter(name => typeof from[name] === 'number').map(name => [name, from[name]])
  );
}

/** What was changed, in a few words: `hint “Look at 2020.”, model big`; empty where nothing was. */
export function editTold(edit: Edit, words: Words): string {
  const { limits = {}, temperature } = edit;
  return [
    ...TEXTS.flatMap(name => {
      const text = edit[name];
      return text === undefined ? [] : [textTold(name, text, edit, words)];
    }),
    edit.model === undefined ? '' : words.__('model %1', firstLine(edit.model, QUOTED)),
    temperature === undefined ? '' : words.__('temperature %1', temperature),
    ...LIMITS.flatMap(name => {
      const most = limits[name];
      return most === undefined ? [] : [words.__('%1 %2', name, most)];
    })
  ]
    .filter(Boolean)
    .join(', ');
}

function textTold(name: EditText, text: string, { block }: Edit, words: Words): string {
  const told = firstLine(text, QUOTED);
  switch (name) {
    case 'hint':
      return words.__('hint “%1”', told);
    case 'code':
      return block === undefined
        ? words.__('other code “%1”', told)
        : words.__('other code in block %1 “%2”', block, told);
    case 'reply':
      return words.__('other reply “%1”', told);
    case 'prompt':
      return words.__('other prompt “%1”', told);
  }
}

/** How a run was made from another one, whose name stands where `run` does. */
export function originTold({ kind, at }: Origin, run: string, words: Words): string {
  const step = firstLine(at, QUOTED);
  switch (kind) {
    case 'replay':
      return words.__('Replay of %1', run);
    case 'fork':
      return step ? words.__('Fork of %1 at %2', run, step) : words.__('Fork of %1', run);
    case 'rerun':
      return step ? words.__('Rerun of %2 of %1', run, step) : words.__('Rerun of %1', run);
    case 'resume':
      return words.__('Resumed from %1', run);
  }
}

/** The same beside the run that it was made from. */
export function derivedTold(kind: Derived, at: string, words: Words): string {
  switch (kind) {
    case 'replay':
      return words.__('Replay');
    case 'rerun':
      return at ? words.__('Rerun of %1', at) : words.__('Rerun');
    case 'fork':
      return at ? words.__('Fork at %1', at) : words.__('Fork');
    case 'resume':
      return words.__('Resumed');
  }
}

/** Names what was changed at which step: two runs with the same are samples of one thing. */
export function sampleKey({ kind, at, edit }: Origin): string {
  return JSON.stringify([
    kind,
    at,
    Object.entries(edit)
      .filter(([name]) => name !== 'n')
      .sort()
  ]);
}
