/** The short fields of a form: who answers, how, and how far a run may go. */

import { LIMITS } from '../../model/edit';
import type { Limit } from '../../model/edit';
import type { Problem, Typed } from '../../model/draft';
import type { Item } from '../../model/rows';
import type { ViewState } from '../../model/state';
import { visible } from '../../text';
import type { Derived } from '../../trace/wire';
import { h } from '../dom';
import { numberField, shortField } from './fields';
import type { Field } from './fields';
import { limitName } from './told';

type Name = 'model' | 'temperature' | 'samples' | Limit;

const MOST_MODELS = 20;

export class Options {
  readonly node: HTMLElement;
  private readonly fields = new Map<Name, Field<HTMLInputElement>>();

  constructor(
    private readonly state: ViewState,
    kind: Derived,
    item: Item
  ) {
    const { words } = state;
    if (kind !== 'replay') {
      this.fields.set(
        'model',
        shortField(words.__('Model'), visible(item.call.started.model), this.models())
      );
    }
    if (kind === 'rerun') {
      this.fields.set('temperature', numberField(words.__('Temperature'), words.__('as it was')));
      this.fields.set('samples', numberField(words.__('Samples'), '1'));
    }
    if (kind === 'fork' || kind === 'resume') {
      for (const name of LIMITS) {
        this.fields.set(name, this.limit(name, kind));
      }
    }
    const nodes = [...this.fields.values()].map(field => field.node);
    this.node = h('div', { class: 'rlm-form-row', attrs: { hidden: nodes.length === 0 } }, ...nodes);
  }

  get typed(): Omit<Typed, 'changed' | 'text'> {
    return {
      model: this.text('model'),
      temperature: this.text('temperature'),
      samples: this.text('samples'),
      limits: Object.fromEntries(LIMITS.map(name => [name, this.text(name)]))
    };
  }

  /** The field that a problem is about. */
  fieldOf(problem: Problem): HTMLInputElement | null {
    return [...this.fields].find(([name]) => name === problem)?.[1].input ?? null;
  }

  private text(name: Name): string {
    return this.fields.get(name)?.input.value ?? '';
  }

  private limit(name: Limit, kind: Derived): Field<HTMLInputElement> {
    const { words, whole } = this.state;
    const { run, root } = whole.tree;
    const most = run?.settings[name];
    const known = typeof most === 'number';
    const field = numberField(limitName(name, words), known ? String(most) : words.__('none'));
    // A run that used its turns up needs more of them to go on.
    if (kind === 'resume' && whole.status === 'exhausted' && name === 'max_turns' && known && root) {
      field.input.value = root.turns.length >= most ? String(2 * most) : '';
    }
    return field;
  }

  // Those that the run asked, for who wants one of them.
  private models(): string[] {
    const names = new Set<string>();
    for (const call of this.state.whole.tree.calls.values()) {
      names.add(call.started.model);
      if (names.size > MOST_MODELS) {
        break;
      }
    }
    names.delete('');
    return [...names].map(visible);
  }
}
