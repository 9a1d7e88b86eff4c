/** The right half of a row of the timeline: what a call, or a whole batch, did when. */

import { MARKS, seconds, statusWord, thousands, ticking } from '../format';
import { moment } from '../model/axis';
import type { Span } from '../model/axis';
import { merged } from '../model/concurrency';
import { blockKey, turnKey } from '../model/rows';
import { drawable, laneSpan, load, segments } from '../model/timeline';
import type { LaneItem, Phase, Segment } from '../model/timeline';
import { isBad } from '../trace/call';
import type { Call } from '../trace/call';
import type { Status } from '../trace/wire';
import type { Words } from '../words';
import { Area } from './area';
import { h, setAttribute } from './dom';

const COLUMNS = 120;
const SEGMENTS = 40;
const SIGNS = 12;

/** What part of the axis is drawn, and when now is. */
export interface Frame {
  readonly window: Span;
  readonly now: number;
  readonly slots: number;
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

/** The status a row's bar ends with. */
export function laneStatus(item: LaneItem): Status {
  if (item.kind === 'call') {
    return item.call.status;
  }
  return item.calls.some(call => call.status === 'running')
    ? 'running'
    : (item.calls.find(call => isBad(call.status))?.status ?? 'finished');
}

export class BarDrawer {
  private readonly shown = new WeakMap<HTMLElement, string>();
  private readonly areas = new WeakMap<HTMLElement, Area>();
  frame: Frame = { window: { start: 0, end: 1 }, now: 0, slots: Infinity };

  constructor(private readonly words: Words) {}

  /** Draws the bar of an item into its cell, which is touched only where something is different. */
  draw(cell: HTMLElement, item: LaneItem, chosen: string): void {
    if (item.kind === 'call') {
      this.drawCall(cell, item.call, chosen);
    } else {
      this.drawBatch(cell, item, item.calls);
    }
  }

  private drawCall(cell: HTMLElement, call: Call, chosen: string): void {
    const { window, now } = this.frame;
    const all = segments(call, now);
    const parts = drawable(all, window, SEGMENTS).map(part => ({
      ...this.place(part),
      part,
      key: keyOf(call, part)
    }));
    const span = laneSpan({ kind: 'call', key: call.id, call }, now);
    const label = this.callLabel(call, span, all);
    const look = parts.map(({ left, width, part, key }) => [
      left,
      width,
      part.phase,
      part.running,
      part.failed,
      key
    ]);
    if (this.same(cell, [label, this.place(span), look, chosen])) {
      return;
    }
    name(cell, label);
    cell.replaceChildren(
      this.rail(span, call.status),
      ...parts.map(({ left, width, part, key }) => this.segment(left, width, part, key, key === chosen)),
      this.note(span, call.status)
    );
  }

  private segment(
    left: number,
    width: number,
    part: Segment,
    key: string | null,
    chosen: boolean
  ): HTMLElement {
    const { words } = this;
    const of = part.block ? words.__('block %1', part.block) : '';
    const what = [key === null ? '' : words.__('turn %1', part.turn), of, phaseWord(part.phase, words)];
    const failed = part.failed ? ` ${MARKS.failed} ${statusWord('failed', words)}` : '';
    const node = h('div', {
      class: 'rlm-tl-seg',
      attrs: {
        'data-phase': part.phase,
        'data-running': part.running,
        'data-bad': part.failed,
        'data-chosen': chosen,
        'data-part': key,
        title: `${what.filter(Boolean).join(' · ')}: ${spanText(part, words)}${failed}`
      }
    });
    stretch(node, left, width);
    return node;
  }

  private drawBatch(cell: HTMLElement, item: LaneItem, calls: readonly Call[]): void {
    const { window, now, slots } = this.frame;
    const spans = load(calls, now);
    const under = merged(spans.calls, window, COLUMNS);
    const asked = merged(spans.requests, window, COLUMNS);
    const requests = asked.bars.map(bar => ({ ...bar, level: Math.min(bar.level, slots) }));
    const span = laneSpan(item, now);
    const status = laneStatus(item);
    const label = this.batchLabel(calls, span, merged(spans.calls, span, 1).most);
    const look = [label, this.place(span), status, under.bars, requests];
    if (this.same(cell, look)) {
      return;
    }
    name(cell, label);
    const area = this.area(cell);
    area.draw([under.bars, requests], window, under.most);
    cell.replaceChildren(this.rail(span, status), area.node, ...this.signs(calls), this.note(span, status));
  }

  private area(cell: HTMLElement): Area {
    const area = this.areas.get(cell) ?? new Area('rlm-tl-area', ['rlm-tl-calls', 'rlm-tl-requests']);
    this.areas.set(cell, area);
    return area;
  }

