/** The form of the held block of the selected item; each is kept while its block waits, with what was typed. */

import { heldIn } from '../../model/provenance';
import type { Item } from '../../model/rows';
import type { BlockHeld } from '../../trace/wire';
import type { Pane } from '../detail/section';
import { h } from '../dom';
import { HeldForm } from './heldform';

export class HeldForms {
  readonly node = h('div', { class: 'rlm-form-place' });
  private readonly forms = new Map<BlockHeld, HeldForm>();
  private shown: HeldForm | null = null;

  /** `leave` takes the keyboard where the form that had it is gone. */
  constructor(
    private readonly pane: Pane,
    private readonly leave: () => void
  ) {}

  update(item: Item): void {
    const { state } = this.pane;
    const waiting = new Set(state.whole.tree.held.values());
    for (const held of this.forms.keys()) {
      if (!waiting.has(held)) {
        this.forms.delete(held);
      }
    }
    const held = state.playback ? null : (heldIn(item)?.held ?? null);
    this.show(held && waiting.has(held) ? this.form(held) : null);
  }

  private form(held: BlockHeld): HeldForm {
    const form = this.forms.get(held) ?? new HeldForm(this.pane, held);
    this.forms.set(held, form);
    return form;
  }

  private show(form: HeldForm | null): void {
    if (form !== this.shown) {
      const had = this.node.contains(document.activeElement);
      this.node.replaceChildren(...(form ? [form.node] : []));
      this.shown = form;
      if (had && form) {
        form.focus();
      } else if (had) {
        this.leave();
      }
    }
    this.node.hidden = form === null;
    form?.update();
  }
}
