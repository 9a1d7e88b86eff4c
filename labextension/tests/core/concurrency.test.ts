import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Span } from '../../src/core/model/axis';
import { merged, profile } from '../../src/core/model/concurrency';

const time = fc.integer({ min: 0, max: 1000 }).map(n => n / 8);
const span = fc.tuple(time, time).map(([a, b]): Span => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const spans = fc.array(span, { maxLength: 60 });
const columns = fc.integer({ min: 1, max: 50 });
const window = span.filter(({ start, end }) => end - start >= 1);

// A span holds its start and not its end, so the count can only change at a start.
function underWay(all: readonly Span[], at: number): number {
  return all.filter(each => each.start <= at && at < each.end).length;
}

describe('profile', () => {
  test('is the most that brute force finds in each column', () => {
    fc.assert(
      fc.property(spans, window, columns, (all, seen, count) => {
        const { levels } = profile(all, seen, count);
        const width = (seen.end - seen.start) / count;
        levels.forEach((level, column) => {
          const from = seen.start + column * width;
          const to = column === count - 1 ? seen.end : seen.start + (column + 1) * width;
          const moments = [from, ...all.map(each => each.start).filter(start => start >= from && start < to)];
          expect(level).toBe(Math.max(...moments.map(at => underWay(all, at))));
        });
        expect(levels).toHaveLength(count);
      })
    );
  });

  test('names its peak and a moment when it is there', () => {
    fc.assert(
      fc.property(spans, columns, (all, count) => {
        const { levels, most, at } = profile(all, { start: 0, end: 126 }, count);
        expect(most).toBe(Math.max(...levels));
        expect(underWay(all, at)).toBe(most);
      })
    );
  });

  test('calls one after another are never two at once', () => {
    const all = [0, 1, 2, 3].map(start => ({ start, end: start + 1 }));

    expect(profile(all, { start: 0, end: 4 }, 7).most).toBe(1);
  });
});

describe('merged', () => {
  test('covers every span, begins and ends with them, and keeps every gap that can be seen', () => {
    fc.assert(
      fc.property(spans, columns, (drawn, count) => {
        const all = drawn.filter(each => each.end > each.start);
        const seen = { start: 0, end: 126 };
        const { bars } = merged(all, seen, count);
        const covered = (at: number) => bars.some(bar => bar.start <= at && at <= bar.end);
        const near = (seen.end / count) * 2;
        for (let at = 0; at < seen.end; at += 0.25) {
          if (underWay(all, at)) {
            expect(covered(at)).toBe(true);
          } else if (all.every(each => each.end < at - near || each.start > at + near)) {
            expect(covered(at)).toBe(false);
          }
        }
        expect(bars.length).toBeLessThanOrEqual(count);
        if (all.length) {
          expect(bars[0]?.start).toBe(Math.min(...all.map(each => each.start)));
          expect(bars.at(-1)?.end).toBe(Math.max(...all.map(each => each.end)));
        }
      })
    );
  });

  test('ten thousand calls are at most as many bars as there are columns', () => {
    const all = Array.from({ length: 10_000 }, (_, at) => ({ start: at / 128, end: at / 128 + 3 }));

    const { bars, most } = merged(all, { start: 0, end: 82 }, 120);

    expect(bars.length).toBeLessThanOrEqual(120);
    expect(most).toBe(384);
  });
});
