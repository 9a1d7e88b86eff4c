/** A slim bar while a run waits for its server: why, when it is tried again, and what a person can do. */

import { PAUSED, nextTold, pauseOf, whyTold } from '../model/paused';
import type { ViewState } from '../model/state';
import type { RunPaused } from '../trace/wire';
import { button, h, setText } from './dom';

export class PauseBar {
  readonly node: HTMLElement;
  private readonly told = h('span', { class: 'rlm-pause-told' });
  private readonly next = h('span', { class: 'rlm-pause-next' });
  private readonly problem = h('span', { class: 'rlm-bad', attrs: { role: 'alert' } });
  private readonly tryNow: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private paused: RunPaused | null = null;
  private asked = '';

  constructor(private readonly state: ViewState) {
    const { words } = state;
    this.tryNow = button(words.__('Try now'), {
      class: 'rlm-button',
      attrs: { title: words.__('Try the server at once') },
      on: {
        click: () => {
          this.ask('tryNow');
        }
      }
    });
    this.stop = button(words.__('Stop'), {
      class: 'rlm-button rlm-stop',
      attrs: { title: words.__('End the run now and keep all it did; it can be resumed') },
      on: {
        click: () => {
          this.ask('stop');
        }
      }
    });
    this.node = h(
      'div',
      { class: 'rlm-pause-bar', attrs: { hidden: true } },
      this.told,
      this.next,
      this.tryNow,
      this.stop,
      this.problem
    );
  }

  update(): void {
    const { whole, playback, words } = this.state;
    const paused = playback ? null : pauseOf(whole);
    if (paused !== this.paused) {
      this.paused = paused;
      this.asked = this.asked === 'stop' && paused ? 'stop' : ''; // it was tried, or is over
      setText(this.problem, '');
    }
    this.node.hidden = paused === null;
    if (!paused) {
      return;
    }
    setText(this.told, `${PAUSED} ${whyTold(paused, words)}`);
    setText(this.next, nextTold(paused, whole.now, words));
    this.tryNow.disabled = whole.link === null || this.asked !== '' || whole.now >= paused.retryAt;
    this.stop.disabled = whole.link === null || this.asked === 'stop';
  }

  private ask(what: 'tryNow' | 'stop'): void {
    const { link } = this.state.whole;
    if (!link) {
      return;
    }
    this.asked = what;
    link[what]().catch((error: unknown) => {
      this.asked = '';
      setText(this.problem, error instanceof Error ? error.message : String(error));
      this.state.redraw();
    });
    this.update();
  }
}
