import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  axisEnd,
  leastShown,
  moment,
  moved,
  niceStep,
  resized,
  scaled,
  tickLabel,
  ticks,
  within
} from '../../src/core/model/axis';

describe('ticks', () => {
  test('are round, within the window and not too many', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e5, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        (start, length, most) => {
          const { at, step } = ticks({ start, end: start + length }, most);
          expect(at.length).toBeLessThanOrEqual(most + 1);
          for (const each of at) {
            expect(each).toBeGreaterThanOrEqual(start - step * 1e-6);
            expect(each).toBeLessThanOrEqual(start + length + step * 1e-6);
            expect(Math.abs(each / step - Math.round(each / step))).toBeLessThan(1e-6);
          }
        }
      )
    );
  });

  test.each([
    [12, 8, 2],
    [0.05, 8, 0.01],
    [33, 8, 5],
    [90, 8, 15],
    [600, 8, 120],
    [7200, 8, 900]
  ])('%d seconds in %d parts are steps of %d', (seconds, most, step) => {
    expect(niceStep(seconds, most)).toBeCloseTo(step, 9);
  });

  test.each([
    [0.5, 0.5, 3, '0.5 s'],
    [12, 2, 20, '12 s'],
    [90, 30, 300, '1:30'],
    [3600, 900, 7200, '1:00:00'],
    [59.9999, 30, 120, '1:00']
  ])('%d is written %s', (at, step, end, label) => {
    expect(tickLabel(at, step, end)).toBe(label);
  });

  test.each([
    [1.2, '1.200 s'],
    [119.9996, '2:00.000'],
    [3661.5, '1:01:01.500']
  ])('the moment %d is %s', (at, text) => {
    expect(moment(at)).toBe(text);
  });
});

describe('the axis of a run', () => {
  test('ends with a run that has ended, and a round step ahead of one that goes on', () => {
    expect(axisEnd(31.8, false)).toBe(31.8);
    expect(axisEnd(31.8, true)).toBe(35);
    expect(axisEnd(34.5, true)).toBe(40);
    expect(axisEnd(0, false)).toBeGreaterThan(0);
  });

  const total = fc.double({ min: 0.01, max: 1e4, noNaN: true });
  const share = fc.double({ min: -2, max: 3, noNaN: true });

  test('a window stays on it however it is drawn, moved, resized and scaled', () => {
    fc.assert(
      fc.property(
        total,
        share,
        share,
        share,
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        (all, a, b, c, times) => {
          const first = within({ start: a * all, end: b * all }, all);
          const made = [
            first,
            moved(first, c * all, all),
            resized(first, 'start', c * all, all),
            resized(first, 'end', c * all, all),
            scaled(first, times, c * all, all)
          ];
          for (const { start, end } of made) {
            expect(start).toBeGreaterThanOrEqual(0);
            expect(end).toBeLessThanOrEqual(all);
            expect(end - start).toBeGreaterThanOrEqual(leastShown(all) * (1 - 1e-6));
          }
        }
      )
    );
  });

  test('moving keeps its length, and resizing keeps the other edge', () => {
    const seen = { start: 2, end: 5 };

    expect(moved(seen, 100, 10)).toEqual({ start: 7, end: 10 });
    expect(resized(seen, 'start', 4.5, 10)).toEqual({ start: 4.5, end: 5 });
    expect(resized(seen, 'end', -3, 10).start).toBe(2);
  });

  test('scaling leaves the moment it goes around where it is', () => {
    expect(scaled({ start: 0, end: 10 }, 0.5, 4, 10)).toEqual({ start: 2, end: 7 });
  });
});
