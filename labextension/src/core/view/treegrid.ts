/** The tree as a WAI-ARIA treegrid. The grid holds the focus and names its active row: rows come and go. */

import type { Row } from '../model/rows';
import { hasChildren } from '../model/rows';
import type { ViewState } from '../model/state';
import { freshId, h, setAttribute } from './dom';
import { asGrid } from './grid';
import { pressed } from './keys';
import { ListLens } from './listlens';
import { letGo, rowKey, rowMoves, taken } from './rowkeys';
import { RowDrawer } from './treerow';
import { VirtualList } from './virtual';

export const ROW_HEIGHT = 26;

export class TreeLens extends ListLens<Row> {
  readonly node: HTMLElement;
  protected readonly list: VirtualList<Row>;
  private readonly drawer: RowDrawer;

  constructor(state: ViewState) {
    super(state);
    const { words } = state;
    this.drawer = new RowDrawer(state, freshId('row'));
    const names = [
      words.__('Step'),
      words.__('Calls'),
      words.__('Tokens'),
      words.__('Cost'),
      words.__('Time')
    ];
    const head = names.map(name => h('span', { class: 'rlm-cell', attrs: { role: 'columnheader' } }, name));
    this.list = new VirtualList<Row>(
      ROW_HEIGHT,
      { key: row => row.item.key, draw: (row, index, before) => this.drawer.draw(row, index, before) },
      'rlm-tree',
      h('div', { class: 'rlm-row rlm-columns', attrs: { role: 'row', 'aria-rowindex': 1 } }, ...head)
    );
    this.list.rows.setAttribute('role', 'rowgroup');
    this.node = asGrid(this.list.node, 'treegrid', words.__('Steps of the run'), names.length, event => {
      this.onKey(event);
    });
    this.listen();
  }

  update(): void {
    const { rows } = this.state;
    this.list.node.style.setProperty('--rlm-rows', String(rows.length));
    setAttribute(this.node, 'aria-rowcount', rows.length + 1);
    // A column that says «unknown» in every row says nothing; the head says it once.
    setAttribute(this.node, 'data-unpriced', !this.state.store.tree.root?.below.usage.hasPrices);
    this.list.update(rows);
    if (this.state.follow && this.state.store.live) {
      this.list.reveal(this.newest());
    }
    const active = this.list.element(this.state.selected);
    setAttribute(this.node, 'aria-activedescendant', active?.id);
  }

  private listen(): void {
    const { state, list } = this;
    letGo(list.node, state);
    list.node.addEventListener('click', event => {
      const key = rowKey(event);
      if (key === undefined || !(event.target instanceof Element)) {
        return;
      }
      if (event.target.closest('.rlm-chevron')) {
        this.toggle(key);
      } else {
        state.select(key);
        state.setDetail(true);
      }
    });
    list.node.addEventListener('dblclick', event => {
      this.toggle(rowKey(event) ?? '');
    });
  }

  private toggle(key: string): void {
    const row = this.state.rows.find(each => each.item.key === key);
    if (row && row.open !== null) {
      this.state.open(key, !row.open);
    }
  }

  protected at(): number {
    return this.state.rows.findIndex(row => row.item.key === this.state.selected);
  }

  protected keyAt(index: number): string | undefined {
    return this.state.rows[index]?.item.key;
  }

  // The last row that is under way, or the last of all.
  private newest(): number {
    const { rows } = this.state;
    const at = rows.findLastIndex(({ item }) => {
      switch (item.kind) {
        case 'call':
          return item.call.kind === 'llm' && item.call.status === 'running';
        case 'batch':
          return item.calls.some(call => call.status === 'running');
        default:
          return !hasChildren(item) && item.turn.reply === null;
      }
    });
    return at >= 0 ? at : rows.length - 1;
  }

  private onKey(event: KeyboardEvent): void {
    const { state, list } = this;
    const { rows } = state;
    const at = this.at();
    const row = rows[at];
    const moves: Readonly<Record<string, () => void>> = {
      ...rowMoves(at, rows.length - 1, list.page, to => {
        this.go(to);
      }),
      ArrowRight: () => {
        this.inward(row, at);
      },
      ArrowLeft: () => {
        this.outward(row, at);
      },
      ' ': () => {
        if (row) {
          this.toggle(row.item.key);
        }
      },
      '*': () => {
        this.openSiblings(row, at);
      }
    };
    const move = moves[pressed(event)];
    if (move) {
      move();
      taken(event);
    }
  }

  private inward(row: Row | undefined, at: number): void {
    if (row?.open === false) {
      this.state.open(row.item.key, true);
    } else if (row?.open) {
      this.go(at + 1);
    }
  }

  private outward(row: Row | undefined, at: number): void {
    if (row?.open) {
      this.state.open(row.item.key, false);
    } else if (row) {
      const above = this.state.rows.slice(0, at).findLastIndex(each => each.level < row.level);
      this.go(Math.max(0, above));
    }
  }

  private openSiblings(row: Row | undefined, at: number): void {
    const { rows } = this.state;
    if (!row) {
      return;
    }
    let first = at;
    while ((rows[first - 1]?.level ?? 0) >= row.level) {
      first -= 1;
    }
    for (let each = first; (rows[each]?.level ?? 0) >= row.level; each += 1) {
      const sibling = rows[each];
      if (sibling?.level === row.level && sibling.open === false) {
        this.state.open(sibling.item.key, true);
      }
    }
  }
}
