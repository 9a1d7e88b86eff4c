/** The tabs of the detail, by the WAI-ARIA pattern: one in the tab order, arrows between them, chosen as they are reached. */

import { thousands } from '../../format';
import type { Item } from '../../model/rows';
import type { TabName } from '../../model/state';
import type { Words } from '../../words';
import { button, freshId, h, setAttribute, setText } from '../dom';

export class Tabs {
  readonly node: HTMLElement;
  readonly panelId = freshId('detail');
  private readonly buttons = new Map<TabName, HTMLButtonElement>();
  private offered: readonly TabName[] = [];
  private chosen: TabName = 'raw';

  constructor(
    private readonly words: Words,
    private readonly choose: (name: TabName) => void
  ) {
    this.node = h('div', {
      class: 'rlm-detail-tabs',
      attrs: { role: 'tablist', 'aria-label': words.__('Detail') },
      on: {
        keydown: event => {
          this.onKey(event);
        }
      }
    });
  }

  /** The id of a tab, for what it labels. */
  tabId(name: TabName): string {
    return `${this.panelId}-${name}`;
  }

  update(item: Item, offered: readonly TabName[], chosen: TabName, variants = 0): void {
    if (offered.join() !== this.offered.join()) {
      const held = this.node.contains(document.activeElement);
      this.node.replaceChildren(...offered.map(name => this.button(name)));
      this.offered = offered;
      if (held) {
        this.buttons.get(chosen)?.focus();
      }
    }
    this.chosen = chosen;
    for (const name of offered) {
      const tab = this.button(name);
      const label = tabLabel(name, item, this.words);
      setText(tab, name === 'variants' ? variantsLabel(item, variants, this.words) : label);
      setAttribute(tab, 'aria-selected', String(name === chosen));
      tab.tabIndex = name === chosen ? 0 : -1;
    }
  }

  focus(): void {
    this.buttons.get(this.chosen)?.focus();
  }

  private button(name: TabName): HTMLButtonElement {
    let made = this.buttons.get(name);
    if (!made) {
      made = button('', {
        class: 'rlm-detail-tab',
        attrs: { role: 'tab', id: this.tabId(name), 'aria-controls': this.panelId },
        on: {
          click: () => {
            this.choose(name);
          }
        }
      });
      this.buttons.set(name, made);
    }
    return made;
  }

  private onKey(event: KeyboardEvent): void {
    const { offered } = this;
    const at = offered.indexOf(this.chosen);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: offered.length - 1 }[event.key];
    const name = to === undefined ? undefined : offered[(to + offered.length) % offered.length];
    if (name && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.choose(name);
      this.buttons.get(name)?.focus();
      event.preventDefault();
      event.stopPropagation();
    }
  }
}

function variantsLabel(item: Item, count: number, words: Words): string {
  if (count === 0) {
    return words.__('Original');
  }
  return item.kind === 'call' && item.call.depth === 0
    ? words.__('Runs made from this (%1)', thousands(count))
    : words.__('Variants (%1)', thousands(count));
}

function tabLabel(name: TabName, item: Item, words: Words): string {
  switch (name) {
    case 'prompt':
      return words.__('Prompt');
    case 'reply':
      return item.kind === 'batch'
        ? words.__('Calls')
        : item.kind === 'call' && item.call.kind === 'rlm'
          ? words.__('Answer')
          : words.__('Reply');
    case 'code':
      return words.__('Code');
    case 'output':
      return words.__('Output');
    case 'variables':
      return words.__('Variables');
    case 'variants':
      return words.__('Variants');
    case 'usage':
      return words.__('Usage');
    case 'raw':
      return words.__('Raw');
  }
}
