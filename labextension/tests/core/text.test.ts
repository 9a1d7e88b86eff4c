import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { brief, dollars, seconds, ticking } from '../../src/core/format';
import { firstLine, plain, shorten, visible } from '../../src/core/text';

describe('text as it is shown', () => {
  test.each([
    ['plain', 'plain'],
    ['a\tb\nc', 'a\tb\nc'],
    ['a\u202eb', 'a\\u202eb'],
    ['a\u200bb', 'a\\u200bb'],
    ['\u001b[31m', '\\u001b[31m'],
    ['lone \ud800 surrogate', 'lone \\ud800 surrogate'],
    ['pair 😀', 'pair 😀'],
    ['tag \u{e0041}', 'tag \\U000e0041'],
    ['line\u2028end', 'line\\u2028end']
  ])('%j reads %j', (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test('nothing hidden is left, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(visible(text)).not.toMatch(/[\p{Cs}\p{Zl}\p{Zp}\u200b-\u200f\u202a-\u202e\u2066-\u2069]/u);
        expect(visible(visible(text))).toBe(visible(text));
      })
    );
  });

  test('colour codes of a terminal are taken out, other controls are spelt', () => {
    expect(plain('\u001b[1;31mred\u001b[0m\r\nbell\u0007')).toBe('red\nbell\\u0007');
  });

  test('the first line that says something', () => {
    expect(firstLine('\n---\n```repl\n  Rate this  \nmore')).toBe('Rate this');
    expect(firstLine('x'.repeat(200), 10)).toBe(`${'x'.repeat(9)}…`);
    expect(firstLine('')).toBe('');
    expect(firstLine('---\n***')).toBe('---');
    expect(firstLine('😀😀😀😀', 3)).toBe('😀😀…');
    expect(firstLine('x'.repeat(10_000_000), 20).length).toBe(20);
  });

  test('a pair of surrogates is never cut in two', () => {
    expect(shorten('😀😀😀', 4)).toBe('😀…');
  });
});

describe('figures', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1k'],
    [12_345, '12.3k'],
    [123_456, '123k'],
    [999_949, '1000k'],
    [1_250_000, '1.3M']
  ])('%d is %s', (value, text) => {
    expect(brief(value)).toBe(text);
  });

  test('durations and money', () => {
    expect([seconds(0.314), seconds(31.4), seconds(125)]).toEqual(['0.31 s', '31 s', '2 min 5 s']);
    expect([ticking(3.14), ticking(-1)]).toEqual(['3.1 s', '0.0 s']);
    expect([dollars(null), dollars(0), dollars(0.00001), dollars(0.25), dollars(12.5)]).toEqual([
      ...['', '$0.0000', '<$0.0001', '$0.2500', '$12.50']
    ]);
  });
});
