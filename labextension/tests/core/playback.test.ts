import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { beatsOf } from '../../src/core/model/beats';
import { Pace } from '../../src/core/model/pace';
import { Playback } from '../../src/core/model/playback';
import { ViewState } from '../../src/core/model/state';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle, decodeEvents } from '../../src/core/trace/decode';
import { readTrace } from '../../src/core/trace/file';
import type { TraceEvent } from '../../src/core/trace/wire';
import { NAMES, goldenFile } from '../golden';
import { Story, threeTurns } from './story';
import type { Json } from './story';

function saved(events: readonly Json[]): RunStore {
  return RunStore.fromBundle(decodeBundle({ format: 1, run: 'papers-1', events }));
}

/** A run played back by a clock that a test sets, in milliseconds. */
function playedBack(run: RunStore): { playback: Playback; wait: (seconds: number) => void } {
  let now = 0;
  const playback = new Playback(run, () => now);
  const wait = (seconds: number) => {
    // Somebody looks at the clock a hundred times a second.
    for (let look = 0; look < Math.round(seconds * 100); look += 1) {
      now += 10;
      playback.tick();
    }
  };
  return { playback, wait };
}

/** The run as a page would have it after that many of its events. */
function prefix(run: RunStore, count: number): RunStore {
  const store = new RunStore(run.id, true);
  store.receive({
    since: 0,
    events: run.events.slice(0, count).map(event => event.source),
    live: run.live || count < run.events.length,
    now: 0,
    path: '',
    warning: ''
  });
  return store;
}

function expectPrefix(playback: Playback): void {
  const { store, whole } = playback;
  const other = prefix(whole, store.events.length);
  expect(store.events).toEqual(other.events);
  expect(store.tree).toEqual(other.tree);
  expect(store.status).toBe(other.status);
  expect(store.live).toBe(other.live);
}

/** Where it stands and what a person sees of it. */
function standing({ store, place, moment, beat }: Playback): unknown {
  return [store.events.length, place, moment, beat?.number, store.status];
}

/** A run whose events are at these seconds. */
function timed(...seconds: number[]): RunStore {
  const story = new Story().rlm('0').ask('0', 1, 'x');
  for (let turn = 1; story.events.length < seconds.length; turn += 1) {
    story.reply('0', turn, 'more').code('0', turn, 'pass');
  }
  const events = story.events
    .slice(0, seconds.length)
    .map((event, at) => ({ ...event, t: seconds[at] ?? 0 }));
  return saved(events);
}

/** What a scheduler of many threads may tell: replies and ends of calls of all kinds in any order, at any time. */
const runs = fc
  .array(
    fc.record({
      parent: fc.nat(20),
      kind: fc.constantFrom('rlm', 'llm', 'batch'),
      order: fc.nat(50),
      ends: fc.boolean(),
      wait: fc.constantFrom(0, 0, 0.01, 0.3, 5, 700)
    }),
    { maxLength: 20 }
  )
  .map(calls => {
    const story = new Story().rlm('0').ask('0', 1, 'x');
    const parents = ['0'];
    const places = new Map<string, number>();
    const later: { order: number; tell: () => void }[] = [];
    for (const { parent, kind, order, ends } of calls) {
      const above = parents[parent % parents.length] ?? '0';
      const place = (places.get(above) ?? 0) + 1;
      const id = `${above}.1.${String(place)}`;
      places.set(above, place);
      if (kind === 'rlm') {
        story.rlm(id).ask(id, 1, 'x');
        parents.push(id);
      } else {
        const batch = { id: `${above}.1`, index: place - 1, size: 20 };
        story.llm(id, 'Sum up', kind === 'batch' ? { batch } : {});
      }
      later.push({ order, tell: () => story.reply(id, 1, 'x') });
      later.push({
        order: order + 3,
        tell: () => (kind === 'rlm' ? story.code(id, 1, 'pass') : story.finish(id))
      });
      if (ends) {
        later.push({ order: order + 9, tell: () => story.finish(id, order % 2 ? 'finished' : 'failed') });
      }
    }
    later
      .sort((one, other) => one.order - other.order)
      .forEach(({ tell }) => {
        tell();
      });
    let t = 0;
    const told = calls.length % 2 ? story.events : story.end().events;
    return told.map((event, at) => ({ ...event, t: (t += calls[at % calls.length]?.wait ?? 0.1) }));
  });

type Move = (playback: Playback, wait: (seconds: number) => void) => void;

