/** One row of the tree: it tells its story while it is closed. */

import { MARKS, brief, dollars, seconds, statusWord, thousands, ticking, tokens } from '../format';
import { isFailed } from '../model/rows';
import type { Item, Row } from '../model/rows';
import type { ViewState } from '../model/state';
import { title } from '../model/titles';
import { firstLine } from '../text';
import { Total } from '../trace/call';
import type { Call } from '../trace/call';
import type { Status } from '../trace/wire';
import { button, h, setAttribute } from './dom';

const MAX_MARKS = 40;
const RESULT = 120;

/** What is written in a row's cells. Two rows with equal facts look the same. */
interface Facts {
  readonly status: Status;
  readonly name: string;
  readonly text: string;
  readonly code: boolean;
  readonly result: string;
  readonly bad: boolean;
  readonly marks: string;
  readonly tags: readonly string[];
  readonly calls: string;
  readonly tokens: string;
  readonly cost: string;
  readonly time: string;
}

export class RowDrawer {
  private readonly shown = new WeakMap<HTMLElement, string>();

  constructor(
    private readonly state: ViewState,
    private readonly idBase: string
  ) {}

  /** The element of a row; one that is there already is only touched where it differs. */
  draw(row: Row, index: number, before: HTMLElement | null): HTMLElement {
    const element = before ?? this.make(row.item.key);
    const facts = this.facts(row.item);
    const key = JSON.stringify([facts, row.open, row.level]);
    if (this.shown.get(element) !== key) {
      this.shown.set(element, key);
      this.fill(element, row, facts);
    }
    setAttribute(element, 'aria-rowindex', index + 2);
    setAttribute(element, 'aria-level', row.level);
    setAttribute(element, 'aria-posinset', row.place);
    setAttribute(element, 'aria-setsize', row.of);
    setAttribute(element, 'aria-expanded', row.open === null ? null : String(row.open));
    setAttribute(element, 'aria-selected', String(this.state.selected === row.item.key));
    return element;
  }

  private make(key: string): HTMLElement {
    return h('div', {
      class: 'rlm-row',
      attrs: {
        role: 'row',
        id: `${this.idBase}-${key.replace(/[^0-9]+/g, '-')}${key.includes('@') ? 't' : ''}${key.endsWith('+') ? 'b' : ''}`,
        'data-key': key
      }
    });
  }

  private fill(element: HTMLElement, row: Row, facts: Facts): void {
    element.dataset['status'] = facts.status;
    element.dataset['kind'] = row.item.kind;
    setAttribute(element, 'data-bad', facts.bad);
    element.style.setProperty('--rlm-level', String(row.level - 1));
    element.replaceChildren(
      h('span', { class: 'rlm-cell rlm-step-cell', attrs: { role: 'gridcell' } }, ...this.step(row, facts)),
      ...[facts.calls, facts.tokens, facts.cost, facts.time].map(text =>
        h('span', { class: 'rlm-cell', attrs: { role: 'gridcell' } }, text)
      )
    );
  }

  private step(row: Row, facts: Facts): (Node | string | false)[] {
    const word = statusWord(facts.status, this.state.words);
    return [
      this.chevron(row),
      h(
        'span',
        { class: 'rlm-mark', attrs: { title: word, 'aria-hidden': 'true' } },
        facts.bad && facts.status !== 'interrupted' && facts.status !== 'cut off'
          ? MARKS.failed
          : MARKS[facts.status]
      ),
      h('span', { class: 'rlm-unseen' }, `${word} `),
      h('span', { class: 'rlm-kind' }, facts.name),
      h('span', { class: facts.code ? 'rlm-title rlm-code' : 'rlm-title' }, facts.text),
      facts.marks !== '' && this.marks(row.item),
      ...facts.tags.map(tag =>
        h('span', { class: tag.startsWith(MARKS.failed) ? 'rlm-tag rlm-bad' : 'rlm-tag' }, tag)
      ),
      facts.result !== '' && h('span', { class: 'rlm-result' }, facts.result)
    ];
  }

