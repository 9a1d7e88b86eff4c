/** A button with a menu below it, by the WAI-ARIA menu button pattern. */

import { button, freshId, h, setAttribute } from './dom';

export interface MenuItem {
  readonly label: string;
  readonly run: () => void;
}

export class Menu {
  readonly node: HTMLElement;
  private readonly opener: HTMLButtonElement;
  private readonly list: HTMLElement;
  private readonly away = (event: Event) => {
    if (!(event.target instanceof Node && this.node.contains(event.target))) {
      this.show(false);
    }
  };

  constructor(label: string, items: readonly MenuItem[]) {
    const id = freshId('menu');
    this.opener = button(label, {
      class: 'rlm-button rlm-more',
      attrs: { 'aria-haspopup': 'menu', 'aria-expanded': 'false', 'aria-controls': id },
      on: {
        click: () => {
          this.show(this.list.hidden);
        },
        keydown: event => {
          if (event.key === 'ArrowDown') {
            this.show(true);
            event.preventDefault();
          }
        }
      }
    });
    this.list = h(
      'div',
      {
        class: 'rlm-menu',
        attrs: { role: 'menu', id, hidden: true, 'aria-label': label },
        on: {
          keydown: event => {
            this.onKey(event);
          }
        }
      },
      ...items.map(item => this.item(item))
    );
    this.node = h('div', { class: 'rlm-menu-place' }, this.opener, this.list);
    this.node.hidden = items.length === 0;
  }

  dispose(): void {
    document.removeEventListener('pointerdown', this.away, true);
  }

  private item({ label, run }: MenuItem): HTMLElement {
    return button(label, {
      attrs: { role: 'menuitem', tabindex: -1 },
      on: {
        click: () => {
          this.show(false);
          this.opener.focus();
          run();
        }
      }
    });
  }

  private show(shown: boolean): void {
    this.list.hidden = !shown;
    setAttribute(this.opener, 'aria-expanded', String(shown));
    if (shown) {
      document.addEventListener('pointerdown', this.away, true);
      this.focus(0);
    } else {
      document.removeEventListener('pointerdown', this.away, true);
    }
  }

  private focus(at: number): void {
    const items = [...this.list.children];
    const item = items[(at + items.length) % items.length];
    if (item instanceof HTMLElement) {
      item.focus();
    }
  }

  private onKey(event: KeyboardEvent): void {
    const items = [...this.list.children];
    const at = items.indexOf(document.activeElement ?? this.list);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => {
        this.focus(at + 1);
      },
      ArrowUp: () => {
        this.focus(at - 1);
      },
      Home: () => {
        this.focus(0);
      },
      End: () => {
        this.focus(-1);
      },
      Escape: () => {
        this.show(false);
        this.opener.focus();
      },
      Tab: () => {
        this.show(false);
      }
    };
    const move = moves[event.key];
    if (move) {
      move();
      if (event.key !== 'Tab') {
        event.preventDefault();
      }
      event.stopPropagation();
    }
  }
}
