/** `RunView`: everything a person sees of one run. The same in a cell, in a tab and in a page of its own. */

import { firstHeld, heldKey } from '../model/held';
import { LENSES } from '../model/state';
import type { LensName, ViewState } from '../model/state';
import type { Derived } from '../trace/wire';
import { AnswerPanel } from './answer';
import { DetailPane } from './detail/pane';
import { h, setAttribute } from './dom';
import { Header } from './header';
import { HeldBar } from './heldbar';
import type { Host } from './host';
import { Announcer } from './announcer';
import { isTyping, passOn, pressed } from './keys';
import type { Lens } from './lens';
import { Notices } from './notices';
import { PauseBar } from './pausebar';
import { PlayBar } from './playbar';
import { Splitter } from './splitter';
import { TableLens } from './table';
import { TimelineLens } from './timeline';
import { Toolbar } from './toolbar';
import { TreeLens } from './treegrid';

/** How often running rows tick, in milliseconds. */
const TICK = 200;

export interface ViewOptions {
  /** Fills the place it is in, as a tab does, instead of being as high as its content. */
  readonly fill?: boolean;
  /** The most a run in a cell takes, in pixels, for its lens and detail. */
  readonly height?: number;
}

/** `node` is to be put somewhere; `dispose` lets everything go. */
export class RunView {
  readonly node: HTMLElement;
  private readonly header: Header;
  private readonly heldBar: HeldBar;
  private readonly pauseBar: PauseBar;
  private readonly toolbar: Toolbar;
  private readonly playBar: PlayBar;
  private readonly notices: Notices;
  private readonly answer: AnswerPanel;
  private readonly detail: DetailPane;
  private readonly splitter: Splitter;
  private readonly announcer: Announcer;
  private readonly body: HTMLElement;
  private readonly stage: HTMLElement;
  private readonly lenses = new Map<LensName, Lens>();
  private readonly disconnect: () => void;
  private revealed = '';
  private held = '';
  private frame = 0;
  private readonly ticking: ReturnType<typeof setInterval>;

  constructor(
    readonly state: ViewState,
    host: Host,
    private readonly options: ViewOptions = {}
  ) {
    this.header = new Header(state, host, kind => {
      this.act(kind);
    });
    this.heldBar = new HeldBar(state, () => {
      state.setDetail(true);
    });
    this.pauseBar = new PauseBar(state);
    this.toolbar = new Toolbar(state, () => {
      this.focus();
    });
    this.playBar = new PlayBar(state, () => {
      this.focus();
    });
    this.notices = new Notices(state);
    this.answer = new AnswerPanel(state, host);
    this.detail = new DetailPane(state, host);
    this.announcer = new Announcer(state);
    this.stage = h('div', { class: 'rlm-stage', attrs: { role: 'tabpanel', id: this.toolbar.panelId } });
    this.splitter = new Splitter(state.words, this.stage);
    this.body = h('div', { class: 'rlm-body' }, this.stage, this.splitter.node, this.detail.node);
    this.node = h(
      'section',
      {
        class: `rlm-run${options.fill ? ' rlm-fill' : ''}`,
        attrs: { 'data-lm-suppress-shortcuts': 'true', 'aria-label': state.words.__('Run') },
        on: {
          keydown: event => {
            this.onKey(event);
          }
        }
      },
      this.header.node,
      this.pauseBar.node,
      this.heldBar.node,
      this.toolbar.node,
      this.playBar.node,
      this.notices.node,
      this.body,
      this.answer.node,
      this.announcer.node
    );
    this.disconnect = state.changed.connect(() => {
      this.later();
    });
    this.ticking = setInterval(() => {
      if ((state.store.live || state.relatives.live) && this.node.isConnected) {
        this.later();
      }
    }, TICK);
    // A place of its own has room for both; in a cell the story comes first.
    state.detail ||= options.fill ?? false;
    this.draw();
  }

  /** Puts the keyboard into the lens that is shown. */
  focus(): void {
    this.lens.focus();
  }

  /** Opens the form of an action: on the run as a whole, or on the selected item. */
  act(kind: Derived): void {
    const { state } = this;
    if (kind === 'replay' || kind === 'resume') {
      state.select('0');
    }
    state.setDetail(true);
    this.draw();
    this.detail.open(kind);
  }

