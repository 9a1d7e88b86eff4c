/** `DetailPane`: everything about the selected item, in tabs. */

import { eventsIn, tabsOf } from '../../model/detail';
import type { Item } from '../../model/rows';
import type { Derived } from '../../trace/wire';
import type { TabName, ViewState } from '../../model/state';
import { button, h, setAttribute } from '../dom';
import type { Host } from '../host';
import { Actions } from '../actions/actions';
import { HeldForms } from '../actions/heldforms';
import { batchSections } from './batch';
import { BLOCKS, blocksKey, codeSections } from './code';
import { Head } from './head';
import { Memory } from './memory';
import { outputSections } from './output';
import { shownOf } from './parts';
import { promptSections } from './prompt';
import { EVENTS, eventsKey, rawSections } from './raw';
import { replySections } from './reply';
import { reconcile } from './section';
import type { Pane, Section } from './section';
import { Tabs } from './tabs';
import { usageSections } from './usage';
import { variantCount, variantSections } from './variants';
import { variableSections } from './variables';
import { WholeTexts } from './whole';

/** Remembers whether long lines are wrapped, for all items. */
const WRAP = 'wrap';

export class DetailPane {
  readonly node: HTMLElement;
  private readonly pane: Pane;
  private readonly head: Head;
  private readonly actions: Actions;
  private readonly held: HeldForms;
  private readonly tabs: Tabs;
  private readonly whole: WholeTexts;
  private readonly wrap: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private readonly nothing: HTMLElement;
  private body = h('div', { class: 'rlm-detail-body' });
  private shown = '';
  private disposed = false;

  constructor(
    private readonly state: ViewState,
    host: Host
  ) {
    const { words } = state;
    const redraw = () => {
      if (!this.disposed) {
        this.update();
      }
    };
    this.pane = { state, host, memory: new Memory(), redraw };
    this.whole = new WholeTexts(this.pane);
    this.head = new Head(this.pane, events => this.whole.ask(events));
    this.actions = new Actions(this.pane, () => {
      this.choose('variants');
    });
    this.held = new HeldForms(this.pane, () => {
      this.focus();
    });
    this.tabs = new Tabs(words, name => {
      this.choose(name);
    });
    this.wrap = this.wrapButton();
    this.panel = h(
      'div',
      { class: 'rlm-detail-panel', attrs: { role: 'tabpanel', id: this.tabs.panelId, tabindex: 0 } },
      this.whole.node,
      this.body
    );
    this.nothing = h('p', { class: 'rlm-detail-empty' }, words.__('Nothing is selected.'));
    this.node = h(
      'section',
      {
        class: 'rlm-detail',
        attrs: { 'aria-label': words.__('Detail') },
        on: {
          keydown: event => {
            keepOwnKeys(event);
          }
        }
      },
      this.nothing,
      this.head.node,
      this.actions.bar,
      this.held.node,
      this.actions.place,
      h('div', { class: 'rlm-detail-bar-line' }, this.tabs.node, this.wrap),
      this.panel
    );
  }

  /** Draws what changed. Called at most once a frame, and only while it is shown. */
  update(): void {
    const item = this.state.selectedItem;
    setAttribute(this.node, 'data-empty', item === null);
    this.nothing.hidden = item !== null;
    if (!item) {
      return;
    }
    const variants = variantCount(item, this.pane);
    const offered = withVariants(tabsOf(item), variants !== null);
    const chosen = offered.find(name => name === this.state.tab) ?? offered[0] ?? 'raw';
    this.head.update(item);
    this.actions.update(item);
    this.held.update(item);
    this.tabs.update(item, offered, chosen, variants ?? 0);
    setAttribute(this.panel, 'aria-labelledby', this.tabs.tabId(chosen));
    this.drawBody(item, chosen);
    this.drawWrap();
    this.whole.update(eventsIn(chosen, item, this.state.store.tree, this.most(item, chosen)));
  }

  /** Puts the keyboard on the tab that is shown. */
  focus(): void {
    this.tabs.focus();
  }

  /** Opens the form of an action on the selected item. */
  open(kind: Derived): void {
    this.actions.open(kind);
  }

  dispose(): void {
    this.disposed = true;
    this.node.remove();
  }

  private choose(name: TabName): void {
    this.state.tab = name;
    this.update();
    this.state.redraw();
  }

  private drawBody(item: Item, chosen: TabName): void {
    const held = this.panel.contains(document.activeElement);
    const key = `${item.key} ${chosen}`;
    if (key !== this.shown) {
      this.shown = key;
      const body = h('div', { class: 'rlm-detail-body', attrs: { 'data-tab': chosen } });
      this.body.replaceWith(body);
      this.body = body;
      this.panel.scrollTop = 0;
    }
    reconcile(this.body, sectionsOf(chosen, item, this.pane));
    if (held && !this.panel.contains(document.activeElement)) {
      // What had the keyboard is gone; without this it would be lost to the page.
      this.panel.focus({ preventScroll: true });
    }
  }

  private most(item: Item, tab: TabName): number {
    return tab === 'raw'
      ? shownOf(this.pane, eventsKey(item), EVENTS)
      : shownOf(this.pane, blocksKey(item), BLOCKS);
  }

  private wrapButton(): HTMLButtonElement {
    const { words } = this.state;
    return button(words.__('Wrap lines'), {
      class: 'rlm-detail-toggle',
      on: {
        click: () => {
          this.pane.memory.setFlag(WRAP, !this.pane.memory.flag(WRAP, true));
          this.drawWrap();
        }
      }
    });
  }

  private drawWrap(): void {
    const wrapped = this.pane.memory.flag(WRAP, true);
    setAttribute(this.wrap, 'aria-pressed', String(wrapped));
    setAttribute(this.panel, 'data-wrap', wrapped);
    // Only what scrolls needs the keyboard.
    for (const text of this.panel.querySelectorAll<HTMLElement>('.rlm-detail-pre, .rlm-detail-code')) {
      text.tabIndex = wrapped ? -1 : 0;
    }
  }
}

// Beside what it gave: there it is compared.
function withVariants(tabs: readonly TabName[], variants: boolean): TabName[] {
  const at = tabs.indexOf('usage');
  return variants ? [...tabs.slice(0, at), 'variants', ...tabs.slice(at)] : [...tabs];
}

function sectionsOf(tab: TabName, item: Item, pane: Pane): Section[] {
  switch (tab) {
    case 'prompt':
      return promptSections(item, pane);
    case 'reply':
      return item.kind === 'batch' ? batchSections(item, pane) : replySections(item, pane);
    case 'code':
      return codeSections(item, pane);
    case 'output':
      return outputSections(item, pane);
    case 'variables':
      return variableSections(item, pane);
    case 'variants':
      return variantSections(item, pane);
    case 'usage':
      return usageSections(item, pane);
    case 'raw':
      return rawSections(item, pane);
  }
}

// Enter on a button here presses it; the view around would take the key for the selected row.
function keepOwnKeys(event: KeyboardEvent): void {
  if (event.key === 'Enter' || event.key === ' ') {
    event.stopPropagation();
  }
}
