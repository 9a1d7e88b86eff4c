/** The usage tab: requests, tokens, cost and time, an item's own and with all below it, and its share of the limits. */

import { brief, dollars, seconds, thousands, ticking } from '../../format';
import type { Item } from '../../model/rows';
import { callsIn, ownUsage, secondsIn, shares, tokensPerSecond, wholeUsage } from '../../model/spent';
import type { Share } from '../../model/spent';
import { isReplayed, waitedFor } from '../../trace/call';
import type { Total } from '../../trace/total';
import { repliesOf, spanOf } from '../../model/detail';
import { h } from '../dom';
import { remark, scrolled, still } from './parts';
import { recordedTold } from './reply';
import type { Pane, Section } from './section';
import { factList } from './variables';

export function usageSections(item: Item, pane: Pane): Section[] {
  const { words } = pane.state;
  const rows = usageRows(item, pane);
  const facts = timeFacts(item, pane);
  const used = shares(item, pane.state.store);
  const recorded = repliesOf(item).filter(isReplayed);
  return [
    still('usage', JSON.stringify(rows), () => usageTable(rows, pane)),
    ...(recorded.length
      ? [still('recorded', String(recorded.length), () => remark(recordedTold(recorded, words)))]
      : []),
    still('time', JSON.stringify(facts), () =>
      h('section', {}, h('h3', { class: 'rlm-detail-heading' }, words.__('Time')), factList(facts))
    ),
    ...(used.length ? [still('budget', shareSign(used), () => budget(used, pane))] : [])
  ];
}

interface UsageRow {
  readonly name: string;
  readonly cells: readonly string[];
}

function usageRows(item: Item, { state: { words } }: Pane): UsageRow[] {
  const own = ownUsage(item);
  const whole = wholeUsage(item);
  const calls = callsIn(item);
  const isRoot = item.kind === 'call' && item.call.depth === 0;
  const below = words._n('with its %1 sub-call', 'with its %2 sub-calls', calls, thousands(calls));
  const name =
    item.kind === 'batch' ? words.__('the whole batch') : isRoot ? words.__('the whole run') : below;
  const rows =
    item.kind === 'block' || item.kind === 'batch'
      ? []
      : [{ name: words.__('its own'), cells: cells(own, words) }];
  return calls > 0 || item.kind === 'batch' || item.kind === 'block'
    ? [...rows, { name, cells: cells(whole, words) }]
    : rows;
}

function cells(usage: Total, words: Pane['state']['words']): string[] {
  const about = usage.estimated ? '≈ ' : '';
  if (!usage.requests) {
    return ['0', '–', '–', '–', '–'];
  }
  return [
    thousands(usage.requests),
    about + thousands(usage.inputTokens),
    about + thousands(usage.outputTokens),
    usage.cachedTokens ? thousands(usage.cachedTokens) : '–',
    dollars(usage.cost) || words.__('unknown')
  ];
}

function usageTable(rows: readonly UsageRow[], { state: { words } }: Pane): HTMLElement {
  const heads = [
    words.__('requests'),
    words.__('input tokens'),
    words.__('output tokens'),
    words.__('cached input'),
    words.__('cost')
  ];
  const estimated = rows.some(row => row.cells.some(text => text.startsWith('≈')));
  const unknown = rows.some(row => row.cells.includes(words.__('unknown')));
  return h(
    'section',
    {},
    h(
      'div',
      scrolled(words.__('Usage')),
      h(
        'table',
        { class: 'rlm-detail-table rlm-detail-usage' },
        h(
          'thead',
          {},
          h('tr', {}, h('td', {}), ...heads.map(name => h('th', { attrs: { scope: 'col' } }, name)))
        ),
        h(
          'tbody',
          {},
          ...rows.map(row =>
            h(
              'tr',
              {},
              h('th', { attrs: { scope: 'row' } }, row.name),
              ...row.cells.map(text => h('td', { attrs: { 'data-number': true } }, text))
            )
          )
        )
      )
    ),
    estimated &&
      h('p', { class: 'rlm-detail-remark' }, words.__('≈ estimated: the server gave no count of tokens.')),
    unknown &&
      h(
        'p',
        { class: 'rlm-detail-remark' },
        words.__('The cost is unknown: neither the server nor a price list told it for every request.')
      )
  );
}

function timeFacts(item: Item, { state: { store, words } }: Pane): [string, string][] {
  const took = secondsIn(item, store);
  const [start, end] = spanOf(item);
  const replies = repliesOf(item);
  const waited = replies.reduce((sum, reply) => sum + waitedFor(reply), 0);
  const rate = tokensPerSecond(item);
  const retries = replies.reduce((sum, reply) => sum + reply.retries, 0);
  return [
    [
      words.__('took'),
      took === null ? '' : end === null ? words.__('%1 so far', ticking(took)) : seconds(took)
    ],
    [words.__('began'), start === null ? '' : words.__('%1 into the run', seconds(start))],
    [words.__('waited for the model'), replies.length ? seconds(waited) : ''],
    [
      words.__('speed'),
      rate === null ? '' : words.__('%1 output tokens a second', rate < 10 ? rate.toFixed(1) : brief(rate))
    ],
    [words.__('retries'), retries ? thousands(retries) : '']
  ];
}

function shareSign(used: readonly Share[]): string {
  return used.map(share => `${share.limit} ${share.used.toFixed(1)} ${String(share.most)}`).join();
}

function budget(used: readonly Share[], { state: { words } }: Pane): HTMLElement {
  return h(
    'section',
    {},
    h('h3', { class: 'rlm-detail-heading' }, words.__('Share of the limits of the run')),
    h('div', { class: 'rlm-detail-meters' }, ...used.flatMap(share => meter(share, words)))
  );
}

function meter({ limit, used, most }: Share, words: Pane['state']['words']): HTMLElement[] {
  const name = limitName(limit, words);
  const percent = (100 * used) / most;
  const rounded = percent > 0 && percent < 1 ? '<1' : percent.toFixed(0);
  const told = words.__('%1 of %2 (%3 %)', amount(limit, used), amount(limit, most), rounded);
  const bar = h('span', {
    class: 'rlm-detail-bar',
    attrs: {
      role: 'meter',
      'aria-label': name,
      'aria-valuemin': 0,
      'aria-valuemax': most,
      'aria-valuenow': Math.min(used, most),
      'aria-valuetext': told
    }
  });
  bar.style.setProperty('--rlm-used', `${String(Math.min(100, percent))}%`);
  return [h('span', {}, name), bar, h('span', { class: 'rlm-detail-size' }, told)];
}

function amount(limit: Share['limit'], value: number): string {
  return limit === 'max_seconds' ? seconds(value) : thousands(value);
}

function limitName(limit: Share['limit'], words: Pane['state']['words']): string {
  switch (limit) {
    case 'max_turns':
      return words.__('turns');
    case 'max_calls':
      return words.__('sub-calls');
    case 'max_tokens':
      return words.__('tokens');
    case 'max_seconds':
      return words.__('time');
  }
}
