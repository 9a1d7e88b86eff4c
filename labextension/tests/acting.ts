/** A page that `tests/browser/acting_page.py` drives: the real view and the real channel over a kernel made here. */

import { ViewState } from '../src/core/model/state';
import { RunStore } from '../src/core/model/store';
import { decodeBundle } from '../src/core/trace/decode';
import { RunView } from '../src/core/view/app';
import type { Host } from '../src/core/view/host';
import { Registry } from '../src/registry';
import { runSource } from '../src/related';
import { Kernel, card } from './kernel';
import type { Json } from './core/story';

declare global {
  interface Window {
    rlmActing: typeof acting;
  }
}

interface Page {
  /** What the cell was asked to be, and which runs were opened. */
  readonly cells: string[];
  readonly opened: string[];
  readonly copied: string[];
}

const RUN = 'papers-1';
const page: Page = { cells: [], opened: [], copied: [] };
const kernel = new Kernel();
const registry = new Registry('1.0');
const acting = { page, heard: () => kernel.heard, saved, live, feed, reply, refuse, made };
window.rlmActing = acting;

/** Shows a run from its events as a notebook keeps it, with a kernel that holds it or without. */
function saved(
  events: Json[],
  withKernel: boolean,
  abilities: (keyof Host)[] = ['insertCell', 'openRun']
): void {
  const store = RunStore.fromBundle(decodeBundle({ format: 1, run: RUN, events }));
  if (withKernel) {
    connect(false);
    store.link = kernel.control.link(RUN);
  }
  show(store, abilities);
}

/** Shows a run that goes on in the kernel, of which these events have come. */
function live(events: Json[]): void {
  connect(true);
  const watching = registry.watch(RUN);
  if (watching) {
    kernel.feed(RUN, 0, events);
    show(watching.store, ['insertCell', 'openRun']);
  }
}

/** More events of a run. */
function feed(run: string, since: number, events: Json[], goesOn: boolean): void {
  kernel.feed(run, since, events, { live: goesOn, now: since / 10 });
}

/** Answers what was asked last. */
function reply(result: Json): void {
  kernel.reply(result);
}

function refuse(error: string): void {
  kernel.reply({ error });
}

/** The kernel tells of a run that was made from the one that is shown. */
function made(run: string, kind: string, at: string): void {
  kernel.run(run, { origin: { kind, run: RUN, at } });
}

function connect(goesOn: boolean): void {
  registry.add(kernel.control);
  kernel.hello(card(RUN, { live: goesOn, status: goesOn ? 'running' : 'finished' }));
}

function show(store: RunStore, abilities: (keyof Host)[]): void {
  const all: Host = {
    download: () => undefined,
    copy: text => {
      page.copied.push(text);
      return Promise.resolve();
    },
    openTab: () => undefined,
    openRun: run => {
      page.opened.push(run);
    },
    insertCell: source => {
      page.cells.push(source);
    }
  };
  const host: Host = { ...all };
  for (const name of ['openTab', 'openRun', 'insertCell'] as const) {
    if (!abilities.includes(name)) {
      Reflect.deleteProperty(host, name);
    }
  }
  const view = new RunView(new ViewState(store, undefined, runSource(registry)), host, { height: 560 });
  document.body.append(view.node);
}
