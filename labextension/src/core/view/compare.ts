/** `CompareView`: two runs side by side, what they came to, what they took, and step by step what is not the same. */

import { thousands } from '../format';
import { diffSource } from '../model/cellsource';
import { VERDICTS, align, ends, folded, tally } from '../model/compare';
import type { Change, Fold, Row } from '../model/compare';
import type { RunStore } from '../model/store';
import type { Words } from '../words';
import { cellButton } from './cellbutton';
import { Completing } from './completing';
import { COLUMNS, changeBody, foldKey, foldSection, rowSection, verdictWord } from './comparerow';
import type { Rows } from './comparerow';
import { columnHead, totalsSection } from './comparetotals';
import type { Memory } from './detail/memory';
import { scrolled, still } from './detail/parts';
import { reconcile } from './detail/section';
import type { Section } from './detail/section';
import { button, h, setAttribute, setText } from './dom';
import type { Host } from './host';

/** How many rows are drawn at first, and how many more each time. */
const STEP = 100;
/** Aligning runs under way, which is the more work the larger they are, takes at most this share of the time. */
const SHARE = 0.1;
const ALL = 'all';
const SIDES = 'sides';

export interface CompareOptions {
  readonly words: Words;
  readonly host: Host;
  readonly memory: Memory;
  readonly time?: () => number;
}

/** Whoever shows it calls `update` when one of the runs has moved on, and now and then while one goes on. */
export class CompareView {
  readonly node: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly body = h('div', { class: 'rlm-compare-body' });
  private readonly steps: HTMLTableElement;
  private readonly told = h('span', { class: 'rlm-detail-size', attrs: { role: 'status' } });
  private readonly more = h('div', { class: 'rlm-detail-more' });
  private readonly only: HTMLButtonElement;
  private readonly sides: HTMLButtonElement;
  private readonly completing: Completing;
  private readonly time: () => number;
  private left: RunStore;
  private right: RunStore;
  private rows: readonly Row[] = [];
  private aligned: readonly unknown[] = [];
  /** Not before this are runs under way aligned again, in milliseconds. */
  private rested = -Infinity;
  private disposed = false;

  constructor(
    left: RunStore,
    right: RunStore,
    private readonly options: CompareOptions
  ) {
    const { words } = options;
    this.left = left;
    this.right = right;
    this.time = options.time ?? (() => performance.now());
    this.completing = new Completing(words, () => {
      if (!this.disposed) {
        this.draw();
      }
    });
    this.only = this.toggle(words.__('Only what differs'), ALL);
    this.sides = this.toggle(words.__('Side by side'), SIDES);
    this.bar = h('div', { class: 'rlm-compare-bar' }, this.only, this.sides, this.asCell());
    this.steps = h('table', { class: 'rlm-compare-steps' });
    this.node = h(
      'section',
      { class: 'rlm-compare', attrs: { 'aria-label': words.__('Two runs side by side') } },
      this.bar,
      this.completing.node,
      this.body
    );
    this.update(left, right);
  }

  /** Draws what has changed. The stores may be other ones of the same runs. */
  update(left: RunStore, right: RunStore): void {
    this.left = left;
    this.right = right;
    this.completing.update([left, right]);
    this.draw();
  }

  dispose(): void {
    this.disposed = true;
    this.node.remove();
  }

  private draw(): void {
    this.align();
    const { memory, words } = this.options;
    setAttribute(this.only, 'aria-pressed', String(!memory.flag(ALL, false)));
    setAttribute(this.sides, 'aria-pressed', String(memory.flag(SIDES, false)));
    reconcile(this.body, [
      totalsSection(this.left, this.right, words),
      ...ends(this.left, this.right).map(end => this.endSection(end)),
      still('steps', '', () => this.stepsPart())
    ]);
    this.drawSteps();
  }

  private align(): void {
    const { left, right } = this;
    const now = [left, right, left.events.length, right.events.length, left.cutTexts, right.cutTexts];
    const same = now.every((each, at) => each === this.aligned[at]);
    const start = this.time();
    const soon = start < this.rested;
    const stores = left === this.aligned[0] && right === this.aligned[1];
    // What has just come waits for the next update, of which there is one while a run goes on.
    if (same || (soon && stores && (left.live || right.live))) {
      return;
    }
    this.aligned = now;
    this.rows = align(left, right);
    const end = this.time();
    this.rested = end + (end - start) / SHARE;
  }