  private chevron(row: Row): HTMLElement {
    const { words } = this.state;
    if (row.open === null) {
      return h('span', { class: 'rlm-chevron-none' });
    }
    // For the mouse; the keyboard and a screen reader have the row's own expanded state.
    return button(row.open ? '▾' : '▸', {
      class: 'rlm-chevron',
      attrs: { tabindex: -1, 'aria-hidden': 'true', title: row.open ? words.__('Close') : words.__('Open') }
    });
  }

  private marks(item: Item): HTMLElement {
    const strip = h('span', { class: 'rlm-marks', attrs: { role: 'img' } });
    const calls = item.kind === 'batch' ? item.calls : [];
    setAttribute(strip, 'aria-label', countsOf(calls, this.state));
    for (const [status, length] of runs(sampled(calls))) {
      strip.append(h('span', { attrs: { 'data-status': status } }, MARKS[status].repeat(length)));
    }
    return strip;
  }

  private facts(item: Item): Facts {
    const told = title(item, this.state.words);
    const status = statusOf(item);
    return {
      status,
      name: this.name(item),
      text: told.text,
      code: told.code,
      result: resultOf(item),
      bad: isFailed(item),
      marks:
        item.kind === 'batch'
          ? `${countsOf(item.calls, this.state)}|${sampled(item.calls)
              .map(each => MARKS[each])
              .join('')}`
          : '',
      tags: this.tags(item),
      ...this.figures(item)
    };
  }

  private name(item: Item): string {
    const { words } = this.state;
    switch (item.kind) {
      case 'call':
        return item.call.kind;
      case 'turn':
        return words.__('turn %1', item.turn.number);
      case 'block':
        return words.__('block %1', item.block.number);
      case 'batch':
        return words.__('%1 × %2', thousands(item.calls.length), item.call.kind);
    }
  }

  private tags(item: Item): string[] {
    const { words } = this.state;
    const out: string[] = [];
    if (item.kind === 'call') {
      if (item.call.depth > 0 && item.call.batch === null && item.call.site?.line) {
        out.push(words.__('line %1', item.call.site.line));
      }
      if (item.call.retries) {
        out.push(words.__('retried %1×', item.call.retries));
      }
      if (item.call.started.depthCapped) {
        out.push(words.__('at the depth limit'));
      }
      if (item.call.reply?.finishReason === 'length') {
        out.push(words.__('cut off by the length limit'));
      }
    }
    if (item.kind === 'batch') {
      out.push(countsOf(item.calls, this.state));
    } else if (item.kind !== 'block') {
      const failed =
        item.kind === 'call'
          ? item.call.below.failed
          : failedIn(item.turn.blocks.flatMap(block => block.calls));
      if (failed && (item.kind === 'turn' || item.call.depth > 0)) {
        out.push(words.__('✗ %1 failed inside', thousands(failed)));
      }
    }
    return out;
  }

  private figures(item: Item): Pick<Facts, 'calls' | 'tokens' | 'cost' | 'time'> {
    const { words } = this.state;
    const { calls, usage } = sums(item);
    return {
      calls: calls ? brief(calls) : '',
      tokens: tokens(usage),
      cost: usage.requests ? dollars(usage.cost) || words.__('–') : '',
      time: this.time(item)
    };
  }

  private time(item: Item): string {
    const now = this.state.store.now;
    const [start, end] = spanOf(item);
    if (start === null) {
      return '';
    }
    if (end !== null) {
      return seconds(end - start);
    }
    return this.state.store.live ? ticking(now - start) : '';
  }
}

function statusOf(item: Item): Status {
  switch (item.kind) {
    case 'call':
      return item.call.status;
    case 'turn':
      return item.turn.blocks.some(block => !block.executed) || !item.turn.reply
        ? item.call.status
        : 'finished';
    case 'block':
      return item.block.executed ? 'finished' : item.call.status;
    case 'batch':
      return item.calls.some(call => call.status === 'running')
        ? 'running'
        : (item.calls.find(call => call.status !== 'finished')?.status ?? 'finished');
  }
}