  // One sign for all failures that would stand in the same place.
  private signs(calls: readonly Call[]): HTMLElement[] {
    const { window, now } = this.frame;
    const counts = new Map<number, number>();
    for (const call of calls) {
      const share =
        (laneSpan({ kind: 'call', key: '', call }, now).end - window.start) / (window.end - window.start);
      if (isBad(call.status) && share >= 0 && share <= 1) {
        const place = Math.min(SIGNS * 4 - 1, Math.floor(share * SIGNS * 4));
        counts.set(place, (counts.get(place) ?? 0) + 1);
      }
    }
    return [...counts].slice(0, SIGNS).map(([place, count]) => {
      const title = this.words._n('%1 failed here', '%1 failed here', count);
      const sign = h('span', { class: 'rlm-tl-sign', attrs: { title } }, MARKS.failed);
      sign.style.left = `${(((place + 0.5) / (SIGNS * 4)) * 100).toFixed(2)}%`;
      return sign;
    });
  }

  private rail(span: Span, status: Status): HTMLElement {
    const { left, width } = this.place(span);
    const rail = h('div', { class: 'rlm-tl-rail', attrs: { 'data-status': status } });
    stretch(rail, left, width);
    return rail;
  }

  // How long it took and how it ended, beside the bar where there is room for it.
  private note(span: Span, status: Status): HTMLElement {
    const { window } = this.frame;
    const took = span.end - span.start;
    const text = status === 'running' ? ticking(took) : seconds(took);
    const sign = status === 'finished' ? '' : `${MARKS[status]} `;
    const node = h('span', { class: 'rlm-tl-note', attrs: { 'data-status': status } });
    const { left, width } = this.place(span);
    const right = left + width;
    if (span.end < window.start) {
      node.append(`◂ ${sign}${text}`);
      node.style.left = '0';
    } else if (span.start > window.end) {
      node.append(`${sign}${text} ▸`);
      node.style.right = '0';
    } else {
      node.append(`${sign}${text}`);
      if (right <= 84) {
        node.style.left = `${right.toFixed(3)}%`;
      } else if (left >= 16) {
        node.style.right = `${(100 - left).toFixed(3)}%`;
      } else {
        node.style.right = '0';
        node.dataset['inside'] = '';
      }
    }
    return node;
  }

  private place({ start, end }: Span): { left: number; width: number } {
    const { window } = this.frame;
    const share = (at: number) =>
      Math.min(100, Math.max(0, ((at - window.start) / (window.end - window.start)) * 100));
    return { left: share(start), width: share(end) - share(start) };
  }

  private callLabel(call: Call, span: Span, all: readonly Segment[]): string {
    const { words } = this;
    const sums = (['waiting', 'model', 'code'] as const).map(phase => {
      const sum = all.reduce((total, part) => total + (part.phase === phase ? part.end - part.start : 0), 0);
      return sum > 0 ? `${phaseWord(phase, words)} ${seconds(sum)}` : '';
    });
    const told = [spanText(span, words), statusWord(call.status, words), ...sums];
    return told.filter(Boolean).join(', ');
  }

  private batchLabel(calls: readonly Call[], span: Span, most: number): string {
    const { words } = this;
    const failed = calls.filter(call => isBad(call.status)).length;
    const told = [
      spanText(span, words),
      words._n('%2 call', '%2 calls', calls.length, thousands(calls.length)),
      words.__('at most %1 at once', thousands(most)),
      failed ? words.__('%1 failed', thousands(failed)) : ''
    ];
    return told.filter(Boolean).join(', ');
  }

  private same(cell: HTMLElement, look: readonly unknown[]): boolean {
    const key = JSON.stringify([look, this.frame.window], (_, value: unknown) =>
      typeof value === 'number' ? Number(value.toFixed(4)) : value
    );
    const same = this.shown.get(cell) === key;
    this.shown.set(cell, key);
    return same;
  }
}

// The turn of a part; its block where the turn has several. An llm call has no turns to choose.
function keyOf(call: Call, part: Segment): string | null {
  const turn = call.kind === 'rlm' ? call.turns.find(each => each.number === part.turn) : undefined;
  if (!turn) {
    return null;
  }
  const block = turn.blocks.length > 1 ? turn.blocks.find(each => each.number === part.block) : undefined;
  return block ? blockKey(call, turn, block) : turnKey(call, turn);
}

function stretch(node: HTMLElement, left: number, width: number): void {
  node.style.left = `${left.toFixed(3)}%`;
  node.style.width = `${width.toFixed(3)}%`;
}

function name(cell: HTMLElement, label: string): void {
  setAttribute(cell, 'aria-label', label);
  setAttribute(cell, 'title', label);
}
