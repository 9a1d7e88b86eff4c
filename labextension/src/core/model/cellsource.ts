/**
 * The cell that does what a button does: `%rlm fork papers-1 0.3 --hint 'Look again.'`, or `%%rlm … --code` with a
 * longer text below. IPython and the shell's rules of words read it back as what was meant.
 */

import type { Derived } from '../trace/wire';
import { LIMITS, TEXTS } from './edit';
import type { Edit, EditText } from './edit';

/** What a line can hold without a quote. */
const PLAIN = /^[\w./:@+=-]+$/;
/** What a person would rather read below the line than in it; IPython gives braces and dollars a meaning there. */
const SHORT = /^[^\\{}$\p{C}\p{Zl}\p{Zp}]{1,100}$/u;

/** The source of the cell. `at` is the step, empty for the whole run. */
export function cellSource(kind: Derived, run: string, at: string, edit: Edit): string {
  const body = bodyOf(edit);
  const words = [
    'rlm',
    kind,
    word(run),
    ...(at ? [word(at)] : []),
    ...TEXTS.flatMap(name => (name === body ? [] : option(name, edit[name]))),
    ...option('model', edit.model),
    ...(edit.temperature === undefined ? [] : ['--temperature', String(edit.temperature)]),
    ...(edit.n === undefined ? [] : ['-n', String(edit.n)]),
    ...LIMITS.flatMap(name => {
      const most = edit.limits?.[name];
      return most === undefined ? [] : [`--${name.replace('_', '-')}`, String(most)];
    }),
    ...(edit.block === undefined ? [] : ['--block', String(edit.block)]),
    // Last, so that no other word is taken for its text.
    ...(body ? [`--${body}`] : [])
  ].join(' ');
  return body ? `%%${words}\n${edit[body] ?? ''}` : `%${words}`;
}

/** The source of the cell that puts two runs side by side. */
export function diffSource(left: string, right: string): string {
  return `%rlm diff ${word(left)} ${word(right)}`;
}

// Code and replies always have a cell of their own to be read and edited in.
function bodyOf(edit: Edit): EditText | null {
  return (
    TEXTS.find(name => {
      const text = edit[name];
      return text !== undefined && (name === 'code' || name === 'reply' || !SHORT.test(text));
    }) ?? null
  );
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`--${name}`, word(value)];
}

/** One word of the line: quoted where it must be, braces doubled and dollars apart from what follows them. */
export function word(text: string): string {
  if (PLAIN.test(text)) {
    return text;
  }
  const quoted: Readonly<Record<string, string>> = { "'": `'"'"'`, $: "$''", '{': '{{', '}': '}}' };
  return `'${text.replace(/['${}]/g, sign => quoted[sign] ?? sign)}'`;
}