const moves: fc.Arbitrary<Move> = fc.oneof(
  fc.constant<Move>(playback => {
    playback.step(1);
  }),
  fc.constant<Move>(playback => {
    playback.step(-1);
  }),
  fc.double({ min: 0, max: 1, noNaN: true }).map<Move>(place => playback => {
    playback.seek(place);
  }),
  fc
    .constantFrom('0.5' as const, '2' as const, '10' as const, 'steps' as const)
    .map<Move>(speed => playback => {
      playback.speed = speed;
    }),
  fc.double({ min: 0, max: 3, noNaN: true }).map<Move>(seconds => (playback, wait) => {
    playback.play();
    wait(seconds);
  }),
  fc.constant<Move>(playback => {
    playback.pause();
  })
);

describe('the store that is played', () => {
  test('is the run from its first events, wherever somebody goes', () => {
    fc.assert(
      fc.property(runs, fc.array(moves, { maxLength: 12 }), (events, todo) => {
        const { playback, wait } = playedBack(saved(events));
        expectPrefix(playback);
        for (const move of todo) {
          move(playback, wait);
          expectPrefix(playback);
          expect(playback.place).toBeGreaterThanOrEqual(0);
          expect(playback.place).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 60 }
    );
  });

  test.each(NAMES)('has every step of the golden trace %s, and ends as it did', name => {
    const run = RunStore.fromBundle(readTrace(goldenFile(name)));
    const playback = new Playback(run);
    while (!playback.atEnd) {
      expect(playback.store.live).toBe(true);
      expectPrefix(playback);
      playback.step(1);
    }
    expect(playback.store.tree).toEqual(run.tree);
    expect(playback.store.status).toBe(run.status);
    expect(playback.store.now).toBe(run.now);
  });

  test('is the same after so many steps forward and as many back', () => {
    fc.assert(
      fc.property(runs, fc.nat(30), fc.nat(30), (events, from, by) => {
        const playback = new Playback(saved(events));
        for (let step = 0; step < from; step += 1) {
          playback.step(1);
        }
        const before = standing(playback);
        const steps = Math.min(by, playback.beats - (playback.beat?.number ?? 0));
        for (let step = 0; step < steps; step += 1) {
          playback.step(1);
        }
        for (let step = 0; step < steps; step += 1) {
          playback.step(-1);
        }
        expect(standing(playback)).toEqual(before);
        expectPrefix(playback);
      }),
      { numRuns: 60 }
    );
  });

  test('comes to every one of its events by the slider', () => {
    fc.assert(
      fc.property(runs, events => {
        const playback = new Playback(saved(events));
        for (let count = playback.store.events.length; count <= events.length; count += 1) {
          while (playback.store.events.length < count) {
            playback.seek(playback.place + 1 / (40 * events.length));
          }
          expect(playback.store.events.length).toBe(count);
        }
      }),
      { numRuns: 20 }
    );
  });

  test('shows nothing of the answer before it was there', () => {
    const playback = new Playback(saved(threeTurns().events));
    while (!playback.atEnd) {
      expect(playback.store.tree.end).toBeNull();
      playback.step(1);
    }
    expect(playback.store.tree.end?.answer).toBe('1 and 3');
  });

  test('offers no kernel to stop', () => {
    const run = new RunStore('papers-1', true);
    const nothing = () => Promise.reject(new Error('not asked for'));
    run.link = {
      stop: nothing,
      answerNow: nothing,
      tryNow: nothing,
      whole: nothing,
      file: nothing,
      derive: nothing,
      decide: nothing
    };
    expect(new Playback(run).store.link).toBeNull();
  });
});

describe('the clock', () => {
  test('plays each event when it was, while it plays', () => {
    const { playback, wait } = playedBack(timed(0, 0, 0, 1, 1.5, 3));
    playback.speed = '1';
    wait(2);
    expect(playback.store.events.length).toBe(3);

    playback.play();
    wait(0.9);
    expect(playback.store.events.length).toBe(3);
    expect(playback.store.now).toBeCloseTo(0.9);
    wait(0.2);
    expect(playback.store.events.length).toBe(4);
    playback.pause();
    wait(9);
    expect(playback.store.events.length).toBe(4);
    expect(playback.moment).toBeCloseTo(1.1);

    playback.play();
    wait(2);
    expect(playback.atEnd).toBe(true);
    expect(playback.playing).toBe(false);
    expect(playback.store.now).toBe(3);
  });

  test.each([
    ['0.5', 3],
    ['1', 1.5],
    ['2', 0.75],
    ['10', 0.15]
  ] as const)('at %s× it plays a second and a half in %d s', (speed, takes) => {
    const { playback, wait } = playedBack(timed(0, 0, 0, 0.5, 1, 1.5));
    playback.speed = speed;
    playback.play();
    wait(takes - 0.02);
    expect(playback.atEnd).toBe(false);
    wait(0.04);
    expect(playback.atEnd).toBe(true);
  });

  test.each(['0.5', '1', '2', '5', '10'] as const)('at %s× no wait is longer than two seconds', speed => {
    const { playback, wait } = playedBack(timed(0, 0, 0, 3600));
    playback.speed = speed;
    playback.play();
    wait(1);
    // The time that is shown runs through the hour in those seconds.
    expect(playback.store.now).toBeCloseTo(1800);
    wait(1.01);
    expect(playback.atEnd).toBe(true);
  });

  test('gives each step a second where that is chosen, however long it took', () => {
    const { playback, wait } = playedBack(timed(0, 0, 0, 0, 0.001, 600));
    playback.speed = 'steps';
    playback.play();
    for (const count of [3, 4, 5, 6]) {
      expect(playback.store.events.length).toBe(count);
      wait(1.005);
    }
    expect(playback.atEnd).toBe(true);
  });

  test('plays a run that was over at once step by step, and a longer one as it was', () => {
    expect(new Playback(timed(0, 0, 0, 0.01, 0.02)).speed).toBe('steps');
    expect(new Playback(timed(...Array.from({ length: 12 }, (_, at) => at))).speed).toBe('1');
  });

  test('counts little for a page that was out of sight', () => {
    let now = 0;
    const playback = new Playback(timed(0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), () => now);
    playback.play();
    now += 3_600_000;
    playback.tick();
    expect(playback.moment).toBeCloseTo(0.5);
  });

  test('begins again when it is played from the end', () => {
    const { playback } = playedBack(timed(0, 0, 0, 1, 2));
    playback.seek(1);
    playback.play();
    expect([playback.atStart, playback.playing, playback.store.status]).toEqual([true, true, 'running']);
  });

  test('goes through an event that is dated before the one that it follows', () => {
    const { playback, wait } = playedBack(timed(0, 0, 0, 5, 1, 6));
    playback.speed = '10';
    playback.play();
    wait(1);
    expect(playback.atEnd).toBe(true);
    expect(playback.moment).toBe(6);
  });

  test('stands still while a person steps', () => {
    const { playback, wait } = playedBack(timed(0, 0, 0, 1, 2, 3));
    playback.play();
    playback.step(1);
    wait(9);
    expect(playback.store.events.length).toBe(4);
    playback.step(-1);
    playback.step(-1);
    expect(playback.atStart).toBe(true);
  });
});

describe('beats', () => {
  const kinds = (events: readonly Json[]) =>
    beatsOf(decodeEvents(events)).map(beat => [beat.kind, beat.event.type, beat.calls, beat.end]);

  test('are what a person would call steps', () => {
    expect(kinds(threeTurns().events)).toEqual([
      ['step', 'run_started', 0, 3],
      ['step', 'model_replied', 0, 4],
      ['sent', 'call_started', 4, 8],
      ['back', 'model_replied', 4, 15],
      ['step', 'code_executed', 0, 17],
      ['step', 'model_replied', 0, 18],
      ['step', 'call_started', 0, 20],
      ['step', 'model_replied', 0, 21],
      ['step', 'call_started', 0, 22],
      ['step', 'model_replied', 0, 24],
      ['step', 'code_executed', 0, 25],
      ['step', 'call_finished', 0, 26],
      ['step', 'code_executed', 0, 28],
      ['step', 'model_replied', 0, 29],
      ['step', 'code_executed', 0, 30],
      ['step', 'call_finished', 0, 32]
    ]);
  });

  test('are all of the events, in order', () => {
    fc.assert(
      fc.property(runs, told => {
        const events = decodeEvents(told);
        const ends = beatsOf(events).map(beat => beat.end);
        expect(ends.at(-1)).toBe(events.length);
        expect(ends).toEqual([...new Set(ends)].sort((one, other) => one - other));
      })
    );
  });

  test('of a batch of ten thousand are two', () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'all').batch(10_000);
    for (let at = 1; at <= 10_000; at += 1) {
      const id = `0.1.${String(at)}`;
      story.reply(id, 1, 'x').finish(id);
    }
    expect(kinds(story.code('0', 1, 'x').end().events).map(([kind, , calls]) => [kind, calls])).toEqual([
      ['step', 0],
      ['step', 0],
      ['sent', 10_000],
      ['back', 10_000],
      ['step', 0],
      ['step', 0]
    ]);
  });

  test.each(['llm', 'rlm'])('of ten thousand %s calls one after the other are few', kind => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'all');
    for (let at = 1; at <= 10_000; at += 1) {
      const id = `0.1.${String(at)}`;
      (kind === 'llm' ? story.llm(id, 'x') : story.rlm(id)).reply(id, 1, 'x').finish(id);
    }
    const beats = beatsOf(decodeEvents(story.code('0', 1, 'x').end().events));
    expect(beats.length).toBeLessThan(150);
    expect(beats.filter(beat => beat.event.type === 'code_executed').length).toBe(1);
    expect(beats.reduce((sum, beat) => sum + beat.calls, 0)).toBe(10_000);
  });

  test('of a run that was cut off end where it does', () => {
    const events = threeTurns().events.slice(0, 10);
    const playback = new Playback(saved(events));
    playback.seek(1);
    expect(playback.store.status).toBe('cut off');
    expect(playback.store.tree.calls.get('0.1.3')?.status).toBe('cut off');
    playback.step(-1);
    expect(playback.store.tree.calls.get('0.1.3')?.status).toBe('running');
  });

  test('a run without events has none', () => {
    const playback = new Playback(new RunStore('papers-1', false));
    playback.play();
    playback.step(1);
    playback.step(-1);
    playback.tick();
    expect([playback.beats, playback.beat, playback.playing]).toEqual([0, null, false]);
    expect(new Pace([], []).place(0, 0, 0)).toBe(1);
  });
});

