/** A page that `tests/browser/acting_page.py` drives: the real view and the real channel over a kernel made here. */

import { ViewState } from '../src/core/model/state';
import { RunStore } from '../src/core/model/store';
import { decodeBundle } from '../src/core/trace/decode';
import { ENGLISH } from '../src/core/words';
import { RunView } from '../src/core/view/app';
import { ComparePage } from '../src/core/view/comparepage';
import { Memory } from '../src/core/view/detail/memory';
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
  readonly compared: string[];
  readonly copied: string[];
}

const RUN = 'papers-1';
const page: Page = { cells: [], opened: [], compared: [], copied: [] };
const kernel = new Kernel();
const registry = new Registry('1.0');
const acting = { page, heard: () => kernel.heard, saved, live, feed, reply, refuse, made, beside };
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

/** Shows two runs side by side in a place of their own: as a notebook keeps the left one, as the kernel has the right. */
function beside(events: Json[], right: string): void {
  const store = RunStore.fromBundle(decodeBundle({ format: 1, run: RUN, events }));
  const comparing = new ComparePage({ words: ENGLISH, host: hostWith(['insertCell']), memory: new Memory() });
  comparing.node.style.height = '860px';
  comparing.show(store, registry.watch(right)?.store ?? null);
  document.body.replaceChildren(comparing.node);
}

function connect(goesOn: boolean): void {
  registry.add(kernel.control);
  kernel.hello(card(RUN, { live: goesOn, status: goesOn ? 'running' : 'finished' }));
}

function show(store: RunStore, abilities: (keyof Host)[]): void {
  const options = { height: 560 };
  const view = new RunView(
    new ViewState(store, undefined, runSource(registry)),
    hostWith(abilities),
    options
  );
  document.body.append(view.node);
}

function hostWith(abilities: (keyof Host)[]): Host {
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
    openCompare: (left, right) => {
      page.compared.push(`${left} ${right}`);
    },
    insertCell: source => {
      page.cells.push(source);
    }
  };
  const host: Host = { ...all };
  for (const name of ['openTab', 'openRun', 'openCompare', 'insertCell'] as const) {
    if (!abilities.includes(name)) {
      Reflect.deleteProperty(host, name);
    }
  }
  return host;
}
