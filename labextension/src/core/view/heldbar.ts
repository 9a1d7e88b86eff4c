/** A slim bar while a block waits for a person: which one, and what can be done without looking at it. */

import { firstHeld, heldKey, heldTold } from '../model/held';
import { HELD } from '../model/provenance';
import type { ViewState } from '../model/state';
import type { Choice } from '../model/store';
import type { BlockHeld } from '../trace/wire';
import { button, h, setText } from './dom';

export class HeldBar {
  readonly node: HTMLElement;
  private readonly told = h('span', { class: 'rlm-held-told' });
  private readonly problem = h('span', { class: 'rlm-bad', attrs: { role: 'alert' } });
  private readonly deciding: readonly HTMLButtonElement[];
  private held: BlockHeld | null = null;
  private asked: BlockHeld | null = null;

  /** `show` brings the block into sight. */
  constructor(
    private readonly state: ViewState,
    show: () => void
  ) {
    const { words } = state;
    this.deciding = [this.button(words.__('Run'), 'run'), this.button(words.__('Skip'), 'skip')];
    this.node = h(
      'div',
      { class: 'rlm-held-bar', attrs: { hidden: true } },
      this.told,
      button(words.__('Look at it'), {
        class: 'rlm-button',
        on: {
          click: () => {
            if (this.held) {
              state.select(heldKey(this.held, state.store));
              show();
            }
          }
        }
      }),
      ...this.deciding,
      this.problem
    );
  }

  update(): void {
    const { state } = this;
    const held = state.playback ? null : firstHeld(state.whole);
    if (held !== this.held) {
      this.held = held;
      setText(this.problem, '');
    }
    this.node.hidden = held === null;
    if (!held) {
      return;
    }
    const others = state.whole.tree.held.size - 1;
    const more = others ? state.words._n(', and %1 more', ', and %1 more', others) : '';
    setText(this.told, `${HELD} ${heldTold(held, state.words)}${more}`);
    for (const each of this.deciding) {
      each.disabled = state.whole.link === null || this.asked === held;
    }
  }

  private button(label: string, what: Choice): HTMLButtonElement {
    return button(label, {
      class: 'rlm-button',
      on: {
        click: () => {
          this.decide(what);
        }
      }
    });
  }

  private decide(what: Choice): void {
    const { link } = this.state.whole;
    const { held } = this;
    if (!link || !held) {
      return;
    }
    this.asked = held;
    link.decide(held, what).catch((error: unknown) => {
      this.asked = null;
      setText(this.problem, error instanceof Error ? error.message : String(error));
      this.state.redraw();
    });
    this.update();
  }
}
