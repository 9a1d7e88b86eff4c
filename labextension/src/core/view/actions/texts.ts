/** The texts of a form, of which one is changed: each begins as it is in the record. */

import { changeablesAt, isCut, recordedText } from '../../model/draft';
import type { Changeable } from '../../model/draft';
import { findItem } from '../../model/rows';
import type { Item } from '../../model/rows';
import type { ViewState } from '../../model/state';
import type { RunStore } from '../../model/store';
import type { Derived } from '../../trace/wire';
import { h } from '../dom';
import { choice, fillArea, textArea, textName } from './fields';
import type { Field } from './fields';

interface TextField {
  readonly name: string;
  readonly field: Field<HTMLTextAreaElement>;
  /** It holds the whole recorded text, or what a person made of it. */
  filled: boolean;
  /** Whom the whole text was asked of. */
  asked: RunStore['link'];
}

export class Texts {
  readonly node: HTMLElement;
  private readonly fields: readonly TextField[];
  private at = 0;

  /** `changed` is told when another one is chosen or a text has come, and of what went wrong with it. */
  constructor(
    private readonly state: ViewState,
    private readonly kind: Derived,
    private readonly item: Item,
    private readonly changed: (problem: string) => void
  ) {
    const { words } = state;
    const all = changeablesAt(item, kind);
    this.fields = all.map(({ name, block, event }) => {
      const field = textArea(textName(name, block, words), name === 'code');
      return { name: nameOf({ name, block }), field, filled: event === null, asked: null };
    });
    this.node = h(
      'div',
      { class: 'rlm-form-texts', attrs: { hidden: all.length === 0 } },
      kind === 'fork' && this.choices(all),
      ...this.fields.map(({ field }) => field.node)
    );
    this.choose(0);
  }

  private choices(all: readonly Changeable[]): HTMLElement {
    const { words } = this.state;
    const names = all.map(({ name, block }) => textName(name, block, words));
    return choice(words.__('What to change'), [...names, words.__('Nothing: ask again')], at => {
      this.choose(at);
      this.changed('');
    });
  }

  /** The text that is changed, as the record has it now; null where it is none. */
  get chosen(): Changeable | null {
    const field = this.fields[this.at];
    // The record may have come anew meanwhile, fuller than before.
    const item = findItem(this.state.whole.tree, this.item.key) ?? this.item;
    return changeablesAt(item, this.kind).find(each => nameOf(each) === field?.name) ?? null;
  }

  /** What is written in its field. */
  get text(): string {
    return this.input?.value ?? '';
  }

  get input(): HTMLTextAreaElement | null {
    return this.fields[this.at]?.field.input ?? null;
  }

  /** Whether only a part of the chosen text is here. */
  get cut(): boolean {
    return this.fields[this.at]?.filled === false;
  }

  /** Fills the chosen field; a text that is shortened here is asked for once of each kernel. */
  fill(): void {
    const field = this.fields[this.at];
    const { chosen } = this;
    if (!field || !chosen || field.filled) {
      return;
    }
    const { input } = field.field;
    field.filled = !isCut(chosen);
    fillArea(input, recordedText(chosen));
    input.disabled = !field.filled;
    if (!field.filled) {
      this.complete(field, chosen);
    }
  }

  private complete(field: TextField, { event }: Changeable): void {
    const { whole } = this.state;
    if (!event || !whole.link || field.asked === whole.link) {
      return;
    }
    field.asked = whole.link;
    whole.wholeEvents([event]).then(
      () => {
        this.changed('');
      },
      (error: unknown) => {
        this.changed(error instanceof Error ? error.message : String(error));
      }
    );
  }

  private choose(at: number): void {
    this.at = at;
    this.fields.forEach(({ field }, each) => {
      field.node.hidden = each !== at;
    });
  }
}

function nameOf({ name, block }: Pick<Changeable, 'name' | 'block'>): string {
  return `${name} ${String(block ?? '')}`;
}