function resultOf(item: Item): string {
  switch (item.kind) {
    case 'call': {
      const { error, answer } = item.call;
      return item.call.depth === 0
        ? ''
        : error
          ? arrow('✗', `${error.type}: ${error.message}`)
          : arrow('→', answer ?? '');
    }
    case 'turn':
      return item.turn.blocks.length === 1 ? outputOf(item.turn.blocks[0]?.executed ?? null) : '';
    case 'block':
      return outputOf(item.block.executed);
    case 'batch':
      return '';
  }
}

function outputOf(done: { error: { type: string; message: string } | null; stdout: string } | null): string {
  if (!done) {
    return '';
  }
  return done.error ? arrow('✗', `${done.error.type}: ${done.error.message}`) : arrow('→', done.stdout);
}

function arrow(sign: string, text: string): string {
  const line = firstLine(text, RESULT);
  return line ? `${sign} ${line}` : '';
}

function sums(item: Item): { calls: number; usage: Total } {
  switch (item.kind) {
    case 'call':
      return { calls: item.call.below.calls, usage: item.call.below.usage };
    case 'turn': {
      const usage = totalOf(item.turn.blocks.flatMap(block => block.calls));
      if (item.turn.reply) {
        usage.add(item.turn.reply.usage);
      }
      return { calls: countOf(item.turn.blocks.flatMap(block => block.calls)), usage };
    }
    case 'block':
      return { calls: countOf(item.block.calls), usage: totalOf(item.block.calls) };
    case 'batch':
      return { calls: countOf(item.calls), usage: totalOf(item.calls) };
  }
}

function countOf(calls: readonly Call[]): number {
  return calls.reduce((sum, call) => sum + 1 + call.below.calls, 0);
}

function failedIn(calls: readonly Call[]): number {
  return calls.reduce(
    (sum, call) => sum + Number(isFailed({ kind: 'call', key: call.id, call })) + call.below.failed,
    0
  );
}

function totalOf(calls: readonly Call[]): Total {
  const total = new Total();
  for (const call of calls) {
    total.merge(call.below.usage);
  }
  return total;
}

function spanOf(item: Item): [number | null, number | null] {
  switch (item.kind) {
    case 'call':
      return [item.call.start, item.call.end];
    case 'turn': {
      const { reply, blocks, asked } = item.turn;
      const start = asked[0]?.t ?? reply?.t ?? null;
      const last = blocks.at(-1);
      return [start, last ? (last.executed?.t ?? null) : (reply?.t ?? null)];
    }
    case 'block':
      return item.block.executed
        ? [item.block.executed.t - item.block.executed.seconds, item.block.executed.t]
        : [null, null];
    case 'batch': {
      const ends = item.calls.map(call => call.end);
      const start = item.calls.reduce((least, call) => Math.min(least, call.start), Infinity);
      return [
        start,
        ends.includes(null) ? null : ends.reduce<number>((most, end) => Math.max(most, end ?? 0), 0)
      ];
    }
  }
}

/** `18 finished, 2 failed`. */
function countsOf(calls: readonly Call[], { words }: ViewState): string {
  const counts = new Map<Status, number>();
  for (const call of calls) {
    counts.set(call.status, (counts.get(call.status) ?? 0) + 1);
  }
  const order = Object.keys(MARKS) as Status[];
  return order
    .filter(status => counts.has(status))
    .map(status => `${thousands(counts.get(status) ?? 0)} ${statusWord(status, words)}`)
    .join(', ');
}

const WORST: readonly Status[] = ['failed', 'cut off', 'interrupted', 'exhausted', 'running', 'finished'];

// One status for each call, or for each of as many equal parts as there is room for: the worst in it.
function sampled(calls: readonly Call[]): Status[] {
  const places = Math.min(MAX_MARKS, calls.length);
  const worst: number[] = Array.from({ length: places }, () => WORST.length - 1);
  calls.forEach((call, at) => {
    const place = Math.floor((at * places) / calls.length);
    worst[place] = Math.min(worst[place] ?? 0, WORST.indexOf(call.status));
  });
  return worst.map(rank => WORST[rank] ?? 'finished');
}

function runs(statuses: readonly Status[]): [Status, number][] {
  const out: [Status, number][] = [];
  for (const status of statuses) {
    const last = out.at(-1);
    if (last?.[0] === status) {
      last[1] += 1;
    } else {
      out.push([status, 1]);
    }
  }
  return out;
}
