/** The answer below the tree, or the error that took its place. */

import { runLabel } from '../model/provenance';
import type { ViewState } from '../model/state';
import { shorten, visible } from '../text';
import { copyButton } from './copy';
import { button, h } from './dom';
import type { Host } from './host';

const SHOWN = 2_000;
const MOST = 200_000;

export class AnswerPanel {
  readonly node = h('div', { class: 'rlm-answer' });
  private shown = '';
  private whole = false;

  constructor(
    private readonly state: ViewState,
    private readonly host: Host
  ) {}

  update(): void {
    const end = this.state.store.tree.end;
    const key = JSON.stringify([end?.seq, end?.cut, this.whole]);
    if (key === this.shown) {
      return;
    }
    this.shown = key;
    this.node.replaceChildren(...(end ? this.parts(end.answer, end.error) : []));
  }

  private parts(answer: string | null, error: { type: string; message: string } | null): HTMLElement[] {
    const { words } = this.state;
    const out: HTMLElement[] = [];
    if (answer !== null) {
      out.push(this.part(words.__('Answer'), answer, 'rlm-answer-text'));
    }
    if (error) {
      out.push(this.part(words.__('Error'), `${error.type}: ${error.message}`, 'rlm-answer-text rlm-bad'));
    }
    return out;
  }

  private part(name: string, text: string, classes: string): HTMLElement {
    const { words, store } = this.state;
    const label = runLabel(store.tree, words);
    const limit = this.whole ? MOST : SHOWN;
    return h(
      'div',
      { class: 'rlm-answer-part' },
      h(
        'div',
        { class: 'rlm-answer-head' },
        h('b', {}, name),
        label && h('span', { class: 'rlm-mode' }, label),
        copyButton(this.host, words, () => text)
      ),
      h('div', { class: classes }, visible(shorten(text, limit))),
      text.length > SHOWN && this.more(text.length)
    );
  }

  private more(chars: number): HTMLElement {
    const { words } = this.state;
    const name = this.whole
      ? words.__('show less')
      : words.__('show all %1 characters', chars.toLocaleString('en-US'));
    return button(name, {
      class: 'rlm-link',
      on: {
        click: () => {
          this.whole = !this.whole;
          this.update();
        }
      }
    });
  }
}
