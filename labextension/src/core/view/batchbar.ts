/** The bar of a batch in the timeline: how many of its calls were under way at once, and which failed. */

import { MARKS, thousands } from '../format';
import type { Span } from '../model/axis';
import { merged } from '../model/concurrency';
import { laneSpan, laneStatus, load } from '../model/timeline';
import type { LaneItem } from '../model/timeline';
import { isBad } from '../trace/call';
import type { Call } from '../trace/call';
import type { Words } from '../words';
import { Area } from './area';
import { name, note, spanText } from './bar';
import type { Frame } from './bar';
import { h } from './dom';
import { Patience } from './patience';

const COLUMNS = 120;
const SIGNS = 24;

type Batch = Extract<LaneItem, { kind: 'batch' }>;

/** What a cell was drawn from. */
interface Drawn {
  readonly area: Area;
  readonly patience: Patience;
  frame: Frame | null;
}

export class BatchBar {
  private readonly drawn = new WeakMap<HTMLElement, Drawn>();

  constructor(private readonly words: Words) {}

  /** Draws a batch into a cell. It may hold ten thousand calls, so they are looked through only when they must be. */
  draw(cell: HTMLElement, item: Batch, frame: Frame): void {
    const drawn = this.drawn.get(cell) ?? fresh();
    this.drawn.set(cell, drawn);
    const before = drawn.frame;
    const moved = before?.window.start !== frame.window.start || before.window.end !== frame.window.end;
    if (!moved && before.changed === frame.changed && (before.now === frame.now || !frame.live)) {
      return;
    }
    if (moved || !frame.live) {
      drawn.patience.lose();
    }
    drawn.patience.spend(() => {
      drawn.frame = frame;
      this.fill(cell, item, frame, drawn.area);
    });
  }

  private fill(cell: HTMLElement, item: Batch, { window, now, slots }: Frame, area: Area): void {
    const spans = load(item.calls, now);
    const under = merged(spans.calls, window, COLUMNS);
    const requests = merged(spans.requests, window, COLUMNS).bars;
    const span = laneSpan(item, now);
    const failed = item.calls.filter(call => isBad(call.status));
    const label = this.label(item.calls.length, span, merged(spans.calls, span, 1).most, failed.length);
    area.draw(
      [under.bars, requests.map(bar => ({ ...bar, level: Math.min(bar.level, slots) }))],
      window,
      under.most
    );
    cell.replaceChildren(
      name(cell, label),
      area.node,
      ...this.signs(failed, window, now),
      note(span, window, laneStatus(item), failed.length)
    );
  }

  // One sign for all failures that would stand in the same place.
  private signs(failed: readonly Call[], window: Span, now: number): HTMLElement[] {
    const places = new Map<number, { count: number; sum: number }>();
    for (const call of failed) {
      const share = ((call.end ?? now) - window.start) / (window.end - window.start);
      const place = Math.min(SIGNS - 1, Math.floor(share * SIGNS));
      if (share >= 0 && share <= 1) {
        const { count, sum } = places.get(place) ?? { count: 0, sum: 0 };
        places.set(place, { count: count + 1, sum: sum + share });
      }
    }
    return [...places.values()].map(({ count, sum }) => {
      const title = this.words._n('%2 failed here', '%2 failed here', count, thousands(count));
      const sign = h('span', { class: 'rlm-tl-sign', attrs: { title } }, MARKS.failed);
      sign.style.left = `${((sum / count) * 100).toFixed(2)}%`;
      return sign;
    });
  }

  private label(count: number, span: Span, most: number, failed: number): string {
    const { words } = this;
    const told = [
      spanText(span, words),
      words._n('%2 call', '%2 calls', count, thousands(count)),
      words.__('at most %1 at once', thousands(most)),
      failed ? words.__('%1 failed', thousands(failed)) : ''
    ];
    return told.filter(Boolean).join(', ');
  }
}

function fresh(): Drawn {
  const area = new Area('rlm-tl-area', ['rlm-tl-calls', 'rlm-tl-requests']);
  return { area, patience: new Patience(), frame: null };
}
