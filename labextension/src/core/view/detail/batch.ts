/** The calls of a batch: how they stand, which took most, and each of them in a table. */

import { MARKS, brief, dollars, seconds, statusWord, thousands, ticking } from '../../format';
import type { Item } from '../../model/rows';
import { firstLine } from '../../text';
import type { Call } from '../../trace/call';
import type { Status } from '../../trace/wire';
import { h } from '../dom';
import { MORE, bounded, selector, still } from './parts';
import { reconcile } from './section';
import type { Pane, Section } from './section';

const ROWS = 50;
const ORDER: readonly Status[] = ['finished', 'running', 'failed', 'exhausted', 'interrupted', 'cut off'];

type Batch = Extract<Item, { kind: 'batch' }>;

export function batchSections(item: Batch, pane: Pane): Section[] {
  const counts = countStatuses(item.calls);
  const extremes = [slowest(item.calls), costliest(item.calls)];
  return [
    still('counts', JSON.stringify(counts), () => countBar(counts, item.calls.length, pane)),
    still('extremes', extremes.map(call => call?.id ?? '').join(), () => extremeLine(extremes, pane)),
    {
      key: 'calls',
      sign: '',
      draw: () => callTable(item, pane),
      refresh: node => {
        refreshRows(node, item, pane);
      }
    }
  ];
}

function countStatuses(calls: readonly Call[]): [Status, number][] {
  const counts = new Map<Status, number>();
  for (const call of calls) {
    counts.set(call.status, (counts.get(call.status) ?? 0) + 1);
  }
  return ORDER.flatMap(status => {
    const count = counts.get(status);
    return count ? [[status, count] as [Status, number]] : [];
  });
}

function countBar(counts: readonly [Status, number][], of: number, { state: { words } }: Pane): HTMLElement {
  const bar = h('div', { class: 'rlm-detail-strip', attrs: { 'aria-hidden': 'true' } });
  for (const [status, count] of counts) {
    const part = h('span', { attrs: { 'data-status': status } });
    part.style.flexGrow = String(count / of);
    bar.append(part);
  }
  const told = counts.map(([status, count]) =>
    h(
      'span',
      { attrs: { 'data-status': status } },
      `${MARKS[status]} ${thousands(count)} ${statusWord(status, words)}`
    )
  );
  return h('div', { class: 'rlm-detail-counts' }, bar, h('p', {}, ...told));
}

function slowest(calls: readonly Call[]): Call | null {
  return most(calls, call => call.seconds ?? 0);
}

// Dollars where every call's are known, else tokens.
function costliest(calls: readonly Call[]): Call | null {
  const priced = calls.every(call => !call.below.usage.requests || call.below.usage.cost !== null);
  return most(calls, ({ below: { usage } }) => (priced ? (usage.cost ?? 0) : usage.tokens));
}

function most(calls: readonly Call[], measure: (call: Call) => number): Call | null {
  let [best, value]: [Call | null, number] = [null, 0];
  for (const call of calls) {
    const own = measure(call);
    if (own > value) {
      [best, value] = [call, own];
    }
  }
  return best;
}

function extremeLine([slow = null, dear = null]: readonly (Call | null)[], pane: Pane): HTMLElement {
  const { words } = pane.state;
  return h(
    'p',
    { class: 'rlm-detail-chips' },
    slow && selector(pane, slow.id, words.__('Slowest: %1, %2', slow.id, seconds(slow.seconds ?? 0))),
    dear && selector(pane, dear.id, words.__('Costliest: %1, %2', dear.id, spent(dear, pane)))
  );
}

function spent({ below: { usage } }: Call, { state: { words } }: Pane): string {
  return dollars(usage.cost) || words.__('%1 tokens', brief(usage.tokens));
}

function callTable(item: Batch, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const heads = [
    words.__('call'),
    words.__('status'),
    words.__('gave back'),
    words.__('time'),
    words.__('tokens'),
    words.__('cost')
  ];
  const made = h(
    'div',
    {},
    h(
      'table',
      { class: 'rlm-detail-table rlm-detail-calls' },
      h('thead', {}, h('tr', {}, ...heads.map(name => h('th', { attrs: { scope: 'col' } }, name)))),
      h('tbody', {})
    ),
    h('div', {})
  );
  refreshRows(made, item, pane);
  return made;
}

function refreshRows(node: HTMLElement, item: Batch, pane: Pane): void {
  const { words } = pane.state;
  const rows = bounded(
    pane,
    { key: `${item.key}|calls`, step: ROWS },
    item.calls,
    call => row(call, pane),
    left => words._n('Show %1 more call', 'Show more of %2 calls', left, thousands(left))
  );
  const body = node.querySelector('tbody');
  const foot = node.lastElementChild;
  if (body && foot instanceof HTMLElement) {
    reconcile(
      body,
      rows.filter(each => each.key !== MORE)
    );
    reconcile(
      foot,
      rows.filter(each => each.key === MORE)
    );
  }
}

function row(call: Call, pane: Pane): Section {
  const { store, words } = pane.state;
  const { status, below } = call;
  const time =
    call.seconds === null ? (store.live ? ticking(store.now - call.start) : '') : seconds(call.seconds);
  const sign = [status, time, below.usage.tokens, call.finished?.cut].join();
  return still(call.id, sign, () => {
    const result = call.error ? `${call.error.type}: ${call.error.message}` : (call.answer ?? '');
    return h(
      'tr',
      { attrs: { 'data-status': status } },
      h('th', { attrs: { scope: 'row' } }, selector(pane, call.id, call.id)),
      h('td', { class: 'rlm-detail-state' }, `${MARKS[status]} ${statusWord(status, words)}`),
      h('td', { class: 'rlm-detail-preview' }, firstLine(result, 120)),
      h('td', { attrs: { 'data-number': true } }, time),
      h('td', { attrs: { 'data-number': true } }, below.usage.requests ? brief(below.usage.tokens) : ''),
      h(
        'td',
        { attrs: { 'data-number': true } },
        below.usage.requests ? dollars(below.usage.cost) || '–' : ''
      )
    );
  });
}
