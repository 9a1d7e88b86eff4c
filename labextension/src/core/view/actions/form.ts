/** The form of an action: what is changed at a step before the run goes on from there, and the two ways to do it. */

import { cellSource } from '../../model/cellsource';
import { Draft } from '../../model/draft';
import type { Problem } from '../../model/draft';
import type { Edit } from '../../model/edit';
import type { Item } from '../../model/rows';
import { visible } from '../../text';
import type { Derived } from '../../trace/wire';
import { cellButton } from '../cellbutton';
import type { Pane } from '../detail/section';
import { button, h, setText } from '../dom';
import { Options } from './options';
import { Texts } from './texts';
import { explained, needsKernel, problemTold, title } from './told';

/** `node` keeps what was typed as long as it is kept. */
export class ActionForm {
  readonly node: HTMLElement;
  private readonly draft: Draft;
  private readonly texts: Texts;
  private readonly options: Options;
  private readonly run: HTMLButtonElement;
  private readonly problem = h('p', { class: 'rlm-form-problem', attrs: { role: 'alert' } });
  private readonly note = h('p', { class: 'rlm-form-note' });
  private starting = false;

  /** `done` is told when runs were started, `close` when a person is done with the form. */
  constructor(
    private readonly pane: Pane,
    kind: Derived,
    item: Item,
    private readonly done: (runs: readonly string[], at: string) => void,
    private readonly close: () => void
  ) {
    const { state } = pane;
    this.draft = new Draft(kind, item);
    this.texts = new Texts(state, kind, item, problem => {
      this.say(problem && state.words.__('The whole text did not come: %1', problem));
      this.update();
    });
    this.options = new Options(state, kind, item);
    this.run = button('', { class: 'rlm-button rlm-primary', attrs: { type: 'submit' } });
    this.node = this.made();
    this.update();
  }

  /** Looks again whether there is a kernel, and whether its texts have come. */
  update(): void {
    const { words, whole } = this.pane.state;
    this.texts.fill();
    this.run.disabled = whole.link === null || this.starting;
    setText(this.run, this.starting ? words.__('Starting…') : words.__('Run it'));
    const notes = [
      this.texts.cut ? words.__('Only a part of the text is here, so it cannot be edited.') : '',
      whole.link ? '' : needsKernel(words)
    ];
    setText(this.note, notes.filter(Boolean).join(' '));
    this.note.hidden = !this.note.textContent;
  }

  /** Puts the keyboard into the first field. */
  focus(): void {
    const first = [...this.node.querySelectorAll<HTMLElement>('input:checked, textarea, input, button')];
    first.find(each => !each.matches(':disabled') && !each.closest('[hidden]'))?.focus();
  }

  private made(): HTMLElement {
    const { words } = this.pane.state;
    const { kind, item } = this.draft;
    const name = title(kind, item, words);
    const foot = [
      this.run,
      this.asCell(),
      button(words.__('Close'), { class: 'rlm-link', on: { click: this.close } })
    ];
    return h(
      'form',
      {
        class: 'rlm-form',
        attrs: { 'aria-label': name, novalidate: true },
        on: {
          submit: event => {
            event.preventDefault();
            void this.start();
          },
          keydown: event => {
            this.onKey(event);
          },
          input: () => {
            this.say('');
          }
        }
      },
      h('p', { class: 'rlm-form-head' }, h('b', {}, name), ` ${explained(kind, words)}`),
      this.texts.node,
      this.options.node,
      this.problem,
      this.note,
      h('div', { class: 'rlm-form-foot' }, ...foot)
    );
  }

  /** The edit that is typed; null where something is wrong with it, which is said. */
  private edit(): Edit | null {
    const { chosen, text } = this.texts;
    const edit = this.draft.edit({ changed: chosen, text, ...this.options.typed });
    if (typeof edit === 'string') {
      this.refuse(edit);
      return null;
    }
    this.say('');
    return edit;
  }

  private refuse(problem: Problem): void {
    this.say(problemTold(problem, this.pane.state.words));
    (this.options.fieldOf(problem) ?? this.texts.input)?.focus();
  }

  private say(problem: string): void {
    setText(this.problem, visible(problem));
  }

  private async start(): Promise<void> {
    const { link } = this.pane.state.whole;
    const edit = link && !this.starting ? this.edit() : null;
    if (!link || !edit) {
      return;
    }
    const { kind, at } = this.draft;
    this.starting = true;
    this.update();
    try {
      this.done(await link.derive(kind, at, edit), at);
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    } finally {
      this.starting = false;
      this.update();
    }
  }

  private asCell(): HTMLElement {
    const { host, state } = this.pane;
    const { words } = state;
    const source = () => {
      const edit = this.edit();
      return edit && cellSource(this.draft.kind, state.whole.id, this.draft.at, edit);
    };
    return cellButton(host, words, source);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      void this.start();
    } else if (event.key === 'Escape') {
      this.close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
