/** Small pieces that several tabs are made of. */

import { thousands } from '../../format';
import type { Item } from '../../model/rows';
import { lengthOf } from '../../model/sent';
import type { TraceEvent } from '../../trace/wire';
import { button, h } from '../dom';
import type { Child } from '../dom';
import type { Pane, Section } from './section';

/** The key of the section with the button for more. */
export const MORE = 'more';

/** `12,345 characters`. */
export function charCount(text: string, { state: { words } }: Pane): string {
  const chars = lengthOf(text);
  return words._n('%1 character', '%2 characters', chars, thousands(chars));
}

/** A button that selects another item. */
export function selector(pane: Pane, key: string, label: string, title?: string): HTMLButtonElement {
  return button(label, {
    class: 'rlm-detail-go',
    attrs: { title },
    on: {
      click: () => {
        pane.state.select(key);
      }
    }
  });
}

/** A part that opens; what is in it is made when it is opened for the first time. */
export function fold(
  pane: Pane,
  key: string,
  summary: readonly Child[],
  body: () => Node,
  { open = false, class: classes = '' } = {}
): HTMLElement {
  const details = h('details', { class: `rlm-detail-fold ${classes}` }, h('summary', {}, ...summary));
  let filled = false;
  const fill = () => {
    if (!filled) {
      filled = true;
      details.append(body());
    }
  };
  details.open = pane.memory.flag(key, open);
  if (details.open) {
    fill();
  }
  details.addEventListener('toggle', () => {
    pane.memory.setFlag(key, details.open);
    if (details.open) {
      fill();
    }
  });
  return details;
}

/** A section that never changes by itself. */
export function still(key: string, sign: string, draw: () => HTMLElement): Section {
  return { key, sign, draw };
}

/** What names the state of events: their numbers, and whether they are whole. */
export function signOf(events: readonly TraceEvent[]): string {
  return events.map(event => `${String(event.seq)}.${String(event.cut)}`).join(' ');
}

/** Sections for the first of many items, and a button for more. `key` remembers how many. */
export function bounded<T>(
  pane: Pane,
  { key, step }: { readonly key: string; readonly step: number },
  items: readonly T[],
  section: (item: T) => Section,
  more: (left: number) => string
): Section[] {
  const shown = shownOf(pane, key, step);
  const sections = items.slice(0, shown).map(section);
  const left = items.length - shown;
  return left > 0 ? [...sections, moreSection(pane, { key, step }, left, more)] : sections;
}

/** How many of many items are shown by now. */
export function shownOf(pane: Pane, key: string, step: number): number {
  return pane.memory.count(key, step);
}

function moreSection(
  pane: Pane,
  { key, step }: { readonly key: string; readonly step: number },
  left: number,
  more: (left: number) => string
): Section {
  const label = more(left);
  const draw = () =>
    h(
      'p',
      { class: 'rlm-detail-more' },
      button(label, {
        class: 'rlm-button',
        on: {
          click: () => {
            pane.memory.setCount(key, shownOf(pane, key, step) + step);
            pane.redraw();
          }
        }
      })
    );
  return { key: MORE, sign: label, draw };
}

/** A heading over what belongs to one turn or block, which selects it. */
export function heading(pane: Pane, item: Item, label: string, ...beside: readonly Child[]): HTMLElement {
  return h(
    'h3',
    { class: 'rlm-detail-heading' },
    item.key === pane.state.selected ? h('span', {}, label) : selector(pane, item.key, label),
    ...beside
  );
}

/** A line that says something about the text around it. */
export function remark(...children: readonly Child[]): HTMLElement {
  return h('p', { class: 'rlm-detail-remark' }, ...children);
}

/** What makes a place that scrolls by itself reachable with the keyboard. */
export function scrolled(name: string): { class: string; attrs: Record<string, string | number> } {
  return { class: 'rlm-detail-table-place', attrs: { role: 'group', tabindex: 0, 'aria-label': name } };
}
