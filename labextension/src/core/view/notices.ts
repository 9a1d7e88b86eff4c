/** What a person must know about what is shown: what is missing here and where it is, what went wrong with the file. */

import { thousands } from '../format';
import type { ViewState } from '../model/state';
import { visible } from '../text';
import { h } from './dom';

export class Notices {
  readonly node = h('div', { class: 'rlm-notices' });
  private shown = '';

  constructor(private readonly state: ViewState) {}

  update(): void {
    const lines = this.lines();
    const key = lines.join('\n');
    if (key !== this.shown) {
      this.shown = key;
      this.node.replaceChildren(
        ...lines.map(line =>
          h('p', { class: 'rlm-notice' }, h('b', {}, `${this.state.words.__('Note')} `), line)
        )
      );
    }
  }

  private lines(): string[] {
    const { whole: store, words } = this.state;
    const out = store.warning ? [visible(store.warning)] : [];
    if (store.omittedCalls) {
      const here = store.tree.calls.size;
      const all = here + store.omittedCalls;
      out.push(
        words.__('%1 of %2 calls are kept in this notebook.', thousands(here), thousands(all)) + this.where()
      );
    } else if (store.cutTexts && !store.link) {
      out.push(
        words._n('%1 long text is shortened here.', '%1 long texts are shortened here.', store.cutTexts) +
          this.where()
      );
    }
    return out;
  }

  private where(): string {
    const { whole: store, words } = this.state;
    return store.path ? ` ${words.__('The whole trace: %1', visible(store.path))}` : '';
  }
}
