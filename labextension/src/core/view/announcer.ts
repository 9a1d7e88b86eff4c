/** Tells a screen reader how the run stands: at most one line in two seconds. */

import { seconds, statusWord } from '../format';
import { firstHeld, heldTold } from '../model/held';
import { pauseOf, whyTold } from '../model/paused';
import type { ViewState } from '../model/state';
import type { BlockHeld } from '../trace/wire';
import { h, setText } from './dom';

const PAUSE = 2000;

export class Announcer {
  readonly node = h('div', { class: 'rlm-unseen', attrs: { 'aria-live': 'polite', role: 'status' } });
  private said = -Infinity;
  private status = '';
  private held: BlockHeld | null = null;
  private paused = false;

  constructor(private readonly state: ViewState) {}

  update(): void {
    const { store } = this.state;
    const now = performance.now();
    const held = this.state.playback ? null : firstHeld(store);
    if (held !== this.held) {
      this.held = held;
      if (held) {
        setText(this.node, heldTold(held, this.state.words));
        this.said = now;
        return;
      }
    }
    if (this.tellsPause(now)) {
      return;
    }
    const ended = this.status === 'running' && store.status !== 'running';
    if (!ended && (!store.live || now - this.said < PAUSE)) {
      this.status = store.status;
      return;
    }
    this.said = now;
    this.status = store.status;
    setText(this.node, this.line());
  }

  // Once for each pause, not for each try.
  private tellsPause(now: number): boolean {
    const { store, playback, words } = this.state;
    const pause = playback ? null : pauseOf(store);
    if ((pause !== null) === this.paused) {
      return false;
    }
    this.paused = pause !== null;
    if (!pause && !store.live) {
      return false;
    }
    setText(this.node, pause ? whyTold(pause, words) : words.__('The run goes on'));
    this.said = now;
    return true;
  }

  private line(): string {
    const { store, words } = this.state;
    const calls = store.tree.root?.below.calls ?? 0;
    return [
      statusWord(store.status, words),
      words._n('%1 sub-call', '%1 sub-calls', calls),
      store.live ? '' : seconds(store.now)
    ]
      .filter(Boolean)
      .join(', ');
  }
}
