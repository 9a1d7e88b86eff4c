/** A text of any length: its beginning, with buttons for more, so that ten megabytes in one line freeze nothing. */

import { thousands } from '../../format';
import type { Part } from '../../model/printed';
import { plain, visible } from '../../text';
import { copyButton } from '../copy';
import { button, h } from '../dom';
import type { Child } from '../dom';
import { charCount } from './parts';
import type { Pane } from './section';

export const STEP = 20_000;
/** The most that is put into the page at once. */
export const LEAP = 2_000_000;
const NEAR = 2_000;

export interface TextOptions {
  /** What the text is. */
  readonly name: Child;
  /** What a screen reader calls it, where `name` is no text. */
  readonly label?: string;
  readonly class?: string;
  /** It came from a terminal: colour codes are dropped. */
  readonly printed?: boolean;
  /** The text in parts that look different; one part without. */
  readonly parts?: readonly Part[];
  /** More in its head. */
  readonly beside?: readonly Child[];
}

/** The text below a line with its name, its length and a copy button. `key` remembers how much of it is shown. */
export function textBody(pane: Pane, key: string, text: string, options: TextOptions): HTMLElement {
  const { words } = pane.state;
  const body = new LongText(pane, key, options.parts ?? [{ kind: 'seen', text }], options.printed ?? false);
  return h(
    'div',
    { class: `rlm-detail-text ${options.class ?? ''}` },
    h(
      'div',
      { class: 'rlm-detail-text-head' },
      typeof options.name === 'string' ? h('b', {}, options.name) : options.name,
      h('span', { class: 'rlm-detail-size' }, charCount(text, pane)),
      ...(options.beside ?? []),
      h('span', { class: 'rlm-detail-gap' }),
      copyButton(pane.host, words, () => text)
    ),
    text === '' ? h('p', { class: 'rlm-detail-empty' }, words.__('empty')) : body.node
  );
}

class LongText {
  readonly node: HTMLElement;
  private readonly pre = h('pre', { class: 'rlm-detail-pre', attrs: { tabindex: -1 } });
  private readonly foot = h('div', { class: 'rlm-detail-more' });
  private readonly length: number;
  private part = 0;
  private offset = 0;
  private shown = 0;

  constructor(
    private readonly pane: Pane,
    private readonly key: string,
    private readonly parts: readonly Part[],
    private readonly printed: boolean
  ) {
    this.length = parts.reduce((sum, part) => sum + part.text.length, 0);
    this.node = h('div', {}, this.pre, this.foot);
    this.show(Math.min(pane.memory.count(key, STEP), LEAP));
  }

  private show(chars: number): void {
    const until = this.shown + chars;
    while (this.shown < until && this.part < this.parts.length) {
      this.next(until - this.shown);
    }
    this.drawFoot();
  }

  // Every piece is an element, so that the browser lays out only those that are in sight.
  private next(room: number): void {
    const part = this.parts[this.part];
    if (!part) {
      return;
    }
    const to = pieceEnd(part.text, this.offset, Math.min(room, STEP));
    const piece = part.text.slice(this.offset, to);
    this.shown += piece.length;
    this.offset = to;
    if (to >= part.text.length) {
      this.part += 1;
      this.offset = 0;
    }
    this.pre.append(this.drawn(part.kind, piece));
  }

  private drawn(kind: Part['kind'], piece: string): HTMLElement {
    const { words } = this.pane.state;
    const shown = this.printed ? plain(piece) : visible(piece);
    // The element ends the line already.
    const line = shown.length > 1 && shown.endsWith('\n') ? shown.slice(0, -1) : shown;
    switch (kind) {
      case 'seen':
        return h('div', { class: 'rlm-detail-piece' }, line);
      case 'note':
        return h('div', { class: 'rlm-detail-note-line' }, line);
      case 'left out':
        return h(
          'div',
          { class: 'rlm-detail-piece rlm-detail-unseen' },
          h('span', { class: 'rlm-detail-unseen-tag' }, words.__('not seen by the model')),
          line
        );
    }
  }

  private drawFoot(): void {
    const { words } = this.pane.state;
    const left = this.length - this.shown;
    if (left <= 0) {
      this.foot.remove();
      return;
    }
    const all = left <= LEAP ? words.__('Show all') : words.__('Show %1 more', thousands(LEAP));
    this.foot.replaceChildren(
      h('span', {}, words.__('%1 of %2 characters', thousands(this.shown), thousands(this.length))),
      ...(left > STEP ? [this.more(words.__('Show %1 more', thousands(STEP)), STEP)] : []),
      this.more(all, LEAP)
    );
  }

  private more(label: string, chars: number): HTMLElement {
    return button(label, {
      class: 'rlm-button',
      on: {
        click: () => {
          this.show(chars);
          this.pane.memory.setCount(this.key, this.shown);
          this.pre.focus({ preventScroll: true });
        }
      }
    });
  }
}

/** Where a piece ends: at the end of a line where one is near, never inside a pair of surrogates. */
export function pieceEnd(text: string, from: number, most: number): number {
  const to = from + Math.max(2, most);
  if (to >= text.length) {
    return text.length;
  }
  const line = text.lastIndexOf('\n', to - 1) + 1;
  if (line > from && line >= to - NEAR) {
    return line;
  }
  const code = text.charCodeAt(to - 1);
  return code >= 0xd800 && code < 0xdc00 ? to - 1 : to;
}
