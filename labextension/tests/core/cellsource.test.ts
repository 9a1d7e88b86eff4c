import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { cellSource, diffSource, word } from '../../src/core/model/cellsource';
import type { Edit } from '../../src/core/model/edit';
import type { Derived } from '../../src/core/trace/wire';

test.each<[Derived, string, Edit, string]>([
  ['replay', '', {}, '%rlm replay papers-1'],
  [
    'resume',
    '',
    { limits: { max_turns: 30, max_seconds: 60 } },
    '%rlm resume papers-1 --max-turns 30 --max-seconds 60'
  ],
  ['fork', '0.3', { hint: 'Look at 2020.' }, "%rlm fork papers-1 0.3 --hint 'Look at 2020.'"],
  ['fork', '0.3', { hint: "it's" }, `%rlm fork papers-1 0.3 --hint 'it'"'"'s'`],
  ['fork', '0.3', { hint: 'two\nlines' }, '%%rlm fork papers-1 0.3 --hint\ntwo\nlines'],
  ['fork', '0.3', { hint: 'f"{x}" costs $5' }, '%%rlm fork papers-1 0.3 --hint\nf"{x}" costs $5'],
  ['fork', '0.3', { code: 'print(1)', block: 2 }, '%%rlm fork papers-1 0.3 --block 2 --code\nprint(1)'],
  ['fork', '0.3', { model: 'big', reply: 'No.' }, '%%rlm fork papers-1 0.3 --model big --reply\nNo.'],
  [
    'rerun',
    '0.3.2',
    { prompt: 'Sum up.\nAll.', model: 'org/big model', temperature: 0.5, n: 3 },
    "%%rlm rerun papers-1 0.3.2 --model 'org/big model' --temperature 0.5 -n 3 --prompt\nSum up.\nAll."
  ]
])('%s %s %j', (kind, at, edit, source) => {
  expect(cellSource(kind, 'papers-1', at, edit)).toBe(source);
});

describe('IPython reads back what was meant', () => {
  const texts = fc.oneof(
    fc
      .array(fc.constantFrom("'", '"', '$', '{', '}', '$x', '{x}', '$$', '{{', '}}', ' ', 'a', '\\', '-'), {
        minLength: 1,
        maxLength: 12
      })
      .map(parts => parts.join('')),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  );

  test('in the words of the line', () => {
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        fc.pre(![one, other].some(text => /[\n\r]/.test(text)));
        const line = `fork ${word(one)} ${word(other)}`;
        expect(shellWords(expanded(line))).toEqual(['fork', one, other]);
      }),
      { numRuns: 1000 }
    );
  });

  test('in the body below it, whatever else the line says', () => {
    fc.assert(
      fc.property(fc.constantFrom('hint', 'code', 'reply', 'prompt'), texts, texts, (name, text, model) => {
        fc.pre(!/[\n\r]/.test(model));
        const source = cellSource('fork', 'papers-1', '0.3', { [name]: text, model });
        const [line = '', ...body] = source.split('\n');
        const words = shellWords(expanded(line.replace(/^%+rlm /, '')));
        expect(words.slice(0, 3)).toEqual(['fork', 'papers-1', '0.3']);
        expect(words[words.indexOf('--model') + 1]).toBe(model);
        const told = line.startsWith('%%') ? body.join('\n') : words[words.indexOf(`--${name}`) + 1];
        expect(told).toBe(text);
        expect(line.startsWith('%%') ? words.at(-1) : `--${name}`).toBe(`--${name}`);
      }),
      { numRuns: 1000 }
    );
  });
});

/** IPython's `var_expand`: `{…}` and `$name` are looked up, and a line that cannot be is left as it is. */
function expanded(line: string): string {
  let out = '';
  for (let at = 0; at < line.length; at += 1) {
    const two = line.slice(at, at + 2);
    if (two === '{{' || two === '}}') {
      out += line[at] ?? '';
      at += 1;
    } else if (line[at] === '{' || line[at] === '}') {
      throw new Error('a variable would be looked up');
    } else if (line[at] === '$' && /[\w.$]/.test(line[at + 1] ?? '')) {
      throw new Error('a variable would be looked up');
    } else {
      out += line[at] ?? '';
    }
  }
  return out;
}

/** Python's `shlex.split`. */
function shellWords(line: string): string[] {
  const words: string[] = [];
  let [current, quote, begun]: [string, string, boolean] = ['', '', false];
  for (let at = 0; at < line.length; at += 1) {
    const sign = line[at] ?? '';
    if (quote === "'" && sign !== "'") {
      current += sign;
    } else if (quote && sign === quote) {
      quote = '';
    } else if (sign === '\\') {
      at += 1;
      current += line[at] ?? '';
    } else if (quote) {
      current += sign;
    } else if (sign === "'" || sign === '"') {
      [quote, begun] = [sign, true];
    } else if (/[ \t\r\n]/.test(sign)) {
      if (current || begun) {
        words.push(current);
      }
      [current, begun] = ['', false];
    } else {
      current += sign;
    }
  }
  if (quote) {
    throw new Error('a quote has no end');
  }
  return current || begun ? [...words, current] : words;
}

test.each([
  ['papers-1', 'papers-2', '%rlm diff papers-1 papers-2'],
  ['a b', '$x', `%rlm diff 'a b' '$''x'`]
])('two runs side by side: %s and %s', (left, right, source) => {
  expect(diffSource(left, right)).toBe(source);
});
