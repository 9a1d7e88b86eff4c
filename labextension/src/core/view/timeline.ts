/** The run as a waterfall: a row for each call, its time from left to right, and above it how much went on at once. */

import { axisEnd } from '../model/axis';
import { itemsAbove } from '../model/rows';
import type { Row } from '../model/rows';
import type { ViewState } from '../model/state';
import { laneSpan, lanes, slots } from '../model/timeline';
import type { Lane } from '../model/timeline';
import { freshId, h, setAttribute } from './dom';
import { asGrid } from './grid';
import { pressed } from './keys';
import { LaneDrawer } from './lane';
import { ListLens } from './listlens';
import { Overview } from './overview';
import { TimeAxis } from './timeaxis';
import { TimeCaption } from './timecaption';
import { letGo, rowKey, rowMoves, taken } from './rowkeys';
import { VirtualList } from './virtual';
import { CLOSER, FARTHER, Zoom } from './zoom';

const ROW_HEIGHT = 26;

export class TimelineLens extends ListLens<Lane> {
  readonly node: HTMLElement;
  private readonly grid: HTMLElement;
  protected readonly list: VirtualList<Lane>;
  private readonly drawer: LaneDrawer;
  private readonly axis: TimeAxis;
  private readonly overview: Overview;
  private readonly caption: TimeCaption;
  private lanes: readonly Lane[] = [];
  private places: ReadonlyMap<string, number> = new Map();
  private rows: readonly Row[] | null = null;
  private readonly zoom: Zoom;

  constructor(state: ViewState) {
    super(state);
    const { words } = state;
    this.drawer = new LaneDrawer(state, freshId('lane'));
    this.axis = new TimeAxis(words);
    this.zoom = new Zoom(() => {
      state.redraw();
    });
    this.overview = new Overview(words, window => {
      this.zoom.show(window);
    });
    this.caption = new TimeCaption(words, () => {
      this.zoom.show(null);
      this.focus();
    });
    const label = h('div', { class: 'rlm-tl-label', attrs: { role: 'columnheader' } }, words.__('Call'));
    this.list = new VirtualList<Lane>(
      ROW_HEIGHT,
      { key: lane => lane.item.key, draw: (lane, index, before) => this.drawer.draw(lane, index, before) },
      'rlm-tl-rows',
      h('div', { class: 'rlm-tl-head', attrs: { role: 'row', 'aria-rowindex': 1 } }, label, this.axis.head)
    );
    this.list.rows.setAttribute('role', 'rowgroup');
    this.grid = asGrid(this.list.node, 'treegrid', words.__('Calls over time'), 2, event => {
      this.onKey(event);
    });
    const drawing = h('div', { class: 'rlm-tl-grid' }, this.axis.lines, this.grid);
    this.node = h('div', { class: 'rlm-timeline' }, this.caption.node, this.overview.node, drawing);
    this.listen();
  }

  update(): void {
    const { state, list } = this;
    const { store, rows } = state;
    this.bringUpToDate();
    this.zoom.total = axisEnd(store.now, store.live);
    this.drawer.frame = {
      window: this.zoom.window,
      now: store.now,
      slots: slots(store.tree),
      live: store.live,
      changed: rows
    };
    const active = this.lanes[this.at()];
    this.drawer.active = active?.item.key ?? '';
    list.node.style.setProperty('--rlm-rows', String(this.lanes.length));
    setAttribute(this.grid, 'aria-rowcount', this.lanes.length + 1);
    list.update(this.lanes);
    if (state.follow && store.live) {
      list.reveal(this.newest());
    }
    setAttribute(this.grid, 'aria-activedescendant', active && list.element(active.item.key)?.id);
    this.caption.update(active, this.zoom.choice, store.now);
    this.overview.update(store, rows, this.zoom.total, this.zoom.choice);
    this.drawAxis();
  }

  private bringUpToDate(): void {
    const { rows } = this.state;
    if (rows !== this.rows) {
      this.rows = rows;
      this.lanes = lanes(rows);
      this.places = new Map(this.lanes.map((lane, at) => [lane.item.key, at]));
    }
  }

