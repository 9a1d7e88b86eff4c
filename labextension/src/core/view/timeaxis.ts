/** The ticks of the timeline: their labels above the rows and their lines behind them. */

import { tickLabel, ticks } from '../model/axis';
import type { Span } from '../model/axis';
import type { Words } from '../words';
import { h, setAttribute } from './dom';

/** Pixels that a tick's label needs. */
const ROOM = 84;
const USUAL_TICKS = 8;

export class TimeAxis {
  /** The header of the column of bars. */
  readonly head = h('div', { class: 'rlm-tl-axis', attrs: { role: 'columnheader' } });
  /** To be put behind the rows. */
  readonly lines: HTMLElement;
  private readonly marks = h('div', { class: 'rlm-tl-marks' });
  private shown = '';

  constructor(private readonly words: Words) {
    this.lines = h('div', { class: 'rlm-tl-lines', attrs: { 'aria-hidden': 'true' } }, h('div'), this.marks);
  }

  /** Draws the ticks of a window of the axis. */
  update(window: Span): void {
    const width = this.head.clientWidth;
    const { at, step } = ticks(window, width ? Math.max(2, Math.floor(width / ROOM)) : USUAL_TICKS);
    const labels = at.map(each => tickLabel(each, step, window.end));
    const lefts = at.map(each => ((each - window.start) / (window.end - window.start)) * 100);
    const shown = JSON.stringify([labels, lefts]);
    if (shown === this.shown) {
      return;
    }
    this.shown = shown;
    setAttribute(
      this.head,
      'aria-label',
      this.words.__('Time, from %1 to %2', labels[0] ?? '', labels.at(-1) ?? '')
    );
    this.head.replaceChildren(...lefts.map((left, each) => label(labels[each] ?? '', left)));
    this.marks.replaceChildren(...lefts.map(line));
  }
}

function label(text: string, left: number): HTMLElement {
  const node = h('span', { class: 'rlm-tl-tick', attrs: { 'aria-hidden': 'true' } }, text);
  node.style.left = `${left.toFixed(3)}%`;
  // The first and the last would stand beyond the axis.
  node.dataset['side'] = left < 3 ? 'start' : left > 97 ? 'end' : 'middle';
  return node;
}

function line(left: number): HTMLElement {
  const node = h('div', { class: 'rlm-tl-line' });
  node.style.left = `${left.toFixed(3)}%`;
  return node;
}
