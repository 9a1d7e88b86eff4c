/** The rows of two runs side by side: a step each, or many in one that have nothing more to tell. */

import { MARKS, statusWord, thousands } from '../format';
import type { Aspect, Change, Fold, Row, Side, StepKind, Verdict } from '../model/compare';
import { delta, deltaTold, figuresTold } from '../model/figures';
import { REPLAYED } from '../model/provenance';
import { shorten, visible } from '../text';
import type { Words } from '../words';
import { diffBody, sidesBody } from './detail/diff';
import type { Memory } from './detail/memory';
import type { Section } from './detail/section';
import { button, freshId, h, setAttribute } from './dom';

const MOST_CHARS = 20_000;
export const COLUMNS = 5;

/** What rows need to draw themselves. */
export interface Rows {
  readonly words: Words;
  readonly memory: Memory;
  /** Whether texts stand beside each other, and not in one. */
  readonly sides: boolean;
  redraw(): void;
}

export function rowSection(row: Row, rows: Rows): Section {
  const { words } = rows;
  const changes = shownChanges(row);
  const cells = [
    sideTold(row.left, words),
    sideTold(row.right, words),
    whatTold(row, words),
    titleOf(row),
    difference(row, words)
  ];
  const sizes = changes.map(({ aspect, left, right }) => [aspect, left.length, right.length]);
  return {
    key: row.place,
    sign: JSON.stringify([row.kind, row.verdict, cells, sizes, rows.sides]),
    draw: () => new StepRow(row, changes, rows).node
  };
}

class StepRow {
  readonly node: HTMLElement;
  private readonly key: string;
  private readonly id = freshId('changes');
  private readonly opener: HTMLButtonElement | null;
  private body: HTMLElement | null = null;

  constructor(
    row: Row,
    private readonly changes: readonly Change[],
    private readonly rows: Rows
  ) {
    const { words } = rows;
    this.key = `row ${row.place}`;
    this.opener = changes.length ? opener(this.toggle.bind(this), stepName(row, words)) : null;
    const title = titleOf(row);
    this.node = h(
      'tbody',
      { attrs: { 'data-place': row.place, 'data-verdict': row.verdict } },
      h(
        'tr',
        {},
        h('th', { attrs: { scope: 'row' } }, this.opener ?? stepName(row, words)),
        cell(sideTold(row.left, words), row.left),
        cell(sideTold(row.right, words), row.right),
        h(
          'td',
          { class: 'rlm-compare-what' },
          h('span', { class: 'rlm-compare-verdict' }, whatTold(row, words)),
          title && h('span', { class: 'rlm-compare-title' }, title)
        ),
        h('td', { class: 'rlm-compare-more' }, difference(row, words))
      )
    );
    this.show();
  }

  private toggle(): void {
    const { memory } = this.rows;
    memory.setFlag(this.key, !memory.flag(this.key, false));
    this.show();
  }

  private show(): void {
    const open = this.opener !== null && this.rows.memory.flag(this.key, false);
    if (!open) {
      this.body?.remove();
    } else {
      this.body ??= this.drawBody();
      this.node.append(this.body);
    }
    if (this.opener) {
      setAttribute(this.opener, 'aria-expanded', String(open));
      setAttribute(this.opener, 'aria-controls', open ? this.id : null);
    }
  }

  private drawBody(): HTMLElement {
    return h(
      'tr',
      { class: 'rlm-compare-changes', attrs: { id: this.id } },
      h(
        'td',
        { attrs: { colspan: COLUMNS } },
        h('div', { class: 'rlm-compare-texts' }, ...this.changes.map(change => changeBody(change, this.rows)))
      )
    );
  }
}

/** Many rows in one that opens. */
export function foldSection(fold: Fold, rows: Rows): Section {
  const { words, memory } = rows;
  // Its end moves while the runs go on.
  const key = foldKey(fold);
  const told = foldTold(fold, words);
  return {
    key,
    sign: JSON.stringify([fold.place, told]),
    draw: () => {
      const toggle = () => {
        memory.setFlag(key, !memory.flag(key, false));
        rows.redraw();
      };
      return h(
        'tbody',
        { attrs: { 'data-place': key, 'data-verdict': fold.verdict } },
        h(
          'tr',
          {},
          h('th', { attrs: { scope: 'row' } }, opener(toggle, visible(fold.place))),
          h('td', { attrs: { colspan: COLUMNS - 1 } }, told)
        )
      );
    },
    refresh: node => {
      const found = node.querySelector('.rlm-compare-open');
      if (found) {
        setAttribute(found, 'aria-expanded', String(memory.flag(key, false)));
      }
    }
  };
}

/** Names a fold for good. */
export function foldKey({ rows: [first], verdict }: Fold): string {
  return `fold ${first?.place ?? ''} ${verdict}`;
}

