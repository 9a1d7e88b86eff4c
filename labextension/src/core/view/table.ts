/** The run's calls as a table that can be sorted by each of its columns. */

import { callsOf, sorted, treeOrder } from '../model/table';
import type { Sort } from '../model/table';
import { itemsAbove } from '../model/rows';
import type { ViewState } from '../model/state';
import type { Call } from '../trace/call';
import { freshId, h, setAttribute, setText } from './dom';
import { asGrid } from './grid';
import { pressed } from './keys';
import { ListLens } from './listlens';
import { letGo, rowKey, rowMoves, taken } from './rowkeys';
import { TableHead } from './tablehead';
import { CallDrawer } from './tablerow';
import { VirtualList } from './virtual';

const ROW_HEIGHT = 26;

export class TableLens extends ListLens<Call> {
  readonly node: HTMLElement;
  private readonly grid: HTMLElement;
  protected readonly list: VirtualList<Call>;
  private readonly drawer: CallDrawer;
  private readonly head: TableHead;
  private readonly empty = h('div', { class: 'rlm-tb-empty' });
  private sort: Sort = null;
  private calls: readonly Call[] = [];
  private places: ReadonlyMap<string, number> = new Map();
  private shown: readonly unknown[] = [];

  constructor(state: ViewState) {
    super(state);
    const { words } = state;
    this.drawer = new CallDrawer(state, freshId('call'));
    this.head = new TableHead(words, sort => {
      this.sort = sort;
      state.redraw();
    });
    this.list = new VirtualList<Call>(
      ROW_HEIGHT,
      { key: call => call.id, draw: (call, index, before) => this.drawer.draw(call, index, before) },
      'rlm-tb-rows',
      this.head.node
    );
    this.list.rows.setAttribute('role', 'rowgroup');
    this.grid = asGrid(this.list.node, 'grid', words.__('Calls of the run'), this.head.columns, event => {
      this.onKey(event);
    });
    this.node = h('div', { class: 'rlm-table' }, this.grid, this.empty);
    this.listen();
  }

  update(): void {
    const { state, list } = this;
    this.bringUpToDate();
    const at = this.at();
    const active = this.calls[at];
    this.drawer.active = active?.id ?? '';
    list.node.style.setProperty('--rlm-rows', String(this.calls.length));
    setAttribute(this.grid, 'aria-rowcount', this.calls.length + 1);
    list.update(this.calls);
    if (state.follow && state.store.live && !this.sort) {
      list.reveal(this.newest());
    }
    setAttribute(this.grid, 'aria-activedescendant', active && list.element(active.id)?.id);
    setText(this.empty, this.calls.length ? '' : state.words.__('No call matches the search.'));
    this.empty.hidden = this.calls.length > 0 || !state.searching;
    this.head.update(this.sort);
  }

  // The order stays until there is something new to put in order.
  private bringUpToDate(): void {
    const { state, sort } = this;
    const { store } = state;
    const shown = [store, store.events.length, store.live, store.cutTexts, state.search, sort];
    if (shown.every((each, at) => each === this.shown[at])) {
      return;
    }
    this.shown = shown;
    const calls = state.searching ? callsOf(store.tree, state.found.hits) : treeOrder(store.tree);
    this.calls = sorted(calls, sort, store.now, state.words);
    this.places = new Map(this.calls.map((call, at) => [call.id, at]));
    this.drawer.measure(calls, store.now);
  }

  // The row of the selected call, or of the nearest call above what is selected.
  protected at(): number {
    const item = this.state.selectedItem;
    const keys = item ? [item.call.id, ...itemsAbove(item).map(each => each.call.id)] : [];
    const shown = keys.find(key => this.places.has(key));
    return shown === undefined ? -1 : (this.places.get(shown) ?? -1);
  }

  protected keyAt(index: number): string | undefined {
    return this.calls[index]?.id;
  }

  private newest(): number {
    const at = this.calls.findLastIndex(call => call.status === 'running' && call.below.running === 0);
    return at >= 0 ? at : this.calls.length - 1;
  }

  private listen(): void {
    const { node } = this.list;
    letGo(node, this.state);
    node.addEventListener('click', event => {
      const key = rowKey(event);
      if (key !== undefined) {
        this.state.select(key);
        this.state.setDetail(true);
      }
    });
  }

  private onKey(event: KeyboardEvent): void {
    // Keys can be faster than pictures.
    this.bringUpToDate();
    const { node } = this.list;
    const at = this.at();
    const moves: Readonly<Record<string, () => void>> = {
      ...rowMoves(at, this.calls.length - 1, this.list.page, to => {
        this.go(to);
      }),
      ArrowRight: () => {
        node.scrollLeft += 80;
      },
      ArrowLeft: () => {
        node.scrollLeft -= 80;
      }
    };
    const move = moves[pressed(event)];
    if (move) {
      move();
      taken(event);
    }
  }
}
