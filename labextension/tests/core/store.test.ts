import { describe, expect, test, vi } from 'vitest';

import { RunStore } from '../../src/core/model/store';
import type { Feed, Link } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { threeTurns } from './story';

function feed(since: number, events: readonly unknown[], more: Partial<Feed> = {}): Feed {
  return { since, events, live: true, now: 0, path: '', warning: '', ...more };
}

function link(more: Partial<Link> = {}): Link {
  const nothing = () => Promise.reject(new Error('not asked for'));
  const all = { stop: nothing, answerNow: nothing, tryNow: nothing, whole: nothing, file: nothing };
  return { ...all, derive: nothing, decide: nothing, ...more };
}

describe('a live run', () => {
  const { events } = threeTurns();

  test('takes events as they come, once each', () => {
    const store = new RunStore('papers-1', true);
    expect(store.receive(feed(0, events.slice(0, 5)))).toBe(true);
    expect(store.receive(feed(3, events.slice(3, 9)))).toBe(true);
    expect(store.events.map(event => event.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(store.status).toBe('running');
    expect(store.receive(feed(9, events.slice(9), { live: false }))).toBe(true);
    expect(store.status).toBe('finished');
    expect(store.live).toBe(false);
  });

  test('says that events before these are missing, and takes none of them', () => {
    const store = new RunStore('papers-1', true);
    expect(store.receive(feed(4, events.slice(4)))).toBe(false);
    expect(store.events).toEqual([]);
  });

  test("goes on on the kernel's clock between two messages", () => {
    let time = 1000;
    const store = new RunStore('papers-1', true, () => time);
    store.receive(feed(0, events.slice(0, 3), { now: 5 }));
    time += 2500;
    expect(store.now).toBe(7.5);
    store.end();
    expect(store.now).toBe(0.2);
  });

  test('is cut off where its events stop without an end', () => {
    const store = new RunStore('papers-1', true);
    store.receive(feed(0, events.slice(0, 8), { live: false }));
    expect(store.status).toBe('cut off');
  });
});

describe('a shortened run', () => {
  const { events } = threeTurns();
  const cut = events.map(event => (event['seq'] === 1 ? { ...event, prompt: 'Which … ?', cut: 1 } : event));

  test('is completed by the kernel that holds it, in place', async () => {
    const store = RunStore.fromBundle(decodeBundle({ format: 1, events: cut, cut_texts: 1 }));
    const call = store.tree.root;
    const whole = vi.fn((seqs: readonly number[]) => Promise.resolve(seqs.map(seq => events[seq])));
    expect(call?.prompt).toBe('Which … ?');
    expect(store.complete).toBe(false);
    store.link = link({ whole });
    await store.wholeEvents(store.events);

    expect(whole).toHaveBeenCalledWith([1]);
    expect(call?.prompt).toBe('Which papers disagree?');
    expect(store.complete).toBe(true);
    await store.wholeEvents(store.events);
    expect(whole).toHaveBeenCalledTimes(1);
  });

  test('that a kernel fed shortened is shortened too', () => {
    const store = new RunStore('papers-1', true);
    store.receive(feed(0, cut));
    expect(store.cutTexts).toBe(1);
    expect(store.complete).toBe(false);
  });

  test('says so where no kernel holds it', async () => {
    const store = RunStore.fromBundle(decodeBundle({ format: 1, events: cut, cut_texts: 1 }));
    await expect(store.wholeEvents(store.events)).rejects.toThrow('no kernel holds this run');
  });
});
