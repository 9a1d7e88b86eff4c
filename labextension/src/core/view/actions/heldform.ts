/** The block that waits for a person: its code, to be run, changed, or left out. */

import { heldTold } from '../../model/held';
import { HELD } from '../../model/provenance';
import type { Choice } from '../../model/store';
import { visible } from '../../text';
import type { BlockHeld } from '../../trace/wire';
import type { Pane } from '../detail/section';
import { button, h, setText } from '../dom';
import { fillArea, textArea } from './fields';

/** `node` keeps what was typed as long as it is kept. */
export class HeldForm {
  readonly node: HTMLElement;
  private readonly area;
  private readonly run: HTMLButtonElement;
  private readonly runEdited: HTMLButtonElement;
  private readonly skip: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private readonly problem = h('p', { class: 'rlm-form-problem', attrs: { role: 'alert' } });
  private readonly note = h('p', { class: 'rlm-form-note' });
  private filled = false;
  private asked = false;
  private deciding = false;

  constructor(
    private readonly pane: Pane,
    private readonly held: BlockHeld
  ) {
    const { words } = pane.state;
    this.area = textArea(words.__('Code'), true);
    this.run = this.button(words.__('Run'), 'run', 'rlm-button rlm-primary');
    this.runEdited = this.button(words.__('Run edited'), 'edit', 'rlm-button');
    this.skip = this.button(words.__('Skip'), 'skip', 'rlm-button');
    this.stop = button(words.__('Stop the run'), {
      class: 'rlm-button rlm-stop',
      on: {
        click: () => {
          void this.ask(() => pane.state.whole.link?.stop());
        }
      }
    });
    const told = `${HELD} ${heldTold(held, words)}.`;
    this.node = h(
      'form',
      {
        class: 'rlm-form rlm-held-form',
        attrs: { 'aria-label': told, tabindex: -1 },
        on: {
          submit: event => {
            event.preventDefault();
          },
          input: () => {
            this.update();
          },
          keydown: event => {
            this.onKey(event);
          }
        }
      },
      h('p', { class: 'rlm-form-head' }, h('b', {}, told), ` ${words.__('Nothing of it has run yet.')}`),
      this.area.node,
      this.problem,
      this.note,
      h('div', { class: 'rlm-form-foot' }, this.run, this.runEdited, this.skip, this.stop)
    );
    this.update();
  }

  /** Puts the keyboard to the form as a whole: one more press of Enter must not run what nobody has looked at. */
  focus(): void {
    this.node.focus({ preventScroll: true });
  }

  update(): void {
    const { words, whole } = this.pane.state;
    this.fill();
    const able = whole.link !== null && !this.deciding;
    const changed = this.filled && this.area.input.value !== this.held.code;
    this.run.disabled = this.skip.disabled = this.stop.disabled = !able;
    this.runEdited.disabled = !able || !changed;
    const cut = this.filled ? '' : words.__('Only a part of the code is here, so it cannot be edited.');
    setText(this.note, whole.link ? cut : words.__('The kernel of the run cannot be reached.'));
    this.note.hidden = !this.note.textContent;
  }

  private fill(): void {
    const { held } = this;
    const { whole } = this.pane.state;
    if (this.filled) {
      return;
    }
    fillArea(this.area.input, held.code);
    this.filled = held.cut === 0;
    this.area.input.disabled = !this.filled;
    if (!this.filled && whole.link && !this.asked) {
      this.asked = true;
      void this.ask(() => whole.wholeEvents([held]));
    }
  }

  private button(label: string, what: Choice, classes: string): HTMLButtonElement {
    return button(label, {
      class: classes,
      on: {
        click: () => {
          this.decide(what);
        }
      }
    });
  }

  private decide(what: Choice): void {
    const { link } = this.pane.state.whole;
    if (!link || this.deciding) {
      return;
    }
    const code = this.area.input.value;
    if (what === 'edit' && !code.trim()) {
      setText(this.problem, this.pane.state.words.__('The code is empty: skip the block instead.'));
      return;
    }
    if (this.node.contains(document.activeElement)) {
      this.focus();
    }
    this.deciding = true;
    void this.ask(() =>
      what === 'edit' ? link.decide(this.held, what, code) : link.decide(this.held, what)
    );
  }

  private async ask(what: () => Promise<void> | undefined): Promise<void> {
    setText(this.problem, '');
    try {
      const asked = what();
      this.update();
      await asked;
    } catch (error) {
      this.deciding = false;
      setText(this.problem, visible(error instanceof Error ? error.message : String(error)));
    }
    this.update();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      this.decide(this.runEdited.disabled ? 'run' : 'edit');
      event.preventDefault();
      event.stopPropagation();
    }
  }
}
