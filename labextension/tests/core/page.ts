/** What jsdom lacks of a browser, and a way to wait for a drawing. */

import { vi } from 'vitest';

import type { RunSource } from '../../src/core/model/relatives';
import { ViewState } from '../../src/core/model/state';
import { RunStore } from '../../src/core/model/store';
import type { Link } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { RunView } from '../../src/core/view/app';
import type { ViewOptions } from '../../src/core/view/app';
import type { Host } from '../../src/core/view/host';
import type { Json, Story } from './story';

class NoResizes {
  observe(): void {
    // jsdom lays nothing out, so nothing is ever resized.
  }
  unobserve(): void {
    // As above.
  }
  disconnect(): void {
    // As above.
  }
}

vi.stubGlobal('ResizeObserver', NoResizes);

/** A host that remembers what it was asked for. */
export function fakeHost(): Host & { readonly copied: string[]; readonly files: [string, string, string][] } {
  const copied: string[] = [];
  const files: [string, string, string][] = [];
  return {
    copied,
    files,
    copy: text => {
      copied.push(text);
      return Promise.resolve();
    },
    download: (...file) => {
      files.push(file);
    }
  };
}

/** A kernel that remembers what it was asked for. */
export function fakeLink(more: Partial<Link> = {}): Link {
  return {
    stop: vi.fn(() => Promise.resolve()),
    answerNow: vi.fn(() => Promise.resolve()),
    tryNow: vi.fn(() => Promise.resolve()),
    whole: vi.fn(() => Promise.resolve([])),
    file: vi.fn(() => Promise.resolve('')),
    derive: vi.fn(() => Promise.resolve([])),
    decide: vi.fn(() => Promise.resolve()),
    ...more
  };
}

export interface Shown {
  readonly store: RunStore;
  readonly state: ViewState;
  readonly view: RunView;
  readonly host: ReturnType<typeof fakeHost>;
}

/** A saved run in the page. */
export function showSaved(
  story: Story,
  bundle: Json = {},
  options: ViewOptions = {},
  around: Around = {}
): Shown {
  const store = RunStore.fromBundle(decodeBundle(story.bundle(bundle)));
  store.link = around.link ?? null;
  return show(store, options, around);
}

/** What is around a run: its kernel, other runs, what the place can do. */
export interface Around {
  readonly link?: Link;
  readonly runs?: RunSource;
  readonly host?: Partial<Host>;
}

/** A run that a kernel sends; `events` is how many of the story have come. */
export function showLive(story: Story, events: number, link: Link = fakeLink()): Shown {
  const store = new RunStore('papers-1', true);
  store.link = link;
  store.receive({
    since: 0,
    events: story.events.slice(0, events),
    live: true,
    now: 1,
    path: '',
    warning: ''
  });
  return show(store, {});
}

/** Until what was asked for is drawn. */
export function drawn(): Promise<void> {
  return new Promise(resolve => {
    requestAnimationFrame(() => {
      setTimeout(resolve);
    });
  });
}

/** The one element that fits; throws where there is none. */
export function find(inside: ParentNode, selector: string): HTMLElement {
  const found = inside.querySelector<HTMLElement>(selector);
  if (!found) {
    throw new Error(`nothing fits ${selector}`);
  }
  return found;
}

/** The button with that text. */
export function buttonOf(inside: ParentNode, text: string): HTMLButtonElement {
  const found = [...inside.querySelectorAll('button')].find(each => each.textContent === text);
  if (!found) {
    throw new Error(`no button says ${text}`);
  }
  return found;
}

function show(store: RunStore, options: ViewOptions, { runs, host: more }: Around = {}): Shown {
  const state = new ViewState(store, undefined, runs);
  const host = { ...fakeHost(), ...more };
  const view = new RunView(state, host, options);
  document.body.replaceChildren(view.node);
  return { store, state, view, host };
}
