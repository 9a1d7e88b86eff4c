/** The line above the timeline: what its shades mean, and the exact times of the selected bar. */

import { MARKS, statusWord } from '../format';
import { moment } from '../model/axis';
import type { Span } from '../model/axis';
import { laneSpan } from '../model/timeline';
import type { Lane, Phase } from '../model/timeline';
import type { Words } from '../words';
import { button, h, setText } from './dom';
import { phaseWord, spanText } from './bar';

const PHASES: readonly Phase[] = ['waiting', 'model', 'code'];

export class TimeCaption {
  readonly node: HTMLElement;
  private readonly times = h('span', { class: 'rlm-tl-times' });
  private readonly zoomed = h('span', { class: 'rlm-tl-zoomed' });
  private readonly reset: HTMLButtonElement;

  constructor(
    private readonly words: Words,
    reset: () => void
  ) {
    this.reset = button(words.__('Show all'), { class: 'rlm-tl-reset', on: { click: reset } });
    const keys = PHASES.map(phase =>
      legend(h('span', { class: 'rlm-tl-seg', attrs: { 'data-phase': phase } }), phaseWord(phase, words))
    );
    const under = legend(h('span', { class: 'rlm-tl-under' }), words.__('calls not at the model'));
    const sign = h('span', { class: 'rlm-tl-sign' }, MARKS.failed);
    this.node = h(
      'div',
      { class: 'rlm-tl-caption' },
      ...keys,
      under,
      legend(sign, statusWord('failed', words)),
      this.times,
      this.zoomed,
      this.reset
    );
  }

  /** Tells of the selected row, and of the part of the axis that is shown where it is not all. */
  update(lane: Lane | undefined, zoom: Span | null, now: number): void {
    const { words } = this;
    const id = lane?.item.kind === 'call' ? lane.item.call.id : words.__('batch');
    setText(this.times, lane ? `${id}: ${spanText(laneSpan(lane.item, now), words)}` : '');
    const shown = zoom ? words.__('Zoomed: %1 to %2', moment(zoom.start), moment(zoom.end)) : '';
    setText(this.zoomed, shown);
    this.zoomed.hidden = this.reset.hidden = zoom === null;
  }
}

function legend(sample: HTMLElement, word: string): HTMLElement {
  sample.setAttribute('aria-hidden', 'true');
  return h('span', { class: 'rlm-tl-legend' }, sample, word);
}
