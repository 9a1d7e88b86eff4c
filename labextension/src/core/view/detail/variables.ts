/** The variables tab: what blocks added, changed and removed; of a call, its context and what it had at the end. */

import { thousands } from '../../format';
import { ranBlocks } from '../../model/detail';
import type { Ran } from '../../model/detail';
import type { Item } from '../../model/rows';
import { changesOf, variablesAfter } from '../../model/variables';
import type { Change, Changed } from '../../model/variables';
import { shorten, visible } from '../../text';
import type { ContextCard, Variable } from '../../trace/wire';
import { h } from '../dom';
import type { Child } from '../dom';
import { blockName, blockSections } from './code';
import { heading, scrolled, signOf, still } from './parts';
import type { Pane, Section } from './section';
import { textBody } from './text';

const CELL = 5_000;

export function variableSections(item: Item, pane: Pane): Section[] {
  const { words } = pane.state;
  const ran = ranBlocks(item);
  const changing = ran.filter(({ done }) => changesOf(done).length > 0);
  const out = blockSections(item, pane, changing, each => signOf([each.done]), changeTable);
  if (item.kind !== 'call') {
    return out;
  }
  const { context } = item.call.started;
  const done = ran.map(each => each.done);
  const title = item.call.finished ? words.__('Variables at the end') : words.__('Variables now');
  const ending = still('end', `${title} ${signOf(done)}`, () => endTable(title, variablesAfter(done), pane));
  const card = still('context', String(item.call.started.cut), () =>
    context ? contextBody(context, item.key, pane) : h('div', {})
  );
  return [...(context ? [card] : []), ...(done.length ? [ending] : []), ...out];
}

function contextBody(card: ContextCard, key: string, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const facts: [string, string][] = [
    [words.__('name'), card.name],
    [words.__('type'), card.type],
    [words.__('length'), card.length === null ? '' : thousands(card.length)],
    [words.__('characters of text'), card.chars === null ? '' : thousands(card.chars)],
    [words.__('structure'), card.schema],
    [words.__('hash'), card.hash]
  ];
  return h(
    'section',
    { class: 'rlm-detail-block' },
    h('h3', { class: 'rlm-detail-heading' }, words.__('Context')),
    factList(facts.map(([name, text]) => [name, cell(text)])),
    card.preview !== '' && textBody(pane, `${key}|preview`, card.preview, { name: words.__('Preview') })
  );
}

/** Names with their values; those without one are left out. */
export function factList(facts: readonly (readonly [string, Child])[]): HTMLElement {
  const told = facts.filter(
    ([, value]) => value !== '' && value !== null && value !== undefined && value !== false
  );
  return h(
    'dl',
    { class: 'rlm-detail-facts' },
    ...told.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])
  );
}

function changeTable(ran: Ran, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const rows = changesOf(ran.done).map(changed =>
    variableRow(changed.name, changed.variable, changeCell(changed, pane), changed.change)
  );
  return h(
    'section',
    { class: 'rlm-detail-block' },
    heading(pane, ran.item, blockName(ran, pane)),
    variableTable(pane, [words.__('change')], rows)
  );
}

function endTable(title: string, variables: readonly Variable[], pane: Pane): HTMLElement {
  const { words } = pane.state;
  return h(
    'section',
    { class: 'rlm-detail-block' },
    h('h3', { class: 'rlm-detail-heading' }, title),
    variables.length
      ? variableTable(
          pane,
          [],
          variables.map(variable => variableRow(variable.name, variable, null, null))
        )
      : h('p', { class: 'rlm-detail-empty' }, words.__('none'))
  );
}

function variableTable(pane: Pane, first: readonly string[], rows: readonly HTMLElement[]): HTMLElement {
  const { words } = pane.state;
  const heads = [...first, words.__('name'), words.__('type'), words.__('size'), words.__('preview')];
  return h(
    'div',
    scrolled(words.__('Variables')),
    h(
      'table',
      { class: 'rlm-detail-table rlm-detail-variables' },
      h('thead', {}, h('tr', {}, ...heads.map(name => h('th', { attrs: { scope: 'col' } }, name)))),
      h('tbody', {}, ...rows)
    )
  );
}

function variableRow(
  name: string,
  variable: Variable | null,
  change: HTMLElement | null,
  kind: Change | null
): HTMLElement {
  return h(
    'tr',
    { attrs: { 'data-change': kind } },
    change && h('td', {}, change),
    h('th', { attrs: { scope: 'row' } }, h('code', {}, cell(name))),
    h('td', {}, variable && cell(variable.type)),
    h('td', {}, variable && cell(variable.size)),
    h('td', { class: 'rlm-detail-preview' }, variable && h('code', {}, cell(variable.preview)))
  );
}

function changeCell({ change }: Changed, { state: { words } }: Pane): HTMLElement {
  const told = { added: words.__('+ added'), changed: words.__('~ changed'), removed: words.__('− removed') };
  return h('span', { class: 'rlm-detail-change' }, told[change]);
}

function cell(text: string): string {
  return visible(shorten(text, CELL));
}
