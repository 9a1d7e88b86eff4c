import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

import { fenced, span } from '../../src/core/export/markdown';
import { toNotebook } from '../../src/core/export/notebook';
import { cost, seconds } from '../../src/core/export/summary';
import { firstLine } from '../../src/core/text';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { readTrace } from '../../src/core/trace/file';
import { NAMES, goldenFile } from '../golden';
import { threeTurns } from './story';

const FOLDER = fileURLToPath(new URL('../../../tests/trace/golden/', import.meta.url));

function notebookOf(events: readonly unknown[], more: Record<string, unknown> = {}): string {
  const bundle = decodeBundle({ run: 'papers-1', events, ...more });
  return toNotebook(RunStore.fromBundle(bundle));
}

test.each(NAMES)('the notebook of %s is the one that Python makes, to the byte', name => {
  const store = RunStore.fromBundle(readTrace(goldenFile(name)));

  expect(toNotebook(store)).toBe(readFileSync(`${FOLDER}${name}.ipynb`, 'utf-8'));
});

test('what is missing here is said', () => {
  const text = notebookOf(threeTurns().events, { cut_texts: 1, omitted_calls: 1200, warning: 'torn' });

  expect(text).toContain('**Note** `torn`');
  expect(text).toContain('**Note** 1 long text shortened here; the trace has them in full.');
  expect(text).toContain('**Note** 1,200 calls not here; the trace has them all.');
});

test('a run that has not begun is a notebook too', () => {
  expect(JSON.parse(notebookOf([]))).toMatchObject({ cells: [{ id: 'run' }, { id: 'answer' }], nbformat: 4 });
});

describe('the words are those of Python', () => {
  test('a warning about where the code ran', () => {
    const [first, ...rest] = threeTurns().events;
    const warning = /\*\*⚠ (.*?)\*\*/.exec(notebookOf([{ ...first, isolation: 'inline' }, ...rest]))?.[1];
    const python = fileURLToPath(new URL('../../../rlm_kernel/views/isolation.py', import.meta.url));
    expect(warning).toBeDefined();
    expect(readFileSync(python, 'utf-8')).toContain(`UNPROTECTED = "${warning ?? ''}"`);
  });

  // Each was asked of Python: f"{value:.2f}" and the like.
  test.each([
    [0.125, '0.12 s'],
    [0.375, '0.38 s'],
    [1.145, '1.15 s'],
    [12.5, '12 s'],
    [13.5, '14 s'],
    [125, '2 min 5 s']
  ])('%d seconds', (value, told) => {
    expect(seconds(value)).toBe(told);
  });

  test('a cost on the border between two', () => {
    const usage = { requests: 1, inputTokens: 1, outputTokens: 1, cachedTokens: 0, estimated: false };

    expect(cost({ ...usage, cost: 0.03125 })).toBe('$0.0312');
    expect(cost({ ...usage, cost: 0.00001 })).toBe('under $0.0001');
    expect(cost({ ...usage, cost: null })).toBe('');
  });

  test.each([
    ['\n---\n ``` \n told \nmore', 'told'],
    ['\x1f\u3000told\x85more', 'told'],
    ['\ufefftold', '\\ufefftold'],
    ['---', '---'],
    ['🧪'.repeat(90), '🧪'.repeat(90)],
    ['🧪'.repeat(91), `${'🧪'.repeat(89)}…`]
  ])('the first line of %j', (text, told) => {
    expect(firstLine(text)).toBe(told);
  });
});

test('a text in a notebook stays a text', () => {
  expect(fenced('a\n````\n<b>\n')).toBe('`````text\na\n````\n<b>\n`````');
  expect(span('a `` b')).toBe('```a `` b```');
  expect(span('`a\nb')).toBe('`` `a b ``');
  expect(span('\n')).toBe('—');
});
