/** Texts that are shortened here: asked of the kernel once when they are shown, and said to be short where none answers. */

import { thousands } from '../../format';
import type { Link } from '../../model/store';
import { shorten, visible } from '../../text';
import type { TraceEvent } from '../../trace/wire';
import { button, h } from '../dom';
import type { Pane } from './section';

const REASON = 300;

/** `node` says how the shown texts stand; empty when they are whole. */
export class WholeTexts {
  readonly node = h('div', { class: 'rlm-detail-whole', attrs: { role: 'status' } });
  private link: Link | null = null;
  private readonly asked = new Set<number>();
  private waiting = 0;
  private problem = '';
  private shown = '';

  constructor(private readonly pane: Pane) {}

  /** Sees to it that these events are whole, as far as that can be. */
  update(events: readonly TraceEvent[]): void {
    const { whole: store } = this.pane.state;
    if (store.link !== this.link) {
      this.link = store.link;
      this.asked.clear();
      this.problem = '';
    }
    const cut = events.filter(event => event.cut > 0);
    const fresh = cut.filter(event => !this.asked.has(event.seq));
    if (this.link && fresh.length && !this.problem) {
      void this.ask(fresh);
    }
    this.draw(cut.reduce((sum, event) => sum + event.cut, 0));
  }

  /** Asks for these events; resolves, whatever comes of it, when it is known. */
  async ask(events: readonly TraceEvent[]): Promise<void> {
    const { whole: store } = this.pane.state;
    for (const event of events) {
      this.asked.add(event.seq);
    }
    this.waiting += 1;
    try {
      await store.wholeEvents(events);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.waiting -= 1;
      this.pane.redraw();
    }
  }

  private draw(short: number): void {
    const key = JSON.stringify([
      short,
      this.waiting > 0,
      this.problem,
      this.link !== null,
      this.pane.state.whole.path
    ]);
    if (key !== this.shown) {
      this.shown = key;
      this.node.replaceChildren(...this.parts(short));
    }
  }

  private parts(short: number): (Node | string)[] {
    const { words, whole: store } = this.pane.state;
    if (!short) {
      return [];
    }
    if (this.waiting) {
      return [words.__('loading the whole text…')];
    }
    const told = words._n(
      '%1 text is shortened here',
      '%2 texts are shortened here',
      short,
      thousands(short)
    );
    if (this.problem) {
      const why = visible(shorten(this.problem, REASON));
      return [words.__('%1; the whole text did not come: %2 ', told, why), this.again()];
    }
    return [store.path ? words.__('%1; the whole trace is in %2', told, visible(store.path)) : `${told}.`];
  }

  private again(): HTMLElement {
    return button(this.pane.state.words.__('Try again'), {
      class: 'rlm-button',
      on: {
        click: () => {
          this.problem = '';
          this.asked.clear();
          this.pane.redraw();
        }
      }
    });
  }
}
