import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isDifferent, wordDiff } from '../../src/core/model/worddiff';
import type { Piece } from '../../src/core/model/worddiff';

function told(pieces: readonly Piece[]): string {
  const sign = { same: '', removed: '-', added: '+' };
  return pieces.map(({ kind, text }) => (kind === 'same' ? text : `[${sign[kind]}${text}]`)).join('');
}

function side(pieces: readonly Piece[], kind: 'removed' | 'added'): string {
  return pieces
    .filter(piece => piece.kind === 'same' || piece.kind === kind)
    .map(piece => piece.text)
    .join('');
}

const words = fc.array(fc.constantFrom('a', 'b', 'paper', ' ', ' ', '\n', '.', '数', 'é', '😀'), {
  maxLength: 60
});
const texts = fc.oneof(
  words.map(parts => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 80 })
);

describe('a word diff', () => {
  test.each([
    ['Papers 1 and 3 disagree.', 'Papers 1 and 4 disagree.', 'Papers 1 and [-3][+4] disagree.'],
    ['the same', 'the same', 'the same'],
    ['', 'new', '[+new]'],
    ['old', '', '[-old]'],
    ['one two three', 'one zwei drei', 'one [-two three][+zwei drei]'],
    ['a\nb\nc\n', 'a\nx\nc\n', 'a\n[-b][+x]\nc\n'],
    ['数学が好き', '数字が好き', '数[-学][+字]が好き']
  ])('%j to %j', (before, after, expected) => {
    expect(told(wordDiff(before, after))).toBe(expected);
  });

  test('gives both texts back, whatever they are, and no two pieces of a kind together', () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const pieces = wordDiff(before, after);
        expect(side(pieces, 'removed')).toBe(before);
        expect(side(pieces, 'added')).toBe(after);
        expect(pieces.every((piece, at) => piece.text !== '' && piece.kind !== pieces[at - 1]?.kind)).toBe(
          true
        );
      }),
      { numRuns: 500 }
    );
  });

  test('a new word among others leaves all of them as they were', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'paper', '数', '😀'), { maxLength: 40 }),
        fc.nat(),
        (all, place) => {
          const at = place % (all.length + 1);
          const pieces = wordDiff(all.join(' '), [...all.slice(0, at), 'new', ...all.slice(at)].join(' '));
          const told = (kind: Piece['kind']) =>
            pieces.flatMap(piece => (piece.kind === kind ? [piece.text.trim()] : [])).join('');
          expect([told('removed'), told('added')]).toEqual(['', 'new']);
        }
      )
    );
  });

  test('of white space alone is no difference', () => {
    expect(isDifferent(wordDiff('a b', 'a  b'))).toBe(false);
    expect(isDifferent(wordDiff('a b', 'a c'))).toBe(true);
  });

  test('takes no square of the length: hundreds of kilobytes that have nothing in common', () => {
    const before = Array.from({ length: 60_000 }, (_, at) => `a${String(at)}`).join(' ');
    const after = Array.from({ length: 60_000 }, (_, at) => `b${String(at)}`).join(' ');
    const begun = performance.now();
    const pieces = wordDiff(before, after);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(pieces.map(piece => piece.kind)).toContain('removed');
  });

  test('megabytes are told by what they begin and end with, and no character is split', () => {
    const [head, tail] = ['😀 '.repeat(400_000), ' 😁'.repeat(400_000)];
    const pieces = wordDiff(`${head}😀${tail}`, `${head}😁${tail}`);
    expect(pieces.map(({ kind, text }) => [kind, text.length])).toEqual([
      ['same', head.length],
      ['removed', 2],
      ['added', 2],
      ['same', tail.length]
    ]);
  });

  test('and in long texts finds the few words that changed', () => {
    const lines = Array.from(
      { length: 5_000 },
      (_, at) => `Line ${String(at)} says what line ${String(at)} says.`
    );
    const after = lines.map((line, at) => (at % 100 === 7 ? line.replace('says what', 'told what') : line));
    const pieces = wordDiff(lines.join('\n'), after.join('\n'));
    expect(pieces.filter(piece => piece.kind === 'added').map(piece => piece.text)).toEqual(
      Array.from({ length: 50 }, () => 'told')
    );
  });
});