  private endSection(end: Change): Section {
    const { words } = this.options;
    const sides = this.options.memory.flag(SIDES, false);
    const sign = JSON.stringify([
      end.left.length,
      end.right.length,
      end.left === end.right,
      this.left.live,
      this.right.live,
      sides
    ]);
    return still(end.aspect, sign, () => {
      const waiting = this.left.live || this.right.live;
      const body = changeBody(end, this.rowsContext());
      if (waiting && !(end.left && end.right)) {
        body.append(h('p', { class: 'rlm-detail-remark' }, words.__('The other run is under way.')));
      }
      return body;
    });
  }

  private stepsPart(): HTMLElement {
    const { words } = this.options;
    return h(
      'div',
      { class: 'rlm-compare-steps-part' },
      h('h3', { class: 'rlm-detail-heading' }, words.__('Steps'), this.told),
      h('div', scrolled(words.__('Steps of both runs')), this.steps),
      this.more
    );
  }

  private drawSteps(): void {
    const { words, memory } = this.options;
    const rows = this.rowsContext();
    const found = tally(this.rows);
    setText(
      this.told,
      VERDICTS.flatMap(verdict => {
        const count = found.get(verdict);
        return count ? [`${thousands(count)} ${verdictWord(verdict, words)}`] : [];
      }).join(', ') || words.__('none yet')
    );
    const all = memory.flag(ALL, false);
    const listed = folded(this.rows)
      .filter(each => all || each.verdict !== 'same')
      .flatMap(each => this.unfolded(each));
    const most = memory.count(ALL, STEP);
    const held = this.steps.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>('[data-place]')?.dataset['place']
      : undefined;
    reconcile(this.steps, [
      still('head', '', () => stepsHead(words)),
      ...(listed.length ? [] : [nothingSection(this.rows.length ? words.__('Nothing differs.') : '')]),
      ...listed
        .slice(0, most)
        .map(each => ('rows' in each ? foldSection(each, rows) : rowSection(each, rows)))
    ]);
    if (held !== undefined && !this.steps.contains(document.activeElement)) {
      this.refocus(held);
    }
    this.drawMore(listed.length - most, most);
  }

  // A row that was drawn anew had the keyboard.
  private refocus(place: string): void {
    const rows = [...this.steps.querySelectorAll<HTMLElement>('[data-place]')];
    const row = rows.find(each => each.dataset['place'] === place);
    row?.querySelector<HTMLElement>('.rlm-compare-open')?.focus({ preventScroll: true });
  }

  private unfolded(each: Row | Fold): (Row | Fold)[] {
    return 'rows' in each && this.options.memory.flag(foldKey(each), false) ? [each, ...each.rows] : [each];
  }

  private drawMore(left: number, shown: number): void {
    const { words, memory } = this.options;
    this.more.hidden = left <= 0;
    if (left <= 0) {
      this.more.replaceChildren();
      return;
    }
    const label = words._n('Show %2 more row', 'Show more of %2 rows', left, thousands(left));
    const there = this.more.querySelector('button');
    if (there) {
      setText(there, label);
      return;
    }
    const more = () => {
      memory.setCount(ALL, memory.count(ALL, shown) + STEP);
      this.draw();
    };
    this.more.replaceChildren(button(label, { class: 'rlm-button', on: { click: more } }));
  }

  private rowsContext(): Rows {
    const { words, memory } = this.options;
    return {
      words,
      memory,
      sides: memory.flag(SIDES, false),
      redraw: () => {
        this.draw();
      }
    };
  }

  private toggle(label: string, flag: string): HTMLButtonElement {
    const { memory } = this.options;
    return button(label, {
      class: 'rlm-detail-toggle',
      on: {
        click: () => {
          memory.setFlag(flag, !memory.flag(flag, false));
          this.draw();
        }
      }
    });
  }

  private asCell(): HTMLElement {
    const { words, host } = this.options;
    return cellButton(host, words, () => diffSource(this.left.id, this.right.id));
  }
}

function stepsHead(words: Words): HTMLElement {
  const names = [
    words.__('Step'),
    words.__('Left'),
    words.__('Right'),
    words.__('What differs'),
    words.__('Difference')
  ];
  return h('thead', {}, h('tr', {}, ...names.map(columnHead)));
}

function nothingSection(told: string): Section {
  return still('nothing', told, () =>
    h('tbody', {}, h('tr', {}, h('td', { class: 'rlm-detail-empty', attrs: { colspan: COLUMNS } }, told)))
  );
}