  dispose(): void {
    this.disconnect();
    clearInterval(this.ticking);
    cancelAnimationFrame(this.frame);
    for (const lens of this.lenses.values()) {
      lens.dispose();
    }
    this.detail.dispose();
    this.header.dispose();
    this.playBar.dispose();
    this.splitter.dispose();
    this.state.dispose();
  }

  private get lens(): Lens {
    const name = this.state.lens;
    let lens = this.lenses.get(name);
    if (!lens) {
      lens = this.makeLens(name);
      this.lenses.set(name, lens);
    }
    return lens;
  }

  private makeLens(name: LensName): Lens {
    switch (name) {
      case 'tree':
        return new TreeLens(this.state);
      case 'timeline':
        return new TimelineLens(this.state);
      case 'table':
        return new TableLens(this.state);
    }
  }

  private later(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { state, lens } = this;
    const fresh = lens.node.parentElement !== this.stage;
    if (fresh) {
      this.stage.replaceChildren(lens.node);
    }
    this.layOut();
    this.followHeld();
    this.header.update();
    this.pauseBar.update();
    this.heldBar.update();
    this.toolbar.update();
    this.playBar.update();
    this.notices.update();
    lens.update();
    if (fresh || this.revealed !== state.selected) {
      this.revealed = state.selected;
      lens.reveal();
    }
    if (state.detail) {
      this.detail.update();
    }
    this.answer.update();
    this.announcer.update();
  }

  // From one held block to the next, as long as a person has not gone elsewhere.
  private followHeld(): void {
    const { state } = this;
    const held = state.playback ? null : firstHeld(state.whole);
    const key = held ? heldKey(held, state.store) : '';
    if (key && key !== this.held && state.follow && ['0', this.held].includes(state.selected)) {
      state.select(key);
    }
    this.held = key || this.held;
  }

  private layOut(): void {
    const { state } = this;
    this.node.dataset['status'] = state.store.status;
    setAttribute(this.node, 'data-detail', state.detail);
    this.detail.node.hidden = !state.detail;
    this.splitter.node.hidden = !state.detail;
    if (!this.options.fill) {
      this.node.style.setProperty('--rlm-height', `${String(this.options.height ?? 480)}px`);
    }
    setAttribute(this.stage, 'aria-labelledby', this.toolbar.tabId(state.lens));
  }

  // The keys of the run as a whole; a lens has taken its own before they come here.
  private onKey(event: KeyboardEvent): void {
    passOn(event, this.node);
    if (event.defaultPrevented || (isTyping(event.target) && event.key !== 'Escape')) {
      event.stopPropagation();
      return;
    }
    if (event.key === 'Enter' && !this.isLens(event.target)) {
      return; // a button's own
    }
    const act = this.actions()[pressed(event)];
    if (act) {
      act();
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private isLens(target: EventTarget | null): boolean {
    return target instanceof Node && this.stage.contains(target) && !(target instanceof HTMLButtonElement);
  }

  private actions(): Readonly<Record<string, () => void>> {
    const { state } = this;
    const go = (key: string | null) => {
      if (key !== null) {
        state.select(key);
        this.lens.update();
        this.lens.reveal();
      }
    };
    return {
      '/': () => {
        this.toolbar.focusSearch();
      },
      n: () => {
        go(state.searching ? state.step(1) : null);
      },
      N: () => {
        go(state.searching ? state.step(-1) : null);
      },
      e: () => {
        go(state.nextFailure());
      },
      '[': () => {
        go(state.sibling(-1));
      },
      ']': () => {
        go(state.sibling(1));
      },
      f: () => {
        state.setFollow(!state.follow);
      },
      p: () => {
        this.playBar.toggle();
      },
      ...Object.fromEntries(
        LENSES.map((name, at) => [
          String(at + 1),
          () => {
            state.setLens(name);
          }
        ])
      ),
      Enter: () => {
        state.setDetail(true);
        this.detail.update();
        this.detail.focus();
      },
      Escape: () => {
        this.escape();
      }
    };
  }

  private escape(): void {
    const { state } = this;
    if (this.toolbar.node.contains(document.activeElement) && state.searching) {
      state.search = '';
    } else if (state.detail && !this.options.fill) {
      state.setDetail(false);
    }
    this.focus();
  }
}
