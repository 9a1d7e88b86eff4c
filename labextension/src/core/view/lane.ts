/** One row of the timeline: what it is on the left, what it did when on the right. */

import { MARKS, statusWord, thousands } from '../format';
import { laneStatus } from '../model/timeline';
import type { Lane, LaneItem } from '../model/timeline';
import type { ViewState } from '../model/state';
import { REPLAYED, isFromRecord } from '../model/provenance';
import { title } from '../model/titles';
import { button, h, setAttribute } from './dom';
import type { Frame } from './bar';
import { BatchBar } from './batchbar';
import { CallBar } from './callbar';

interface Parts {
  readonly label: HTMLElement;
  readonly track: HTMLElement;
  shown: string;
}

export class LaneDrawer {
  /** What is drawn of the axis. */
  frame: Frame = { window: { start: 0, end: 1 }, now: 0, live: false, slots: Infinity, changed: null };
  /** The key of the row that is selected, which may stand for something within it. */
  active = '';
  private readonly callBar: CallBar;
  private readonly batchBar: BatchBar;
  private readonly parts = new WeakMap<HTMLElement, Parts>();

  constructor(
    private readonly state: ViewState,
    private readonly idBase: string
  ) {
    this.callBar = new CallBar(state.words);
    this.batchBar = new BatchBar(state.words);
  }

  /** The row's element; one that is there already is only touched where it differs. */
  draw(lane: Lane, index: number, before: HTMLElement | null): HTMLElement {
    const element = before ?? this.make(lane.item.key);
    const parts = this.parts.get(element);
    if (!parts) {
      return element;
    }
    this.drawLabel(element, parts, lane);
    if (lane.item.kind === 'call') {
      this.callBar.draw(parts.track, lane.item.call, this.frame, this.state.selected);
    } else {
      this.batchBar.draw(parts.track, lane.item, this.frame);
    }
    setAttribute(element, 'aria-rowindex', index + 2);
    setAttribute(element, 'aria-level', lane.level);
    setAttribute(element, 'aria-expanded', lane.open === null ? null : String(lane.open));
    setAttribute(element, 'aria-selected', String(lane.item.key === this.active));
    return element;
  }

  private make(key: string): HTMLElement {
    const label = h('div', { class: 'rlm-tl-label', attrs: { role: 'gridcell' } });
    const track = h('div', { class: 'rlm-tl-track', attrs: { role: 'gridcell' } });
    const id = `${this.idBase}-${key.replaceAll('.', '-').replace('+', 'b')}`;
    const attrs = { role: 'row', id, 'data-key': key };
    const element = h('div', { class: 'rlm-tl-row', attrs }, label, track);
    this.parts.set(element, { label, track, shown: '' });
    return element;
  }

  private drawLabel(element: HTMLElement, parts: Parts, { item, level, open }: Lane): void {
    const { words } = this.state;
    const status = laneStatus(item);
    const told = title(item, words);
    const kind = kindOf(item);
    const id = item.kind === 'call' ? item.call.id : '';
    const replayed = isFromRecord(item);
    const shown = JSON.stringify([status, told, kind, level, open, replayed]);
    if (parts.shown === shown) {
      return;
    }
    parts.shown = shown;
    const ended = statusWord(status, words);
    const word = replayed ? words.__('%1, replayed', ended) : ended;
    const mark = replayed && status === 'finished' ? REPLAYED : MARKS[status];
    element.dataset['status'] = status;
    element.dataset['kind'] = item.kind;
    parts.label.style.setProperty('--rlm-level', String(level - 1));
    parts.label.replaceChildren(
      this.chevron(open),
      h('span', { class: 'rlm-tl-mark', attrs: { title: word, 'aria-hidden': 'true' } }, mark),
      h('span', { class: 'rlm-unseen' }, `${word} `),
      h('span', { class: 'rlm-tl-kind' }, kind),
      ' ',
      id && h('span', { class: 'rlm-tl-id' }, id),
      ' ',
      h('span', { class: told.code ? 'rlm-tl-title rlm-tl-code' : 'rlm-tl-title' }, told.text)
    );
    setAttribute(parts.label, 'title', [kind, id, told.text].filter(Boolean).join(' '));
  }

  private chevron(open: boolean | null): HTMLElement {
    const { words } = this.state;
    if (open === null) {
      return h('span', { class: 'rlm-tl-leaf' });
    }
    // For the mouse; the keyboard and a screen reader have the row's own expanded state.
    return button(open ? '▾' : '▸', {
      class: 'rlm-tl-chevron',
      attrs: { tabindex: -1, 'aria-hidden': 'true', title: open ? words.__('Close') : words.__('Open') }
    });
  }
}

function kindOf(item: LaneItem): string {
  return item.kind === 'call' ? item.call.kind : `${thousands(item.calls.length)} × ${item.call.kind}`;
}
