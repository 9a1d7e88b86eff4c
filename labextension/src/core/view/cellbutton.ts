/** A button that puts a cell into the notebook, or hands its source out where there is no notebook. */

import type { Words } from '../words';
import { copyButton } from './copy';
import { button } from './dom';
import type { Host } from './host';

/** `source` gives the cell when the button is pressed; null where there is none to give. */
export function cellButton(host: Host, words: Words, source: () => string | null): HTMLButtonElement {
  const insert = host.insertCell?.bind(host);
  if (!insert) {
    return copyButton(host, words, source, words.__('Copy as cell'));
  }
  return button(words.__('Insert cell'), {
    class: 'rlm-button',
    attrs: { title: words.__('A cell below that does the same, to be run and kept') },
    on: {
      click: () => {
        const cell = source();
        if (cell !== null) {
          insert(cell);
        }
      }
    }
  });
}
