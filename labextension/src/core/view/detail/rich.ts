/** A rich output: an image, a table, or the size of what is neither. Nothing in it is ever markup. */

import { thousands } from '../../format';
import { decodeRich } from '../../model/rich';
import type { Table } from '../../model/rich';
import { shorten, visible } from '../../text';
import type { RichOutput } from '../../trace/wire';
import { h } from '../dom';
import { remark, scrolled } from './parts';
import type { Pane } from './section';

const CELL = 1_000;

export function richBody(pane: Pane, output: RichOutput, name: string): HTMLElement {
  const { words } = pane.state;
  const rich = decodeRich(output);
  switch (rich.kind) {
    case 'image':
      return h(
        'figure',
        { class: 'rlm-detail-figure' },
        h('img', { attrs: { src: rich.url, alt: name } }),
        h('figcaption', {}, name)
      );
    case 'table':
      return tableBody(pane, rich.table);
    case 'other':
      return remark(
        words.__('%1: %2 characters, not shown', visible(shorten(rich.mime, 100)), thousands(rich.chars))
      );
  }
}

function tableBody(pane: Pane, { columns, rows, index, totalRows, totalColumns }: Table): HTMLElement {
  const { words } = pane.state;
  const counts = [
    words._n('%2 of %3 row', '%2 of %3 rows', totalRows, thousands(rows.length), thousands(totalRows)),
    words._n(
      '%2 of %3 column',
      '%2 of %3 columns',
      totalColumns,
      thousands(columns.length),
      thousands(totalColumns)
    )
  ];
  const head = h(
    'tr',
    {},
    index && h('td', {}),
    ...columns.map(name => h('th', { attrs: { scope: 'col' } }, cell(name)))
  );
  const body = rows.map((row, at) =>
    h(
      'tr',
      {},
      index && h('th', { attrs: { scope: 'row' } }, cell(index[at] ?? '')),
      ...row.map(text => h('td', { attrs: { 'data-number': isNumber(text) } }, cell(text)))
    )
  );
  return h(
    'div',
    scrolled(words.__('Table')),
    h(
      'table',
      { class: 'rlm-detail-table' },
      h('caption', {}, counts.join(', ')),
      h('thead', {}, head),
      h('tbody', {}, ...body)
    )
  );
}

function isNumber(text: string): boolean {
  return text !== '' && text.length < 40 && Number.isFinite(Number(text));
}

function cell(text: string): string {
  return visible(shorten(text, CELL));
}
