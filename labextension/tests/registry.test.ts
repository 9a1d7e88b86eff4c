import { describe, expect, test, vi } from 'vitest';

import type { RunStore } from '../src/core/model/store';
import { decodeBundle } from '../src/core/trace/decode';
import { Registry } from '../src/registry';
import type { Watching } from '../src/registry';
import { runSource } from '../src/related';
import { NOWHERE, ShownRun } from '../src/shown';
import type { Place } from '../src/shown';
import { threeTurns } from './core/story';
import type { Json } from './core/story';
import { Kernel, card } from './kernel';

const RUN = 'papers-1';
const { events } = threeTurns();

function connected(...kernels: Kernel[]): Registry {
  const registry = new Registry('1.0');
  for (const kernel of kernels) {
    registry.add(kernel.control);
  }
  return registry;
}

function watched(registry: Registry): Watching {
  const watching = registry.watch(RUN);
  if (!watching) {
    throw new Error('no kernel holds the run');
  }
  return watching;
}

describe('a run of a kernel', () => {
  test('is watched once, however many look, until the last one is gone', () => {
    const kernel = new Kernel();
    const registry = connected(kernel);
    expect(registry.watch(RUN)).toBeNull();
    kernel.hello(card(RUN));
    const [one, other] = [watched(registry), watched(registry)];
    expect(one.store).toBe(other.store);
    one.dispose();
    one.dispose();
    expect(kernel.ops).toEqual(['watch']);
    other.dispose();
    expect(kernel.ops).toEqual(['watch', 'unwatch']);
    expect(watched(registry).store).not.toBe(one.store);
  });

  test('whose events have a gap is asked for what is missing, once', () => {
    const kernel = new Kernel();
    const registry = connected(kernel);
    kernel.hello(card(RUN));
    const { store } = watched(registry);
    kernel.feed(RUN, 0, events.slice(0, 3)).feed(RUN, 5, events.slice(5, 6)).feed(RUN, 6, events.slice(6, 7));
    expect(kernel.heard.slice(1)).toEqual([{ op: 'watch', run: RUN, since: 3 }]);
    kernel.feed(RUN, 3, events.slice(3), { live: false });
    expect(store.status).toBe('finished');
    expect(store.events).toHaveLength(events.length);
  });

  test('is asked for the rest when the connection is back', () => {
    const kernel = new Kernel();
    const registry = connected(kernel);
    kernel.hello(card(RUN));
    watched(registry);
    kernel.feed(RUN, 0, events.slice(0, 3));
    kernel.control.resumed.emit();
    expect(kernel.heard.at(-1)).toEqual({ op: 'watch', run: RUN, since: 3 });
  });

  test('that sends what cannot be read keeps what it has, and says so', () => {
    const kernel = new Kernel();
    const registry = connected(kernel);
    kernel.hello(card(RUN));
    const { store } = watched(registry);
    kernel.feed(RUN, 0, events.slice(0, 2)).feed(RUN, 2, [{ type: 'call_started' }]);
    expect(store.events).toHaveLength(2);
    expect(store.warning).toContain('call_id is missing');
    expect(store.live).toBe(false);
  });

  test('is cut off when the kernel goes, and can be had from another', () => {
    const [kernel, other] = [new Kernel(), new Kernel()];
    const registry = connected(kernel, other);
    kernel.hello(card(RUN));
    const watching = watched(registry);
    kernel.feed(RUN, 0, events.slice(0, 2));
    kernel.control.close('died');
    expect(watching.lost).toBe(true);
    expect(watching.store.status).toBe('cut off');
    expect(watching.store.link).toBeNull();
    other.hello(card(RUN, { live: false }));
    watched(registry);
    expect(other.ops).toEqual(['watch']);
  });

  test('is rather had where it is under way', () => {
    const [kernel, other] = [new Kernel(), new Kernel()];
    const registry = connected(kernel, other);
    kernel.hello(card(RUN, { live: false }));
    other.hello(card(RUN));
    expect(registry.holder(RUN)).toBe(other.control);
    expect(registry.live.map(({ run }) => run)).toEqual([RUN]);
  });

  test.each([
    ['1.0', ''],
    ['0+unknown', ''],
    ['2.0', 'extension is version 1.0 and the kernel has rlm_kernel 2.0: run pip install -U rlm-kernel']
  ])('of package version %s tells what is wrong with it', (version, told) => {
    const kernel = new Kernel();
    const registry = connected(kernel);
    kernel.say({ op: 'hello', version, protocol: 1, runs: [card(RUN)] });
    const { store } = watched(registry);
    kernel.feed(RUN, 0, events.slice(0, 1), { warning: 'the disk is full.' });
    expect(store.warning).toContain(told);
    expect(store.warning).toMatch(/^the disk is full\./);
    expect(store.warning.length > 'the disk is full.'.length).toBe(told !== '');
  });
});

class Shown {
  readonly stores: RunStore[] = [];
  readonly run: ShownRun;

  constructor(registry: Registry, place: Place = NOWHERE) {
    this.run = new ShownRun(RUN, registry, place, store => this.stores.push(store));
  }

  offer(more: Json = {}, told = events): this {
    this.run.offer(decodeBundle({ format: 1, run: RUN, events: told, ...more }));
    return this;
  }

  get now(): RunStore | undefined {
    return this.stores.at(-1);
  }
}

