/** The bar above the lenses: which one, the search with its count, the quick searches, follow. */

import { thousands } from '../format';
import { LENSES } from '../model/state';
import type { LensName, ViewState } from '../model/state';
import { button, freshId, h, setAttribute, setText } from './dom';

interface Chip {
  readonly query: string;
  readonly node: HTMLButtonElement;
}

export class Toolbar {
  readonly node: HTMLElement;
  readonly panelId = freshId('panel');
  private readonly tabs = new Map<LensName, HTMLButtonElement>();
  private readonly search: HTMLInputElement;
  private readonly count = h('span', { class: 'rlm-count', attrs: { role: 'status' } });
  private readonly steps: readonly HTMLButtonElement[];
  private readonly chips: readonly Chip[];
  private readonly follow: HTMLButtonElement;

  constructor(
    private readonly state: ViewState,
    private readonly leave: () => void
  ) {
    const { words } = state;
    this.search = this.searchBox();
    this.steps = [
      this.stepButton(-1, '↑', words.__('Previous match')),
      this.stepButton(1, '↓', words.__('Next match'))
    ];
    this.chips = [
      this.chip('status:failed', words.__('Errors')),
      this.chip('slowest:10', words.__('Slowest')),
      this.chip('costliest:10', words.__('Costliest'))
    ];
    this.follow = button(words.__('Follow'), {
      class: 'rlm-chip rlm-follow',
      attrs: { title: words.__('Keep the newest step in view; scrolling lets go') },
      on: {
        click: () => {
          state.setFollow(!state.follow);
        }
      }
    });
    this.node = h(
      'div',
      { class: 'rlm-bar' },
      this.lensTabs(),
      h(
        'div',
        { class: 'rlm-search-place', attrs: { role: 'search' } },
        this.search,
        this.count,
        ...this.steps
      ),
      h('div', { class: 'rlm-chips' }, ...this.chips.map(chip => chip.node), this.follow)
    );
  }

  /** The id of a lens's tab. */
  tabId(name: LensName): string {
    return `${this.panelId}-${name}`;
  }

  focusSearch(): void {
    this.search.focus();
    this.search.select();
  }

  update(): void {
    const { state } = this;
    for (const [name, tab] of this.tabs) {
      setAttribute(tab, 'aria-selected', String(name === state.lens));
      tab.tabIndex = name === state.lens ? 0 : -1;
    }
    if (this.search.value !== state.search && document.activeElement !== this.search) {
      this.search.value = state.search;
    }
    this.drawCount();
    this.drawChips();
    this.follow.hidden = !state.store.live;
    setAttribute(this.follow, 'aria-pressed', String(state.follow));
  }

  private drawCount(): void {
    const { state } = this;
    const { words, found } = state;
    const told = words.__('%1 of %2', thousands(found.hits.length), thousands(found.of));
    setText(this.count, state.searching ? found.problem || told : '');
    for (const step of this.steps) {
      step.hidden = !state.searching;
      step.disabled = found.hits.length === 0;
    }
  }

  private drawChips(): void {
    const { state } = this;
    const root = state.store.tree.root;
    for (const { query, node } of this.chips) {
      setAttribute(node, 'aria-pressed', String(state.search === query));
      if (query === 'status:failed') {
        const failed = state.failures;
        setText(node, failed ? state.words.__('Errors (%1)', thousands(failed)) : state.words.__('Errors'));
        node.disabled = failed === 0 && state.search !== query;
      } else {
        node.disabled = !root?.turns.length;
      }
    }
  }

  private lensTabs(): HTMLElement {
    const { words } = this.state;
    const labels = { tree: words.__('Tree'), timeline: words.__('Timeline'), table: words.__('Table') };
    for (const name of LENSES) {
      this.tabs.set(name, this.lensTab(name, labels[name]));
    }
    return h(
      'div',
      {
        class: 'rlm-tabs',
        attrs: { role: 'tablist', 'aria-label': words.__('Views') },
        on: {
          keydown: event => {
            this.onTabKey(event);
          }
        }
      },
      ...this.tabs.values()
    );
  }

  private lensTab(name: LensName, label: string): HTMLButtonElement {
    return button(label, {
      class: 'rlm-tab',
      attrs: { role: 'tab', id: this.tabId(name), 'aria-controls': this.panelId },
      on: {
        click: () => {
          this.state.setLens(name);
        }
      }
    });
  }

  private onTabKey(event: KeyboardEvent): void {
    const at = LENSES.indexOf(this.state.lens);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: LENSES.length - 1 }[event.key];
    const name = to === undefined ? undefined : LENSES[(to + LENSES.length) % LENSES.length];
    if (name) {
      this.state.setLens(name);
      this.tabs.get(name)?.focus();
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private searchBox(): HTMLInputElement {
    const { words } = this.state;
    return h('input', {
      class: 'rlm-search',
      attrs: {
        type: 'search',
        placeholder: words.__('Search (/)'),
        'aria-label': words.__('Search this run'),
        title: words.__(
          'Words, and kind: status: depth: model: tokens> cost> t> — press Enter for the next match'
        ),
        spellcheck: 'false'
      },
      on: {
        input: () => {
          this.state.search = this.search.value;
        },
        keydown: event => {
          this.onSearchKey(event);
        }
      }
    });
  }

  private onSearchKey(event: KeyboardEvent): void {
    if (event.key === 'Enter') {
      this.state.step(event.shiftKey ? -1 : 1);
    } else if (event.key === 'ArrowDown') {
      this.leave();
    } else if (event.key === 'Escape' && this.search.value) {
      this.search.value = '';
      this.state.search = '';
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private stepButton(by: 1 | -1, label: string, name: string): HTMLButtonElement {
    return button(label, {
      class: 'rlm-step',
      attrs: { 'aria-label': name, title: name },
      on: {
        click: () => {
          this.state.step(by);
        }
      }
    });
  }

  private chip(query: string, label: string): Chip {
    const node = button(label, {
      class: 'rlm-chip',
      attrs: { title: query },
      on: {
        click: () => {
          this.state.search = this.state.search === query ? '' : query;
          this.search.value = this.state.search;
        }
      }
    });
    return { query, node };
  }
}
