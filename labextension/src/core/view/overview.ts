/** The strip above the timeline: how much went on at once over the whole run, and the part of it that is shown. */

import { thousands } from '../format';
import { moment } from '../model/axis';
import type { Span } from '../model/axis';
import { merged } from '../model/concurrency';
import type { RunStore } from '../model/store';
import { load, slots } from '../model/timeline';
import type { Tree } from '../trace/tree';
import type { Words } from '../words';
import { Area } from './area';
import { Brush } from './brush';
import { h, setAttribute, setText } from './dom';
import { Patience } from './patience';

const COLUMNS = 200;

export class Overview {
  readonly node: HTMLElement;
  private readonly area = new Area('rlm-tl-area', ['rlm-tl-calls', 'rlm-tl-requests']);
  private readonly brush: Brush;
  private readonly strip: HTMLElement;
  private readonly peak = h('span', { class: 'rlm-tl-peak' });
  private readonly peakAt = h('span', { class: 'rlm-tl-peak-at' });
  private counted: unknown = null;
  private total = 0;
  private readonly patience = new Patience();
  private readonly flag = h('span', { class: 'rlm-tl-flag', attrs: { 'aria-hidden': 'true' } });

  constructor(
    private readonly words: Words,
    zoom: (window: Span | null) => void
  ) {
    this.brush = new Brush(words, zoom);
    this.strip = h(
      'div',
      { class: 'rlm-tl-strip', attrs: { role: 'group' } },
      this.area.node,
      this.flag,
      this.brush.node
    );
    this.node = h(
      'div',
      { class: 'rlm-tl-overview' },
      h('div', { class: 'rlm-tl-peaks' }, this.peak, this.peakAt),
      this.strip
    );
  }

  /** Shows a run and the part of its time that is looked at. `changed` is another one when its calls are. */
  update(store: RunStore, changed: unknown, total: number, window: Span | null): void {
    this.brush.update(total, window);
    const running = store.tree.root?.status === 'running';
    if (changed === this.counted && !running && total === this.total) {
      return;
    }
    if (!store.live) {
      this.patience.lose();
    }
    this.patience.spend(() => {
      this.counted = changed;
      this.total = total;
      this.count(store.tree, store.now, total);
    });
  }

  private count(tree: Tree, now: number, total: number): void {
    const { words } = this;
    const all = { start: 0, end: total };
    const spans = load(tree.calls.values(), now);
    const calls = merged(spans.calls, all, COLUMNS);
    const requests = merged(spans.requests, all, COLUMNS);
    const most = slots(tree);
    const capped = requests.bars.map(bar => ({ ...bar, level: Math.min(bar.level, most) }));
    this.area.draw([calls.bars, capped], all, calls.most);
    const told = words._n(
      'at most %2 call at once',
      'at most %2 calls at once',
      calls.most,
      thousands(calls.most)
    );
    const asked = thousands(Math.min(requests.most, most));
    const which = words.__('first at %1, up to %2 at the model', moment(calls.at), asked);
    setText(this.peak, told);
    setText(this.peakAt, which);
    setAttribute(this.strip, 'aria-label', words.__('Calls under way over time: %1, %2', told, which));
    this.flag.style.left = `${((calls.at / total) * 100).toFixed(2)}%`;
    this.flag.hidden = calls.most === 0;
  }
}
