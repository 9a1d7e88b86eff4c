/** A button that puts a text on the clipboard and says whether that went well; null is nothing to copy. */

import type { Words } from '../words';
import { button, setText } from './dom';
import type { Host } from './host';

const SAID_FOR = 1500;

export function copyButton(
  host: Host,
  words: Words,
  text: () => string | null,
  label?: string
): HTMLButtonElement {
  const name = label ?? words.__('Copy');
  const say = (what: string) => {
    setText(made, what);
    setTimeout(() => {
      setText(made, name);
    }, SAID_FOR);
  };
  const made = button(name, {
    class: 'rlm-link',
    attrs: { 'aria-live': 'polite' },
    on: {
      click: () => {
        const copied = text();
        if (copied === null) {
          return;
        }
        host.copy(copied).then(
          () => {
            say(words.__('Copied'));
          },
          () => {
            say(words.__('The browser does not allow it'));
          }
        );
      }
    }
  });
  return made;
}
