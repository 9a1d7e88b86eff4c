/** One row of the tree: it tells its story while it is closed. */

import { MARKS, brief, dollars, seconds, statusWord, thousands, ticking, tokens } from '../format';
import { spanOf, statusOf } from '../model/detail';
import { DIFFERS, HELD, REPLAYED, isFromRecord, provenanceTags, replayedTold } from '../model/provenance';
import { isFailed } from '../model/rows';
import type { Item, Row } from '../model/rows';
import { callsIn, secondsIn, wholeUsage } from '../model/spent';
import type { ViewState } from '../model/state';
import { stepOf } from '../model/step';
import { countsOf, stripOf } from '../model/statuses';
import { title } from '../model/titles';
import { firstLine } from '../text';
import { isBad } from '../trace/call';
import type { Call } from '../trace/call';
import type { Status } from '../trace/wire';
import { button, h, setAttribute } from './dom';

const MAX_MARKS = 40;
const RESULT = 120;

/** What is written in a row's cells. Two rows with equal facts look the same. */
interface Facts {
  readonly status: Status;
  readonly replayed: boolean;
  readonly name: string;
  /** What `run["…"]` takes; the root's says nothing. */
  readonly id: string;
  readonly text: string;
  readonly code: boolean;
  readonly result: string;
  readonly bad: boolean;
  readonly strip: readonly (readonly [Status, number])[];
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
    setAttribute(element, 'data-replayed', facts.replayed);
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
    const word = this.standing(facts);
    const mark = facts.replayed && facts.status === 'finished' ? REPLAYED : MARKS[facts.status];
    return [
      this.chevron(row),
      h('span', { class: 'rlm-mark', attrs: { title: word, 'aria-hidden': 'true' } }, mark),
      h('span', { class: 'rlm-unseen' }, `${word} `),
      h('span', { class: 'rlm-kind' }, facts.name),
      facts.id !== '' && h('span', { class: 'rlm-id' }, facts.id),
      h('span', { class: facts.code ? 'rlm-title rlm-code' : 'rlm-title' }, facts.text),
      facts.strip.length > 0 && this.strip(row.item, facts),
      ...facts.tags.map(tag => h('span', { class: tagClass(tag) }, tag)),
      facts.result !== '' && h('span', { class: 'rlm-result' }, facts.result)
    ];
  }

  private standing({ status, replayed }: Facts): string {
    const { words } = this.state;
    const word = statusWord(status, words);
    return replayed ? words.__('%1, replayed', word) : word;
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

  private strip(item: Item, facts: Facts): HTMLElement {
    const told = item.kind === 'batch' ? countsOf(item.calls, this.state.words) : '';
    const marks = facts.strip.map(([status, length]) =>
      h('span', { attrs: { 'data-status': status } }, MARKS[status].repeat(length))
    );
    return h('span', { class: 'rlm-marks', attrs: { role: 'img', 'aria-label': told } }, ...marks);
  }

  private facts(item: Item): Facts {
    const told = title(item, this.state.words);
    const status = statusOf(item);
    return {
      status,
      replayed: isFromRecord(item),
      name: this.name(item),
      id: item.kind === 'call' && item.call.depth > 0 ? item.call.id : '',
      text: told.text,
      code: told.code,
      result: resultOf(item),
      bad: isFailed(item),
      strip: item.kind === 'batch' ? stripOf(item.calls, MAX_MARKS) : [],
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
    const { words, store } = this.state;
    const out = [...provenanceTags(item, store.tree, words), this.variants(item)].filter(Boolean);
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
      out.push(countsOf(item.calls, words));
      const replayed = isFromRecord(item) ? '' : replayedTold(item.calls, words);
      if (replayed) {
        out.push(replayed);
      }
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

  private variants(item: Item): string {
    const { relatives, words } = this.state;
    const root = item.kind === 'call' && item.call.depth === 0;
    const made = root || item.kind === 'batch' ? 0 : relatives.at(stepOf(item)).length;
    return made ? words._n('%1 variant', '%1 variants', made) : '';
  }

  private figures(item: Item): Pick<Facts, 'calls' | 'tokens' | 'cost' | 'time'> {
    const { words } = this.state;
    const calls = callsIn(item);
    const usage = wholeUsage(item);
    return {
      calls: calls ? brief(calls) : '',
      tokens: tokens(usage),
      cost: usage.requests ? dollars(usage.cost) || words.__('–') : '',
      time: this.time(item)
    };
  }

  private time(item: Item): string {
    const took = secondsIn(item, this.state.store);
    return took === null ? '' : spanOf(item)[1] === null ? ticking(took) : seconds(took);
  }
}

function tagClass(tag: string): string {
  const kind = tag.startsWith(MARKS.failed)
    ? ' rlm-bad'
    : tag.startsWith(DIFFERS)
      ? ' rlm-differs'
      : tag.startsWith(HELD)
        ? ' rlm-held'
        : '';
  return `rlm-tag${kind}`;
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

function failedIn(calls: readonly Call[]): number {
  return calls.reduce((sum, call) => sum + Number(isBad(call.status)) + call.below.failed, 0);
}
