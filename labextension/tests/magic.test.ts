import { describe, expect, test } from 'vitest';

import { PROSE, cellMimeType, startsWithMagic } from '../src/core/magic';

describe('startsWithMagic', () => {
  test.each([
    '%%rlm',
    '%%rlm papers',
    "%%rlm papers -o run\nWhat's new?",
    '%%rlm\r\nWhat is new?',
    '%%rlm\tpapers',
    '\n\n%%rlm papers',
    '  %%rlm papers'
  ])('%j runs under the magic', source => {
    expect(startsWithMagic(source)).toBe(true);
  });

  test.each([
    '',
    '%rlm list',
    '%%rlm?',
    '%%rlmx papers',
    '%%timeit',
    '# %%rlm papers',
    'x = 1\n%%rlm papers',
    '%%time\n%%rlm papers'
  ])('%j does not', source => {
    expect(startsWithMagic(source)).toBe(false);
  });

  test('a long blank cell is judged at once', () => {
    expect(startsWithMagic(' '.repeat(1_000_000))).toBe(false);
  });
});

describe('cellMimeType', () => {
  const code = 'text/x-ipython';

  test('prose while the magic is there', () => {
    expect(cellMimeType({ source: '%%rlm papers', current: code, code })).toBe(PROSE);
    expect(cellMimeType({ source: '%%rlm papers', current: PROSE, code })).toBe(PROSE);
  });

  test.each(['%%rlm fork run 0.2 --code\nprint(1)', '%%rlm fork run 0.2 --block 2 --code -o f\nx = 1'])(
    '%j has code in its body',
    source => {
      expect(cellMimeType({ source, current: code, code })).toBe(code);
      expect(cellMimeType({ source, current: PROSE, code })).toBe(code);
    }
  );

  test.each([
    '%%rlm fork run 0.2 --hint\nLook at --code again',
    '%%rlm fork run 0.2 --code-of-conduct\nx',
    '%%rlm papers --code'
  ])('%j has a text', source => {
    expect(cellMimeType({ source, current: code, code })).toBe(PROSE);
  });

  test("the notebook's language once it has gone", () => {
    expect(cellMimeType({ source: 'papers', current: PROSE, code })).toBe(code);
  });

  test('a type set by another extension stays', () => {
    expect(cellMimeType({ source: '%%sql\nselect 1', current: 'text/x-sql', code })).toBe('text/x-sql');
  });
});
