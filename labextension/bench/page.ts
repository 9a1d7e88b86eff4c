/** The page that `benchmarks/tree.py` drives: the real view over traces made here, and what it measures of it. */

import { ViewState } from '../src/core/model/state';
import { RunStore } from '../src/core/model/store';
import { decodeBundle } from '../src/core/trace/decode';
import { RunView } from '../src/core/view/app';
import { eventsOf } from './events';

const HOST = { download: () => undefined, copy: () => Promise.resolve() };
const TURNS = 10;

declare global {
  interface Window {
    rlmBench: typeof bench;
  }
}

interface Shown {
  readonly store: RunStore;
  readonly state: ViewState;
  readonly view: RunView;
}

let shown: Shown | null = null;

const bench = { open, toggle, scroll, lenses, search, stream };
window.rlmBench = bench;

/** From the bundle's JSON to the first picture, in milliseconds. */
async function open(calls: number): Promise<number> {
  close();
  const json = JSON.stringify({ format: 1, run: 'bench', events: eventsOf(calls, TURNS) });
  const began = performance.now();
  show(RunStore.fromBundle(decodeBundle(JSON.parse(json))));
  await painted();
  return performance.now() - began;
}

/** From a click on a batch's chevron to the picture with its calls there (and gone), in milliseconds. */
async function toggle(times: number): Promise<number[]> {
  const took: number[] = [];
  for (let each = 0; each < times; each += 1) {
    const began = performance.now();
    chevrons()[2]?.click();
    await painted();
    took.push(performance.now() - began);
  }
  return took;
}

/** Through everything, all batches open: milliseconds a step, and in how many pictures a row was missing. */
async function scroll(
  steps: number
): Promise<{ took: number[]; rows: number; missing: number; nodes: number }> {
  const { state } = current();
  for (const row of state.rows.filter(each => each.item.kind === 'batch')) {
    state.open(row.item.key, true);
  }
  await painted();
  const list = document.querySelector<HTMLElement>('.rlm-tree');
  const took: number[] = [];
  let missing = 0;
  let nodes = 0;
  for (let step = 0; list && step < steps; step += 1) {
    const began = performance.now();
    list.scrollTop = (step * list.scrollHeight) / steps;
    await painted();
    took.push(performance.now() - began);
    missing += Number(!filled(list));
    nodes = Math.max(nodes, document.querySelectorAll('*').length);
  }
  return { took, rows: state.rows.length, missing, nodes };
}

/** From the choice of each lens to its picture, in milliseconds, and the most elements any of them has. */
async function lenses(): Promise<{ took: number[]; nodes: number }> {
  const took: number[] = [];
  let nodes = 0;
  for (const name of ['timeline', 'table', 'tree'] as const) {
    const began = performance.now();
    current().state.setLens(name);
    await painted();
    took.push(performance.now() - began);
    nodes = Math.max(nodes, document.querySelectorAll('*').length);
  }
  return { took, nodes };
}

/** From a search typed to the picture of what it found, in milliseconds. */
async function search(text: string): Promise<number> {
  const began = performance.now();
  current().state.search = text;
  await painted();
  const took = performance.now() - began;
  current().state.search = '';
  await painted();
  return took;
}

/** A live run at so many events a second: what arrived, and how long clicks took meanwhile, in milliseconds. */
async function stream(
  rate: number,
  lasting: number
): Promise<{ sent: number; held: number; clicks: number[] }> {
  close();
  const { store } = show(new RunStore('bench', true));
  const events = eventsOf(Math.ceil((rate * lasting) / 3), TURNS).slice(0, rate * lasting);
  const began = performance.now();
  const clicks: number[] = [];
  let sent = 0;
  while (sent < events.length) {
    const now = (performance.now() - began) / 1000;
    const until = Math.min(events.length, Math.floor(now * rate));
    const feed = { since: sent, events: events.slice(sent, until), live: true, now, path: '', warning: '' };
    store.receive(feed);
    sent = until;
    await pause(100);
    if (chevrons().length > 2) {
      clicks.push(...(await toggle(1)));
    }
  }
  return { sent, held: store.events.length, clicks };
}

function show(store: RunStore): Shown {
  const state = new ViewState(store);
  const view = new RunView(state, HOST);
  document.body.append(view.node);
  shown = { store, state, view };
  return shown;
}

function close(): void {
  shown?.view.dispose();
  shown?.view.node.remove();
  shown = null;
}

function current(): Shown {
  if (!shown) {
    throw new Error('nothing is shown yet: open or stream first');
  }
  return shown;
}

function chevrons(): NodeListOf<HTMLButtonElement> {
  return document.querySelectorAll('.rlm-tree .rlm-chevron');
}

// Whether rows cover all that is in sight of the list.
function filled(list: HTMLElement): boolean {
  const box = list.getBoundingClientRect();
  const rows = [...list.querySelectorAll('[role=row]')].map(row => row.getBoundingClientRect());
  const seen = rows.filter(row => row.bottom > box.top && row.top < box.bottom);
  return seen.reduce((sum, row) => sum + row.height, 0) >= box.height;
}

function painted(): Promise<void> {
  return new Promise(resolve => {
    requestAnimationFrame(() => {
      // The frame is drawn when this callback has ended; a task after it sees it done.
      setTimeout(resolve);
    });
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, milliseconds);
  });
}
