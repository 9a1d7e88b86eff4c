/** The fields of a form: each with a label, none of them larger than it must be. */

import type { EditText } from '../../model/edit';
import type { Words } from '../../words';
import { freshId, h } from '../dom';

/** A field with its label. */
export interface Field<T extends HTMLElement> {
  readonly node: HTMLElement;
  readonly input: T;
}

/** What a text that can be changed is called. */
export function textName(name: EditText, block: number | null, words: Words): string {
  switch (name) {
    case 'hint':
      return words.__('Hint');
    case 'code':
      return block === null ? words.__('Code') : words.__('Code of block %1', block);
    case 'reply':
      return words.__('Reply');
    case 'prompt':
      return words.__('Prompt');
  }
}

/** A text of several lines; code is written in its own letters. */
export function textArea(label: string, code: boolean): Field<HTMLTextAreaElement> {
  const id = freshId('field');
  const input = h('textarea', {
    class: code ? 'rlm-form-text rlm-code' : 'rlm-form-text',
    attrs: { id, rows: 3, spellcheck: code ? 'false' : null, autocapitalize: 'off' }
  });
  return { input, node: h('div', { class: 'rlm-form-area' }, labelOf(id, label), input) };
}

/** Puts a text into its field, which becomes as high as that needs, within reason. */
export function fillArea(input: HTMLTextAreaElement, text: string): void {
  input.value = text;
  input.rows = Math.min(12, Math.max(3, text.split('\n', 12).length + 1));
}

/** A short text. `choices` are offered, and anything else can be typed. */
export function shortField(
  label: string,
  placeholder: string,
  choices: readonly string[] = []
): Field<HTMLInputElement> {
  const id = freshId('field');
  const list = choices.length ? `${id}-list` : null;
  const input = h('input', {
    class: 'rlm-form-short',
    attrs: {
      id,
      type: 'text',
      placeholder,
      list,
      spellcheck: 'false',
      autocomplete: 'off',
      autocapitalize: 'off'
    }
  });
  const offered =
    list !== null &&
    h('datalist', { attrs: { id: list } }, ...choices.map(value => h('option', { attrs: { value } })));
  return { input, node: h('div', { class: 'rlm-form-field' }, labelOf(id, label), input, offered) };
}

/** A number. Empty is none. */
export function numberField(label: string, placeholder: string): Field<HTMLInputElement> {
  const id = freshId('field');
  // Not of type number: what is no number would be told as an empty text.
  const input = h('input', {
    class: 'rlm-form-number',
    attrs: { id, type: 'text', inputmode: 'decimal', placeholder, autocomplete: 'off' }
  });
  return { input, node: h('div', { class: 'rlm-form-field' }, labelOf(id, label), input) };
}

/** One of several, all in sight. `chosen` is told the number of it. */
export function choice(label: string, options: readonly string[], chosen: (at: number) => void): HTMLElement {
  const name = freshId('choice');
  const pairs = options.map((option, at) => {
    const input = h('input', {
      attrs: { type: 'radio', name, value: at, checked: at === 0 },
      on: {
        change: () => {
          chosen(at);
        }
      }
    });
    return h('label', { class: 'rlm-form-option' }, input, option);
  });
  return h('fieldset', { class: 'rlm-form-choice' }, h('legend', {}, label), ...pairs);
}

function labelOf(id: string, label: string): HTMLElement {
  return h('label', { attrs: { for: id } }, label);
}
