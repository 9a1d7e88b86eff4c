/** The actions on the selected item: buttons in the head of the detail, and the form of the one that is chosen. */

import { actionsAt } from '../../model/draft';
import type { Item } from '../../model/rows';
import type { Derived } from '../../trace/wire';
import type { Pane } from '../detail/section';
import { button, freshId, h, setAttribute, setText } from '../dom';
import { ActionForm } from './form';
import { actionName } from './told';

/** Forms that are kept with what was typed; the oldest go first. */
const MOST_FORMS = 40;

export class Actions {
  /** The buttons. */
  readonly bar: HTMLElement;
  /** The form, while one is open. */
  readonly place: HTMLElement;
  private readonly id = freshId('form');
  private readonly buttons = new Map<Derived, HTMLButtonElement>();
  private readonly told = h('span', { class: 'rlm-action-told', attrs: { role: 'status' } });
  private readonly forms = new Map<string, ActionForm>();
  /** By the key of an item, which form is open. */
  private readonly opened = new Map<string, Derived>();
  private item: Item | null = null;
  private shown: ActionForm | null = null;

  /** `started` is told when runs were started. */
  constructor(
    private readonly pane: Pane,
    private readonly started: () => void
  ) {
    const { words } = pane.state;
    for (const kind of ['replay', 'rerun', 'fork', 'resume'] as const) {
      this.buttons.set(kind, this.button(kind));
    }
    this.bar = h(
      'div',
      { class: 'rlm-actions', attrs: { role: 'group', 'aria-label': words.__('Actions') } },
      ...this.buttons.values(),
      this.told
    );
    this.place = h('div', { class: 'rlm-form-place', attrs: { id: this.id } });
  }

  update(item: Item): void {
    const { state } = this.pane;
    if (item.key !== this.item?.key) {
      setText(this.told, '');
    }
    this.item = item;
    const offered = actionsAt(item, state.whole);
    for (const [kind, node] of this.buttons) {
      node.hidden = !offered.includes(kind);
      setAttribute(node, 'aria-expanded', String(this.opened.get(item.key) === kind));
    }
    this.bar.hidden = offered.length === 0;
    const kind = this.opened.get(item.key);
    this.show(kind && offered.includes(kind) ? this.form(item, kind) : null);
  }

  /** Opens the form of an action on the selected item and puts the keyboard into it. */
  open(kind: Derived): void {
    const item = this.pane.state.selectedItem;
    if (item && actionsAt(item, this.pane.state.whole).includes(kind)) {
      this.opened.set(item.key, kind);
      if (!this.pane.state.whole.link) {
        this.pane.host.findKernel?.();
      }
      this.update(item);
      this.shown?.focus();
    }
  }

  private button(kind: Derived): HTMLButtonElement {
    return button(actionName(kind, this.pane.state.words), {
      class: 'rlm-button',
      attrs: { 'data-action': kind, 'aria-controls': this.id },
      on: {
        click: () => {
          if (this.item && this.opened.get(this.item.key) === kind) {
            this.close(this.item);
          } else {
            this.open(kind);
          }
        }
      }
    });
  }

  private form(item: Item, kind: Derived): ActionForm {
    const key = `${item.key} ${kind}`;
    let form = this.forms.get(key);
    if (!form) {
      const close = () => {
        this.close(item);
        this.buttons.get(kind)?.focus();
      };
      form = new ActionForm(
        this.pane,
        kind,
        item,
        (runs, at) => {
          this.begun(item, kind, runs, at);
        },
        close
      );
      this.forms.set(key, form);
      const [oldest] = this.forms.keys();
      if (this.forms.size > MOST_FORMS && oldest !== undefined) {
        this.forms.delete(oldest);
      }
    }
    return form;
  }

  private begun(item: Item, kind: Derived, runs: readonly string[], at: string): void {
    const { state } = this.pane;
    state.relatives.expect(runs.map(run => ({ run, kind, at })));
    this.close(item);
    this.buttons.get(kind)?.focus();
    setText(this.told, state.words._n('%2 was started', '%1 runs were started', runs.length, runs.join()));
    this.started();
  }

  private close(item: Item): void {
    this.opened.delete(item.key);
    if (this.item?.key === item.key) {
      this.update(item);
    }
  }

  private show(form: ActionForm | null): void {
    if (form !== this.shown) {
      this.place.replaceChildren(...(form ? [form.node] : []));
      this.shown = form;
    }
    this.place.hidden = form === null;
    form?.update();
  }
}
