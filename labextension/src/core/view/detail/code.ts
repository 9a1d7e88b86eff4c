/** The code tab: every block with its colours, beside each line what it asked, and the line at which it failed. */

import { seconds, thousands } from '../../format';
import { ranBlocks } from '../../model/detail';
import type { Ran } from '../../model/detail';
import { askedByLine, failingLine } from '../../model/lines';
import type { Asked } from '../../model/lines';
import type { Item } from '../../model/rows';
import { visible } from '../../text';
import type { Decision } from '../../trace/wire';
import type { Words } from '../../words';
import { copyButton } from '../copy';
import { button, h } from '../dom';
import { diffBody } from './diff';
import { codeLines } from './highlight';
import type { Word } from './highlight';
import { bounded, charCount, heading, selector, signOf } from './parts';
import type { Pane, Section } from './section';
import { textBody } from './text';

/** How many blocks are shown at first. */
export const BLOCKS = 20;
const LINES = 400;
const LONG_LINE = 5_000;

export function codeSections(item: Item, pane: Pane): Section[] {
  return blockSections(
    item,
    pane,
    ranBlocks(item),
    ran => `${signOf([ran.done])}|${askedSign(ran)}`,
    codeBlock
  );
}

/** A section for each block, the first twenty of them until a person asks for more in whichever tab. */
export function blockSections(
  item: Item,
  pane: Pane,
  blocks: readonly Ran[],
  sign: (ran: Ran) => string,
  draw: (ran: Ran, pane: Pane) => HTMLElement
): Section[] {
  const { words } = pane.state;
  return bounded(
    pane,
    { key: blocksKey(item), step: BLOCKS },
    blocks,
    ran => ({ key: ran.item.key, sign: sign(ran), draw: () => draw(ran, pane) }),
    left => words._n('Show %1 more block', 'Show more of %2 blocks', left, thousands(left))
  );
}

/** What remembers how many blocks of an item are shown. */
export function blocksKey(item: Item): string {
  return `${item.key}|blocks`;
}

/** What a block is called: its turn is said where blocks of several turns stand together. */
export function blockName({ item: { turn, block } }: Ran, { state: { words, selectedItem } }: Pane): string {
  return selectedItem?.kind === 'call'
    ? words.__('Turn %1, block %2', turn.number, block.number)
    : words.__('Block %1', block.number);
}

function askedSign({ item: { block } }: Ran): string {
  return [...askedByLine(block).values()]
    .map(each => `${String(each.calls)}.${String(each.failed)}`)
    .join(' ');
}

function codeBlock(ran: Ran, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const { done, item } = ran;
  const asked = askedByLine(item.block);
  const failing = failingLine(item.call, item.turn, item.block);
  const tooLong = hasLineOver(LONG_LINE, done.code);
  const lines = tooLong ? [] : codeLines(done.code);
  const body = tooLong
    ? textBody(pane, `${item.key}|code`, done.code, { name: words.__('Code') })
    : new CodeLines(pane, `${item.key}|lines`, lines, asked, failing).node;
  const unplaced = [...asked].filter(([line]) => line < 1 || line > lines.length);
  return h(
    'section',
    { class: 'rlm-detail-block' },
    heading(
      pane,
      item,
      blockName(ran, pane),
      h('span', { class: 'rlm-detail-size' }, `${charCount(done.code, pane)} · ${seconds(done.seconds)}`),
      done.error && h('span', { class: 'rlm-detail-tag rlm-bad' }, words.__('✗ failed')),
      decided(done.decision, words),
      h('span', { class: 'rlm-detail-gap' }),
      !tooLong && copyButton(pane.host, words, () => done.code)
    ),
    body,
    done.decision === 'edited' && item.block.held && edited(item.block.held.code, done.code, words),
    unplaced.length > 0 &&
      h('p', { class: 'rlm-detail-chips' }, ...unplaced.map(([line, each]) => chip(pane, each, line)))
  );
}

function decided(decision: Decision, words: Words): HTMLElement | null {
  switch (decision) {
    case '':
      return null;
    case 'edited':
      return h('span', { class: 'rlm-detail-tag' }, words.__('edited by a person'));
    case 'skipped':
      return h('span', { class: 'rlm-detail-tag' }, words.__('skipped by a person'));
  }
}

function edited(before: string, after: string, words: Words): HTMLElement {
  const told = words.__('What the person changed:');
  return h('div', {}, h('p', { class: 'rlm-detail-remark' }, told), diffBody(before, after, words));
}

function hasLineOver(most: number, code: string): boolean {
  for (let at = 0; at < code.length;) {
    const end = code.indexOf('\n', at);
    if ((end < 0 ? code.length : end) - at > most) {
      return true;
    }
    at = end < 0 ? code.length : end + 1;
  }
  return false;
}

class CodeLines {
  readonly node: HTMLElement;
  private readonly code: HTMLElement;
  private shown = 0;

  constructor(
    private readonly pane: Pane,
    private readonly key: string,
    private readonly lines: readonly Word[][],
    private readonly asked: ReadonlyMap<number, Asked>,
    private readonly failing: number | null
  ) {
    this.code = h('div', { class: 'rlm-detail-code', attrs: { tabindex: -1 } });
    this.code.style.setProperty('--rlm-digits', String(String(lines.length).length));
    this.node = h('div', {}, this.code);
    this.show(pane.memory.count(key, LINES));
  }

  private show(count: number): void {
    const to = Math.min(this.lines.length, this.shown + count);
    const fresh = this.lines.slice(this.shown, to).map((words, at) => this.line(words, this.shown + at + 1));
    this.code.append(...fresh);
    this.shown = to;
    const left = this.lines.length - to;
    if (left > 0) {
      this.node.append(this.more(left));
    }
  }

  private line(words: readonly Word[], number: number): HTMLElement {
    const asked = this.asked.get(number);
    const failed = number === this.failing;
    const { words: told } = this.pane.state;
    const source = h(
      'span',
      { class: 'rlm-detail-source' },
      ...words.map(({ text, classes }) =>
        classes ? h('span', { class: classes }, visible(text)) : visible(text)
      ),
      failed && h('span', { class: 'rlm-detail-fail-tag' }, told.__('✗ failed here')),
      asked && chip(this.pane, asked)
    );
    return h(
      'div',
      { class: `rlm-detail-line${failed ? ' rlm-detail-failing' : ''}`, attrs: { 'data-line': number } },
      source
    );
  }

  private more(left: number): HTMLElement {
    const { words } = this.pane.state;
    const foot = h(
      'p',
      { class: 'rlm-detail-more' },
      button(words._n('Show %1 more line', 'Show more of %2 lines', left, thousands(left)), {
        class: 'rlm-button',
        on: {
          click: () => {
            foot.remove();
            this.show(5 * LINES);
            this.pane.memory.setCount(this.key, this.shown);
            this.code.focus({ preventScroll: true });
          }
        }
      })
    );
    return foot;
  }
}

/** What a line asked, as a button that selects it. */
function chip(pane: Pane, asked: Asked, line = 0): HTMLElement {
  const { words } = pane.state;
  const calls = words._n('→ %1 sub-call', '→ %2 sub-calls', asked.calls, thousands(asked.calls));
  const failed = asked.failed ? words.__(', ✗ %1 failed', thousands(asked.failed)) : '';
  const where = line ? `${words.__('line %1', line)} ` : '';
  const made = selector(pane, asked.key, `${where}${calls}${failed}`, words.__('Go to what this line asked'));
  made.className = `rlm-detail-chip${asked.failed ? ' rlm-bad' : ''}`;
  return made;
}