describe('what is shown of a run', () => {
  test('is what the notebook holds, where no kernel has it', () => {
    const shown = new Shown(connected(new Kernel())).offer();
    expect(shown.now?.status).toBe('finished');
    expect(shown.stores).toHaveLength(1);
  });

  test('is cut off where the notebook holds a live one that nobody runs', () => {
    expect(new Shown(connected()).offer({ live: true }, events.slice(0, 4)).now?.status).toBe('cut off');
  });

  test('runs where this page runs the cell, with or without the channel', () => {
    const place = { insertCell: null, kernel: () => null, underWay: () => true };
    const shown = new Shown(connected(), place).offer({ live: true }, events.slice(0, 4));
    expect(shown.now?.status).toBe('running');
    shown.offer({ live: true }, events.slice(0, 6));
    expect(shown.now?.events).toHaveLength(6);
    shown.offer();
    expect(shown.now?.status).toBe('finished');
  });

  test("becomes the kernel's once that has caught up, and stays it", () => {
    const kernel = new Kernel();
    const shown = new Shown(connected(kernel)).offer({ live: true }, events.slice(0, 4));
    kernel.hello(card(RUN));
    kernel.feed(RUN, 0, events.slice(0, 3));
    expect(shown.stores).toHaveLength(1);
    kernel.feed(RUN, 3, events.slice(3, 6));
    expect(shown.now?.events).toHaveLength(6);
    expect(shown.now?.link).not.toBeNull();
    kernel.feed(RUN, 6, events.slice(6), { live: false });
    shown.offer();
    expect(shown.stores).toHaveLength(2);
    shown.run.dispose();
    expect(kernel.ops).toEqual(['watch', 'unwatch']);
  });

  test('is what the notebook holds again when the kernel went before the end', () => {
    const kernel = new Kernel();
    const shown = new Shown(connected(kernel)).offer({ live: true }, events.slice(0, 1));
    kernel.hello(card(RUN)).feed(RUN, 0, events.slice(0, 6));
    kernel.control.close('died');
    expect(shown.now?.status).toBe('cut off');
    shown.offer();
    expect(shown.now?.status).toBe('finished');
  });

  test("is the kernel's where the notebook holds only a part, also one it did not tell of", async () => {
    const kernel = new Kernel();
    const place = { insertCell: null, kernel: () => kernel.control, underWay: () => false };
    const shown = new Shown(connected(kernel), place).offer({ omitted_calls: 6 }, events.slice(0, 4));
    expect(kernel.heard).toEqual([{ op: 'whole', run: RUN, seqs: [], ask: 1 }]);
    kernel.reply({ events: [] });
    await Promise.resolve();
    await new Promise(resolve => setTimeout(resolve));
    kernel.feed(RUN, 0, events, { live: false });
    expect(shown.now?.events).toHaveLength(events.length);
    expect(shown.now?.link).not.toBeNull();
  });

  test('is completed by the kernel where only texts are shortened', () => {
    const kernel = new Kernel();
    const shown = new Shown(connected(kernel)).offer({ cut_texts: 2 });
    expect(shown.now?.link).toBeNull();
    kernel.hello(card(RUN, { live: false }));
    expect(shown.now?.link).not.toBeNull();
    expect(kernel.ops).toEqual([]);
  });

  test('without anything held is what a kernel has, as soon as one has it', () => {
    const kernel = new Kernel();
    const shown = new Shown(connected(kernel));
    shown.run.choose();
    expect(shown.stores).toEqual([]);
    kernel.run(RUN);
    expect(kernel.ops).toEqual(['watch']);
  });
});

test('of a whole tree in the notebook a kernel is asked only when something is to be made of it', async () => {
  const kernel = new Kernel();
  const place = { insertCell: null, kernel: () => kernel.control, underWay: () => false };
  const shown = new Shown(connected(kernel), place).offer({}, events);
  expect(kernel.heard).toEqual([]);
  expect(shown.now?.link).toBeNull();
  shown.run.findKernel();
  expect(kernel.ops).toEqual(['whole']);
  kernel.reply({ events: [] });
  await vi.waitFor(() => {
    expect(shown.now?.link).not.toBeNull();
  });
  shown.run.findKernel();
  expect(kernel.ops).toEqual(['whole']);
});

test('and one that told of the run needs not be asked', () => {
  const kernel = new Kernel();
  kernel.hello(card(RUN, { live: false }));
  const shown = new Shown(connected(kernel)).offer({}, events);
  expect(shown.now?.link).not.toBeNull();
  expect(kernel.heard).toEqual([]);
});

test('the runs made from one are known whichever kernel tells of them, once each', () => {
  const [kernel, other] = [new Kernel(), new Kernel()];
  const registry = connected(kernel, other);
  const source = runSource(registry);
  let heard = 0;
  const end = source.listen(() => {
    heard += 1;
  });
  const fork = card('b', { origin: { kind: 'fork', run: RUN, at: '0.3' } });
  kernel.hello(card(RUN), fork, card('x', { origin: { kind: 'fork', run: 'y', at: '0.3' } }));
  other.hello(fork, card('c', { origin: { kind: 'replay', run: RUN, at: '' } }));
  expect(source.madeFrom(RUN)).toEqual([
    { run: 'b', kind: 'fork', at: '0.3' },
    { run: 'c', kind: 'replay', at: '' }
  ]);
  expect(heard).toBeGreaterThan(0);
  expect(source.watch('b')?.store.id).toBe('b');
  expect(source.watch('z')).toBeNull();
  end();
  const before = heard;
  kernel.run('d');
  expect(heard).toBe(before);
});