describe('what a person has chosen', () => {
  function viewed(events: readonly Json[] = threeTurns().events): ViewState {
    return new ViewState(saved(events));
  }

  test('stays while the run is played back, and after it', () => {
    const state = viewed();
    state.open('0.1.1+', true);
    state.select('0.1.3');
    state.playBack();
    expect(state.selectedItem).toBeNull();
    expect(state.rows.map(row => row.item.key)).toEqual(['0', '0@1']);
    state.playback?.seek(0.5);
    expect(state.selectedItem?.key).toBe('0.1.3');
    expect(state.rows.map(row => row.item.key)).toContain('0.1.4');

    state.leavePlayback();
    expect(state.playback).toBeNull();
    expect(state.selected).toBe('0.1.3');
    expect(state.store).toBe(state.whole);
    expect(state.store.status).toBe('finished');
    expect(state.rows.map(row => row.item.key)).toContain('0.1.4');
    state.dispose();
  });

  test('keeps its rows while only the clock goes on', () => {
    const state = viewed();
    state.playBack();
    const { rows } = state;
    state.playback?.pause();
    expect(state.rows).toBe(rows);
    state.playback?.step(1);
    expect(state.rows).not.toBe(rows);
    state.dispose();
  });

  test('goes on at the same moment when a fuller copy of the run comes', () => {
    const { events } = threeTurns();
    const whole = saved(events);
    const state = new ViewState(saved(events.filter(event => event['call_id'] !== '0.1.2')));
    state.playBack();
    state.playback?.pause();
    while ((state.playback?.moment ?? 9) < 1.4) {
      state.playback?.step(1);
    }
    state.store = whole;
    expect(state.whole).toBe(whole);
    expect(state.store.events.map(event => event.seq)).toEqual(
      whole.events.filter(event => event.t <= 1.4 + 1e-9).map(event => event.seq)
    );
    state.playback?.seek(1);
    expect(state.store.tree).toEqual(whole.tree);
    state.dispose();
  });

  test('is a run that still goes on, as far as it has come', () => {
    const { events } = threeTurns();
    const run = new RunStore('papers-1', true);
    const feed = (since: number, to: number, live: boolean) => {
      const fresh: readonly unknown[] = events.slice(since, to);
      run.receive({ since, events: fresh, live, now: 2, path: '', warning: '' });
    };
    feed(0, 8, true);
    const state = new ViewState(run);
    state.playBack();
    state.playback?.seek(1);
    expect([state.store.events.length, state.store.status]).toEqual([8, 'running']);
    feed(8, events.length, false);
    expect([state.store.events.length, state.store.status]).toEqual([8, 'running']);
    expect(state.playback?.beats).toBe(16);
    state.playback?.seek(1);
    expect(state.store.tree).toEqual(run.tree);
    state.dispose();
  });

  test('a live run that breaks off while its end is shown is cut off there too', () => {
    const run = new RunStore('papers-1', true);
    const events: readonly unknown[] = threeTurns().events.slice(0, 8);
    run.receive({ since: 0, events, live: true, now: 2, path: '', warning: '' });
    const state = new ViewState(run);
    state.playBack();
    state.playback?.seek(1);
    run.end();
    expect(state.store.status).toBe('cut off');
    state.dispose();
  });
});

test('the events that are played are those of the run, so that a text made whole is whole in both', () => {
  const run = saved(threeTurns().events);
  const played: readonly TraceEvent[] = new Playback(run).store.events;
  expect(played.every((event, at) => event === run.events[at])).toBe(true);
});
