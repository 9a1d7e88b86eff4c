/** The axis of time: where its ticks are, how a moment is written, and the part of it that is looked at. */

/** A stretch of time in seconds since the run began; `start <= end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
// Above a minute people count in parts of minutes, hours and days, not in tens.
const LONG_STEPS = [
  10,
  15,
  30,
  ...[1, 2, 5, 10, 15, 30].map(minutes => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map(hours => hours * HOUR),
  DAY
];

/** The smallest round step that divides that many seconds into at most `most` parts. */
export function niceStep(seconds: number, most: number): number {
  const least = Math.max(seconds / Math.max(1, most), 1e-6);
  if (least > 5) {
    return LONG_STEPS.find(step => step >= least) ?? Math.ceil(least / DAY) * DAY;
  }
  const power = 10 ** Math.floor(Math.log10(least));
  // The logarithm of a power of ten may come out a little too small or too large.
  return [1, 2, 5, 10, 20].map(times => times * power).find(step => step >= least * (1 - 1e-9)) ?? 20 * power;
}

/** The round moments within a span, at most about `most`. */
export function ticks({ start, end }: Span, most: number): { at: readonly number[]; step: number } {
  const step = niceStep(end - start, most);
  const at: number[] = [];
  for (let count = Math.ceil(start / step - 1e-9); count * step <= end + step * 1e-9; count += 1) {
    at.push(count * step);
  }
  return { at, step };
}

/** A tick's label, as exact as its step needs: `0.5 s`, `12 s`, `1:30`, `2:00:00`. */
export function tickLabel(at: number, step: number, end: number): string {
  if (end > 90 && step >= 1) {
    return clock(at, 0, end >= HOUR);
  }
  const decimals = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
  return `${at.toFixed(decimals)} s`;
}

/** A moment of the run, to the millisecond. */
export function moment(at: number): string {
  return at < 90 ? `${at.toFixed(3)} s` : clock(at, 3, at >= HOUR);
}

function clock(at: number, decimals: number, hours: boolean): string {
  const scale = 10 ** decimals;
  const whole = Math.round(at * scale) / scale;
  const seconds = (whole % MINUTE).toFixed(decimals).padStart(decimals ? decimals + 3 : 2, '0');
  const minutes = Math.floor(whole / MINUTE) % MINUTE;
  return hours
    ? `${String(Math.floor(whole / HOUR))}:${String(minutes).padStart(2, '0')}:${seconds}`
    : `${String(Math.floor(whole / MINUTE))}:${seconds}`;
}

/** How far the axis goes: to the end of a run, or a round step ahead of one that goes on, so that its bars grow. */
export function axisEnd(now: number, live: boolean): number {
  const least = Math.max(now, 0.001);
  if (!live) {
    return least;
  }
  const step = niceStep(least, 8);
  return Math.ceil((least + step * 0.25) / step) * step;
}

/** The least that can be looked at of an axis of that length. */
export function leastShown(total: number): number {
  return total / 2000;
}

/** That window brought within the axis, no smaller than can be looked at. */
export function within({ start, end }: Span, total: number): Span {
  const length = Math.min(total, Math.max(leastShown(total), Math.abs(end - start)));
  const first = Math.min(Math.max(0, Math.min(start, end)), total - length);
  return { start: first, end: Math.min(total, first + length) };
}

/** The window moved along the axis, as far as the axis goes; it keeps its length. */
export function moved({ start, end }: Span, by: number, total: number): Span {
  return within({ start: start + by, end: end + by }, total);
}

/** The window with one of its edges put elsewhere; the other stays. */
export function resized(window: Span, edge: 'start' | 'end', to: number, total: number): Span {
  const least = leastShown(total);
  return edge === 'start'
    ? { start: Math.max(0, Math.min(to, window.end - least)), end: window.end }
    : { start: window.start, end: Math.min(total, Math.max(to, window.start + least)) };
}

/** The window made `factor` times as long around a moment that stays where it is. */
export function scaled(window: Span, factor: number, around: number, total: number): Span {
  const start = around - (around - window.start) * factor;
  return within({ start, end: start + (window.end - window.start) * factor }, total);
}
