/** One row of the table. */

import { MARKS, dollars, seconds, thousands, ticking } from '../format';
import { moment } from '../model/axis';
import { COLUMNS, durationOf, isNumeric, numberIn, textIn } from '../model/table';
import type { Column } from '../model/table';
import { REPLAYED } from '../model/provenance';
import type { ViewState } from '../model/state';
import type { Call } from '../trace/call';
import { h, setAttribute, setText } from './dom';

const UNKNOWN = '–';
/** Columns whose numbers are worth comparing at a glance. */
const BARS: readonly Column[] = ['input', 'output', 'cost', 'duration'];

interface Cells {
  readonly of: ReadonlyMap<Column, HTMLElement>;
  readonly mark: HTMLElement;
  readonly word: HTMLElement;
}

export class CallDrawer {
  /** The id of the selected call. */
  active = '';
  private readonly cells = new WeakMap<HTMLElement, Cells>();
  private greatest: ReadonlyMap<Column, number> = new Map();

  constructor(
    private readonly state: ViewState,
    private readonly idBase: string
  ) {}

  /** Finds the greatest numbers of the sub-calls: what the bars in the cells are measured by. */
  measure(calls: readonly Call[], now: number): void {
    const greatest = new Map<Column, number>();
    for (const column of BARS) {
      let most = 0;
      for (const call of calls) {
        // The root holds everything, and beside everything nothing can be compared.
        most = call.depth ? Math.max(most, numberIn(column, call, now) ?? 0) : most;
      }
      greatest.set(column, most);
    }
    this.greatest = greatest;
  }

  /** The row's element; one that is there already is only touched where it differs. */
  draw(call: Call, index: number, before: HTMLElement | null): HTMLElement {
    const element = before ?? this.make(call.id);
    const cells = this.cells.get(element);
    const { now } = this.state.store;
    cells?.of.forEach((cell, column) => {
      if (column === 'status') {
        setText(cells.mark, call.replayed && call.status === 'finished' ? REPLAYED : MARKS[call.status]);
        setText(cells.word, textIn(column, call, this.state.words));
      } else {
        setText(cell, this.text(column, call, now));
      }
      if (BARS.includes(column)) {
        this.drawBar(cell, column, call, now);
      }
    });
    element.dataset['status'] = call.status;
    setAttribute(element, 'aria-rowindex', index + 2);
    setAttribute(element, 'aria-selected', String(call.id === this.active));
    return element;
  }

  private make(id: string): HTMLElement {
    const mark = h('span', { class: 'rlm-tb-mark', attrs: { 'aria-hidden': 'true' } });
    const word = h('span', { class: 'rlm-tb-word' });
    const of = new Map(
      COLUMNS.map(column => {
        const attrs = { role: 'gridcell', 'data-column': column, 'data-number': isNumeric(column) };
        return [
          column,
          h('div', { class: 'rlm-tb-cell', attrs }, ...(column === 'status' ? [mark, word] : []))
        ];
      })
    );
    const attrs = { role: 'row', id: `${this.idBase}-${id.replaceAll('.', '-')}`, 'data-key': id };
    const element = h('div', { class: 'rlm-tb-row', attrs }, ...of.values());
    this.cells.set(element, { of, mark, word });
    return element;
  }

  private text(column: Column, call: Call, now: number): string {
    if (!isNumeric(column)) {
      return textIn(column, call, this.state.words);
    }
    const value = numberIn(column, call, now);
    if (value === null) {
      return UNKNOWN;
    }
    switch (column) {
      case 'cost':
        return dollars(value);
      case 'start':
        return moment(value);
      case 'duration':
        return call.status === 'running' ? ticking(value) : seconds(value);
      case 'input':
      case 'output':
        return `${call.below.usage.estimated ? '≈' : ''}${thousands(value)}`;
      default:
        return thousands(value);
    }
  }

  private drawBar(cell: HTMLElement, column: Column, call: Call, now: number): void {
    const most = this.greatest.get(column) ?? 0;
    const value = column === 'duration' ? durationOf(call, now) : numberIn(column, call, now);
    const share = call.depth && most > 0 ? Math.min(1, (value ?? 0) / most) : 0;
    const text = `${(share * 100).toFixed(1)}%`;
    if (cell.style.getPropertyValue('--rlm-share') !== text) {
      cell.style.setProperty('--rlm-share', text);
    }
  }
}
