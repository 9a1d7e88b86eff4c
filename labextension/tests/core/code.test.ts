/* eslint-disable no-control-regex -- control characters are what must not be there */
/// <reference types="node" />
/** "Copy as code": whatever a text holds, the Python holds exactly that. */

import { execFileSync } from 'node:child_process';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isAsking, lookupCode, pythonLines, pythonText, requestCode } from '../../src/core/export/code';
import { findItem } from '../../src/core/model/rows';
import type { Item } from '../../src/core/model/rows';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { Story } from './story';

const NASTY = [
  'plain',
  '"""quotes""" \'\'\' and \\ at the end \\',
  'lines\nand\r\nmore\n\n',
  '\u0000\u0007\t\f\u007f\u0085\u2028\u2029',
  'bidi \u202e and zero\u200bwidth and a tag \u{e0041}',
  'lone \ud800 and \udc00, a pair 😀',
  '\\u202e \\N{BULLET} \\x41 {braces} %s #'
];

// Every kind of code unit, lone surrogates among them, and long runs of what must be escaped.
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\\', '"', "'", '\n', '\r', '\ud83d', '\ude00', '\u202e', 'a', 'u', '{'), {
      maxLength: 40
    })
    .map(parts => parts.join(''))
);

/** What the expressions are in Python, read without running anything. */
function inPython(expressions: readonly string[]): unknown {
  const program =
    'import ast, json, sys; print(json.dumps([ast.literal_eval(x) for x in json.load(sys.stdin)]))';
  return JSON.parse(
    execFileSync('python3', ['-c', program], { input: JSON.stringify(expressions), encoding: 'utf-8' })
  );
}

/** What a snippet would ask, by its syntax tree: the messages, and the keyword arguments of the one call. */
function asked(code: string): unknown {
  const program = `
import ast, json, sys
tree = ast.parse(sys.stdin.read())
assigned = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
options = {key.arg: key.value for key in assigned["reply"].keywords}
options["messages"] = assigned[options["messages"].id]
print(json.dumps({name: ast.literal_eval(value) for name, value in options.items()}))
`;
  return JSON.parse(execFileSync('python3', ['-c', program], { input: code, encoding: 'utf-8' }));
}

function itemOf(story: Story, key: string): Extract<Item, { kind: 'call' | 'turn' }> {
  const item = findItem(RunStore.fromBundle(decodeBundle(story.bundle())).tree, key);
  if (!item || !isAsking(item)) {
    throw new Error(`${key} asks nothing`);
  }
  return item;
}

describe('a text as Python', () => {
  test('the texts that break other ways of quoting are the same in Python', () => {
    expect(inPython(NASTY.flatMap(text => [pythonText(text), pythonLines(text)]))).toEqual(
      NASTY.flatMap(text => [text, text])
    );
  });

  test('any texts are the same in Python', () => {
    fc.assert(
      fc.property(fc.array(texts, { minLength: 50, maxLength: 200 }), many => {
        expect(inPython(many.flatMap(text => [pythonText(text), pythonLines(text)]))).toEqual(
          many.flatMap(text => [text, text])
        );
      }),
      { numRuns: 5 }
    );
  }, 30_000);

  test('holds nothing unseen, and no line end but its own', () => {
    fc.assert(
      fc.property(texts, text => {
        expect(pythonText(text)).not.toMatch(/[\u0000-\u001f\u200b\u202e\ud800-\udfff]/u);
      })
    );
  });

  test('lines are lines of code', () => {
    expect(pythonLines('one\ntwo', '')).toBe('(\n    "one\\n"\n    "two"\n)');
  });
});

describe('requestCode', () => {
  test('asks for a call what it asked', () => {
    const story = new Story('Q', { temperature: 0.5, max_output_tokens: 900 })
      .rlm('0')
      .llm('0.1.1', NASTY.join('\n'), { site: { block: 1, line: 1, code: '' } });
    const item = itemOf(story, '0.1.1');
    const run = RunStore.fromBundle(decodeBundle(story.bundle())).tree.run;
    const code = requestCode(item, { run, shortened: 0 });
    expect(asked(code)).toEqual({
      model: 'small',
      messages: [{ role: 'user', content: NASTY.join('\n') }],
      temperature: 0.5,
      max_completion_tokens: 900
    });
    expect(code).toContain('run["0.1.1"]');
    expect(code).not.toContain('shortened');
    expect(code).not.toContain('api_key');
  });

  test('asks for a turn all that its model saw', () => {
    const story = new Story()
      .rlm('0')
      .ask('0', 1, 'first')
      .reply('0', 1, 'I look')
      .ask('0', 2, 'second')
      .reply('0', 2, 'done');
    const code = requestCode(itemOf(story, '0@2'), { run: null, shortened: 2 });
    expect(asked(code)).toEqual({
      model: 'big',
      messages: [
        { role: 'user', content: 'first' },
        { role: 'assistant', content: 'I look' },
        { role: 'user', content: 'second' }
      ]
    });
    expect(code).toContain('# Some of these texts are shortened');
  });

  test('an rlm call as a whole is no request', () => {
    const { tree } = RunStore.fromBundle(decodeBundle(new Story().rlm('0').bundle()));
    const root = findItem(tree, '0');
    expect(root && isAsking(root)).toBe(false);
    expect(root && lookupCode(root)).toBe('run["0"]');
  });
});
