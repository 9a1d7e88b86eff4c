/** The header of the table: a button for each column, which sorts by it. */

import { COLUMNS, isNumeric, nextSort } from '../model/table';
import type { Column, Sort } from '../model/table';
import type { Words } from '../words';
import { button, h, setAttribute } from './dom';
import { pressed } from './keys';

/** What a column is called, and what it says where that is not plain. */
function named(column: Column, words: Words): readonly [name: string, hint: string] {
  switch (column) {
    case 'id':
      return [words.__('Id'), words.__('The place of the call in the tree')];
    case 'kind':
      return [words.__('Kind'), ''];
    case 'title':
      return [words.__('Title'), ''];
    case 'status':
      return [words.__('Status'), ''];
    case 'model':
      return [words.__('Model'), words.__('The model that answered')];
    case 'depth':
      return [words.__('Depth'), ''];
    case 'calls':
      return [words.__('Sub-calls'), words.__('Calls below, at any depth')];
    case 'input':
      return [words.__('Tokens in'), words.__('Input tokens, with sub-calls')];
    case 'output':
      return [words.__('Tokens out'), words.__('Output tokens, with sub-calls')];
    case 'cost':
      return [words.__('Cost'), words.__('US dollars, with sub-calls; – where it is unknown')];
    case 'start':
      return [words.__('Start'), words.__('Since the run began')];
    case 'duration':
      return [words.__('Duration'), ''];
  }
}

export class TableHead {
  readonly node: HTMLElement;
  readonly columns = COLUMNS.length;
  private readonly cells = new Map<Column, HTMLElement>();
  private readonly buttons: readonly HTMLButtonElement[];
  private sort: Sort = null;

  /** `choose` is told the order that a person wants. */
  constructor(
    private readonly words: Words,
    private readonly choose: (sort: Sort) => void
  ) {
    this.buttons = COLUMNS.map(column => this.sorter(column));
    this.node = h(
      'div',
      {
        class: 'rlm-tb-head',
        attrs: { role: 'row', 'aria-rowindex': 1 },
        on: {
          keydown: event => {
            this.onKey(event);
          }
        }
      },
      ...this.cells.values()
    );
  }

  /** Says how the rows are sorted. */
  update(sort: Sort): void {
    this.sort = sort;
    for (const [column, cell] of this.cells) {
      setAttribute(cell, 'aria-sort', sort?.column === column ? sort.direction : 'none');
    }
  }

  private sorter(column: Column): HTMLButtonElement {
    const [name, hint] = named(column, this.words);
    const made = button(name, {
      class: 'rlm-tb-sort',
      attrs: { tabindex: this.cells.size ? -1 : 0, title: hint || this.words.__('Sort by %1', name) },
      on: {
        click: () => {
          this.choose(nextSort(this.sort, column));
        }
      }
    });
    const cell = h(
      'div',
      {
        class: 'rlm-tb-cell',
        attrs: { role: 'columnheader', 'data-column': column, 'data-number': isNumeric(column) }
      },
      made
    );
    this.cells.set(column, cell);
    return made;
  }

  // One stop for Tab, and the arrows from column to column.
  private onKey(event: KeyboardEvent): void {
    const at = this.buttons.findIndex(each => each === document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.buttons.length - 1 }[
      pressed(event)
    ];
    const next = to === undefined ? undefined : this.buttons[to];
    if (next) {
      for (const each of this.buttons) {
        each.tabIndex = each === next ? 0 : -1;
      }
      next.focus();
      event.preventDefault();
    }
    if (next || event.key === 'Enter' || event.key === ' ') {
      // The button's own keys are nobody else's.
      event.stopPropagation();
    }
  }
}