/** A text of both runs with what changed in it, or of one of them. */
export function changeBody({ aspect, left, right }: Change, { words, sides }: Rows): HTMLElement {
  const name = h('b', {}, aspectName(aspect, words));
  if (!left || !right) {
    const whose = left ? words.__('only left') : words.__('only right');
    return h(
      'div',
      { class: 'rlm-compare-text' },
      h('div', { class: 'rlm-compare-text-head' }, name, h('span', { class: 'rlm-detail-size' }, whose)),
      h(
        'pre',
        { class: 'rlm-detail-pre', attrs: { tabindex: -1 } },
        visible(shorten(left || right, MOST_CHARS))
      )
    );
  }
  return h(
    'div',
    { class: 'rlm-compare-text' },
    h('div', { class: 'rlm-compare-text-head' }, name),
    sides && left !== right
      ? sidesBody(left, right, [words.__('Left'), words.__('Right')], words)
      : diffBody(left, right, words)
  );
}

function opener(toggle: () => void, name: string): HTMLButtonElement {
  return button(name, {
    class: 'rlm-compare-open',
    attrs: { 'aria-expanded': 'false' },
    on: { click: toggle }
  });
}

function cell(told: string, side: Side | null): HTMLElement {
  return h('td', { class: 'rlm-compare-side', attrs: { 'data-status': side?.status ?? null } }, told);
}

// The status is in the row, the root's answer and error are above all rows.
function shownChanges(row: Row): readonly Change[] {
  const above: readonly Aspect[] = row.place === '0' ? ['status', 'answer', 'error'] : ['status'];
  return [...row.changes, ...row.alone].filter(({ aspect }) => !above.includes(aspect));
}

function stepName({ place, kind }: Row, words: Words): string {
  return `${visible(place)} ${kindWord(kind, words)}`;
}

function kindWord(kind: StepKind, words: Words): string {
  switch (kind) {
    case 'turn':
      return words.__('turn');
    case 'rlm':
    case 'llm':
      return kind;
  }
}

function sideTold(side: Side | null, words: Words): string {
  if (!side) {
    return '–';
  }
  const { status, replayed } = side;
  return [`${MARKS[status]} ${statusWord(status, words)}`, replayed ? words.__('%1 replayed', REPLAYED) : '']
    .filter(Boolean)
    .join(' · ');
}

function whatTold({ verdict, changes }: Row, words: Words): string {
  const aspects = changes.filter(({ aspect }) => aspect !== 'status');
  return verdict === 'changed' && aspects.length
    ? words.__('%1 changed', aspects.map(({ aspect }) => aspectWord(aspect, words)).join(', '))
    : verdictWord(verdict, words);
}

function titleOf({ left, right }: Row): string {
  return right?.title ?? left?.title ?? '';
}

function difference({ left, right }: Row, words: Words): string {
  if (left && right) {
    return deltaTold(delta(left.figures, right.figures), words);
  }
  const only = left ?? right;
  return only ? figuresTold(only.figures) : '';
}

/** `2 calls and 1 turn the same · ↻ 2 replayed`. */
function foldTold({ rows, verdict }: Fold, words: Words): string {
  const turns = rows.filter(({ kind }) => kind === 'turn').length;
  const calls = rows.length - turns;
  const replayed = rows.filter(row => row.replayed).length;
  const many = [
    calls ? words._n('%2 call', '%2 calls', calls, thousands(calls)) : '',
    turns ? words._n('%2 turn', '%2 turns', turns, thousands(turns)) : ''
  ].filter(Boolean);
  const told = many.length === 2 ? words.__('%1 and %2', many[0] ?? '', many[1] ?? '') : (many[0] ?? '');
  return [
    `${told} ${verdictWord(verdict, words)}`,
    replayed ? words.__('%1 %2 replayed', REPLAYED, thousands(replayed)) : ''
  ]
    .filter(Boolean)
    .join(' · ');
}

export function verdictWord(verdict: Verdict, words: Words): string {
  switch (verdict) {
    case 'same':
      return words.__('the same');
    case 'changed':
      return words.__('changed');
    case 'only left':
      return words.__('only left');
    case 'only right':
      return words.__('only right');
  }
}

function aspectWord(aspect: Aspect, words: Words): string {
  switch (aspect) {
    case 'status':
      return words.__('status');
    case 'prompt':
      return words.__('prompt');
    case 'model':
      return words.__('model');
    case 'reply':
      return words.__('reply');
    case 'code':
      return words.__('code');
    case 'output':
      return words.__('output');
    case 'answer':
      return words.__('answer');
    case 'error':
      return words.__('error');
  }
}

function aspectName(aspect: Aspect, words: Words): string {
  switch (aspect) {
    case 'status':
      return words.__('Status');
    case 'prompt':
      return words.__('Prompt');
    case 'model':
      return words.__('Model');
    case 'reply':
      return words.__('Reply');
    case 'code':
      return words.__('Code');
    case 'output':
      return words.__('Output');
    case 'answer':
      return words.__('Answer');
    case 'error':
      return words.__('Error');
  }
}
