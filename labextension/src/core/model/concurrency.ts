/** How many things went on at the same time: one sweep over their beginnings and ends. */

import type { Span } from './axis';

/** The most that went on at once, in each of equally long columns. A span holds its start, and not its end. */
export interface Profile {
  readonly levels: readonly number[];
  /** The most of all, and when it was first reached. */
  readonly most: number;
  readonly at: number;
}

/** A stretch in which about the same number went on. */
export interface Bar extends Span {
  readonly level: number;
}

/** The profile of spans over a window, in that many columns. */
export function profile(spans: readonly Span[], window: Span, columns: number): Profile {
  return sweep(edges(spans), window, columns);
}

interface Edges {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

function edges(spans: readonly Span[]): Edges {
  const starts = new Float64Array(spans.length);
  const ends = new Float64Array(spans.length);
  let count = 0;
  for (const span of spans) {
    if (span.end > span.start) {
      starts[count] = span.start;
      ends[count] = span.end;
      count += 1;
    }
  }
  return { starts: starts.subarray(0, count).sort(), ends: ends.subarray(0, count).sort() };
}

function sweep({ starts, ends }: Edges, { start, end }: Span, columns: number): Profile {
  const levels: number[] = [];
  const width = (end - start) / columns;
  let [begun, ended, most, at] = [0, 0, 0, start];
  const note = (moment: number) => {
    if (begun - ended > most) {
      most = begun - ended;
      at = moment;
    }
    return begun - ended;
  };
  for (let column = 0; column < columns; column += 1) {
    const from = start + column * width;
    const to = column === columns - 1 ? end : start + (column + 1) * width;
    while (begun < starts.length && (starts[begun] ?? 0) <= from) {
      begun += 1;
    }
    while (ended < ends.length && (ends[ended] ?? 0) <= from) {
      ended += 1;
    }
    let level = note(from);
    while (begun < starts.length && (starts[begun] ?? 0) < to) {
      const moment = starts[begun] ?? 0;
      begun += 1;
      while (ended < ends.length && (ends[ended] ?? 0) <= moment) {
        ended += 1;
      }
      level = Math.max(level, note(moment));
    }
    levels.push(level);
  }
  return { levels, most, at };
}

/** Spans as bars, with the most that went on at once and when that was first. */
export interface Merged {
  readonly bars: readonly Bar[];
  readonly most: number;
  readonly at: number;
}

/**
 * The spans as at most `columns` bars: they cover every span, and leave out every gap longer than two columns. The
 * first begins and the last ends exactly where the spans do.
 */
export function merged(spans: readonly Span[], window: Span, columns: number): Merged {
  const { levels, most, at } = profile(spans, window, columns);
  let [first, last] = [Infinity, -Infinity];
  for (const span of spans) {
    first = Math.min(first, span.start);
    last = Math.max(last, span.end);
  }
  const width = (window.end - window.start) / columns;
  const bars: Bar[] = [];
  levels.forEach((level, column) => {
    if (!level) {
      return;
    }
    const start = Math.max(first, window.start + column * width);
    const end = Math.min(last, column === columns - 1 ? window.end : window.start + (column + 1) * width);
    const before = bars.at(-1);
    if (before?.level === level && before.end >= start) {
      bars[bars.length - 1] = { ...before, end };
    } else {
      bars.push({ start, end, level });
    }
  });
  return { bars, most, at };
}