  // The row of what is selected, or of the nearest above it that has one.
  protected at(): number {
    const item = this.state.selectedItem;
    const keys = item ? [item.key, ...itemsAbove(item).map(each => each.key)] : [];
    const shown = keys.find(key => this.places.has(key));
    return shown === undefined ? -1 : (this.places.get(shown) ?? -1);
  }

  protected keyAt(index: number): string | undefined {
    return this.lanes[index]?.item.key;
  }

  // The last row that is under way itself, or the last of all.
  private newest(): number {
    const at = this.lanes.findLastIndex(({ item }) =>
      item.kind === 'batch'
        ? item.calls.some(call => call.status === 'running')
        : item.call.status === 'running' && item.call.below.running === 0
    );
    return at >= 0 ? at : this.lanes.length - 1;
  }

  private drawAxis(): void {
    // The header must end where the rows do, beside a scroll bar.
    const { offsetWidth, clientWidth } = this.list.node;
    this.node.style.setProperty('--rlm-gutter', `${String(offsetWidth - clientWidth)}px`);
    this.axis.update(this.zoom.window);
  }

  private listen(): void {
    const { node } = this.list;
    letGo(node, this.state);
    node.addEventListener(
      'wheel',
      event => {
        if (this.zoom.wheel(event, this.axis.head.getBoundingClientRect())) {
          event.preventDefault();
        }
      },
      { passive: false }
    );
    node.addEventListener('click', event => {
      this.onClick(event);
    });
    node.addEventListener('dblclick', event => {
      this.toggle(this.laneAt(event));
    });
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape' && this.zoom.choice) {
        this.zoom.show(null);
        taken(event);
      }
    });
  }

  private laneAt(event: Event): Lane | undefined {
    return this.lanes[this.places.get(rowKey(event) ?? '') ?? -1];
  }

  private onClick(event: MouseEvent): void {
    const lane = this.laneAt(event);
    if (!lane || !(event.target instanceof Element)) {
      return;
    }
    if (event.target.closest('.rlm-tl-chevron')) {
      this.toggle(lane);
      return;
    }
    const part = event.target.closest<HTMLElement>('[data-part]')?.dataset['part'];
    this.state.select(part ?? lane.item.key);
    this.state.setDetail(true);
  }

  private onKey(event: KeyboardEvent): void {
    // Keys can be faster than pictures.
    this.bringUpToDate();
    const at = this.at();
    const lane = this.lanes[at];
    const go = (to: number) => {
      this.go(to);
    };
    const moves: Readonly<Record<string, () => void>> = {
      ...rowMoves(at, this.lanes.length - 1, this.list.page, go),
      ArrowRight: () => {
        if (lane?.open) {
          go(at + 1);
        } else {
          this.toggle(lane);
        }
      },
      ArrowLeft: () => {
        if (lane?.open) {
          this.toggle(lane);
        } else if (lane) {
          go(
            Math.max(
              0,
              this.lanes.slice(0, at).findLastIndex(each => each.level < lane.level)
            )
          );
        }
      },
      ' ': () => {
        this.toggle(lane);
      },
      '+': () => {
        this.zoom.by(CLOSER, this.middle(lane));
      },
      '-': () => {
        this.zoom.by(FARTHER, this.middle(lane));
      }
    };
    const move = moves[pressed(event)];
    if (move) {
      move();
      taken(event);
    }
  }

  private toggle(lane: Lane | undefined): void {
    if (lane?.open) {
      this.state.open(lane.item.key, false);
    } else if (lane?.open === false) {
      for (const key of lane.closed) {
        this.state.open(key, true);
      }
    }
  }

  // Zooming goes around the selected bar, so that it comes closer.
  private middle(lane: Lane | undefined): number {
    const { start, end } = lane ? laneSpan(lane.item, this.state.store.now) : this.zoom.window;
    return (start + end) / 2;
  }
}
