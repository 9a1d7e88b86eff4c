/** What the bars of calls and of batches in the timeline have in common. */

import { MARKS, seconds, thousands, ticking } from '../format';
import { moment } from '../model/axis';
import type { Span } from '../model/axis';
import type { Phase } from '../model/timeline';
import type { Status } from '../trace/wire';
import type { Words } from '../words';
import { h, setAttribute } from './dom';

/** What part of the axis is drawn, and when now is. */
export interface Frame {
  readonly window: Span;
  readonly now: number;
  readonly live: boolean;
  /** How many requests may be under way at once. */
  readonly slots: number;
  /** Another one when something in the run is different. */
  readonly changed: unknown;
}

/** A phase as a person reads it. */
export function phaseWord(phase: Phase, words: Words): string {
  switch (phase) {
    case 'waiting':
      return words.__('waiting for a slot');
    case 'model':
      return words.__('model');
    case 'code':
      return words.__('code');
  }
}

/** `1.200 s to 3.400 s (2.20 s)`. */
export function spanText({ start, end }: Span, words: Words): string {
  return words.__('%1 to %2 (%3)', moment(start), moment(end), seconds(end - start));
}

/** Where a span is in the window, in percent of its width. */
export function placeOf({ start, end }: Span, window: Span): { left: number; width: number } {
  const share = (at: number) =>
    Math.min(100, Math.max(0, ((at - window.start) / (window.end - window.start)) * 100));
  return { left: share(start), width: share(end) - share(start) };
}

/** Puts an element there. */
export function stretch(node: HTMLElement, { left, width }: { left: number; width: number }): void {
  node.style.left = `${left.toFixed(3)}%`;
  node.style.width = `${width.toFixed(3)}%`;
}

/** Says what a bar shows to those who point at it; the text is for the cell, for those who do not see it. */
export function name(cell: HTMLElement, label: string): HTMLElement {
  setAttribute(cell, 'title', label);
  return h('span', { class: 'rlm-unseen' }, label);
}

/** How long it took and how it ended: beside the bar where there is room, else at its end. */
export function note(span: Span, window: Span, status: Status, failed = 0): HTMLElement {
  const took = span.end - span.start;
  const sign = status === 'finished' ? '' : `${MARKS[status]} ${failed ? `${thousands(failed)} · ` : ''}`;
  const text = `${sign}${status === 'running' ? ticking(took) : seconds(took)}`;
  // The cell's text for those who do not see it says this too, and more.
  const node = h('span', { class: 'rlm-tl-note', attrs: { 'data-status': status, 'aria-hidden': 'true' } });
  const { left, width } = placeOf(span, window);
  if (span.end < window.start) {
    node.append(`◂ ${text}`);
    node.style.left = '0';
  } else if (span.start > window.end) {
    node.append(`${text} ▸`);
    node.style.right = '0';
  } else {
    node.append(text);
    beside(node, left, left + width);
  }
  return node;
}

function beside(node: HTMLElement, left: number, right: number): void {
  if (right <= 84) {
    node.style.left = `${right.toFixed(3)}%`;
  } else if (left >= 16) {
    node.style.right = `${(100 - left).toFixed(3)}%`;
  } else {
    node.style.right = '0';
    node.dataset['inside'] = '';
  }
}
