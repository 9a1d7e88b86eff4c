/** Two runs side by side, place by place: by the rules that `run.diff` goes by in Python. */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { align, ends, folded, tally } from '../../src/core/model/compare';
import type { Row } from '../../src/core/model/compare';
import { costDelta, costTold, delta, deltaTold, runFigures } from '../../src/core/model/figures';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { readTrace } from '../../src/core/trace/file';
import { ENGLISH } from '../../src/core/words';
import { NAMES, goldenFile } from '../golden';
import { Story, threeTurns } from './story';
import type { Json } from './story';

function saved(story: Story, run = 'papers-1'): RunStore {
  return RunStore.fromBundle(decodeBundle(story.bundle({ run })));
}

function told(rows: readonly Row[]): string[] {
  return rows.map(
    ({ place, kind, verdict, changes }) =>
      `${place} ${kind} ${verdict}${changes.map(({ aspect }) => ` ${aspect}`).join('')}`
  );
}

/** Every place of a run: its calls, and the turns of those that have any. */
function placesOf({ tree }: RunStore): string[] {
  return [...tree.calls.values()].flatMap(({ id, kind, turns }) => [
    id,
    ...(kind === 'rlm' ? turns.map(turn => `${id}.${String(turn.number)}`) : [])
  ]);
}

/** One turn that prints. */
function printed(output: string, more: Json = {}, reply = 'I look.\n```repl\nprint(1)\n```'): RunStore {
  const story = new Story().rlm('0').ask('0', 1, 'Which?').reply('0', 1, reply, more);
  return saved(story.code('0', 1, 'print(1)', { stdout: output }).end());
}

describe('what is not the same', () => {
  test('is found place by place, parents first', () => {
    const [left, right] = [threeTurns(), threeTurns()];
    for (const event of right.events) {
      if (event['call_id'] === '0.1.2' && event['type'] === 'model_replied') {
        event['text'] = 'another sum';
      }
    }
    right.events.splice(-6); // the third turn and both ends
    right.batch(1, 2, 2).reply('0.2.2', 1, 'more').finish('0.2.2').end('2');
    expect(told(align(saved(left), saved(right)))).toEqual([
      '0 rlm changed answer',
      '0.1 turn same',
      '0.1.1 llm same',
      '0.1.2 llm changed reply',
      '0.1.3 llm same',
      '0.1.4 llm same',
      '0.2 turn changed status code error',
      '0.2.1 rlm same',
      '0.2.1.1 turn same',
      '0.2.1.1.1 llm same',
      '0.2.2 llm only right',
      '0.3 turn only left'
    ]);
  });

  test('a turn whose output is another one', () => {
    const [row] = align(printed('1\n'), printed('2\n')).filter(({ kind }) => kind === 'turn');
    expect(row?.changes).toEqual([{ aspect: 'output', left: '1\n', right: '2\n' }]);
  });

  test('a model, and a reply that only says it in other fences', () => {
    const other = printed('1\n', { model: 'big' });
    expect(told(align(printed('1\n'), other))[1]).toBe('0.1 turn changed model');
    const fences = printed('1\n', {}, 'I look.\n~~~repl\nprint(1)\n~~~');
    expect(told(align(printed('1\n'), fences))[1]).toBe('0.1 turn changed reply');
  });

  test('a table and a figure count by what they are', () => {
    const shown = (rows: number) => {
      const table = JSON.stringify({ columns: ['a'], rows: [['1']], total_rows: rows, total_columns: 1 });
      const outputs = [{ data: { 'application/vnd.rlm.table+json': table } }];
      const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, 'b');
      return saved(story.code('0', 1, 'x', { outputs }).end());
    };
    const [, row] = align(shown(2), shown(1200));
    expect(row?.changes).toEqual([{ aspect: 'output', left: 'table, 2 × 1\n', right: 'table, 1,200 × 1\n' }]);
  });

  test('what the runs came to', () => {
    const failed = new Story().rlm('0').finish('0', 'failed');
    failed.tell('run_finished', { status: 'failed', error: { type: 'KeyError', message: 'x' } });
    expect(ends(printed('1'), saved(failed))).toEqual([
      { aspect: 'answer', left: '1 and 3', right: '' },
      { aspect: 'error', left: '', right: 'KeyError: x' }
    ]);
  });

  test('a place of one run tells what it says', () => {
    const [, turn] = align(printed('1\n'), new RunStore('papers-2', true));
    expect(turn?.alone.map(({ aspect, left }) => [aspect, left])).toEqual([
      ['prompt', 'Which?'],
      ['model', 'small'],
      ['reply', 'I look.'],
      ['code', 'print(1)'],
      ['output', '1\n']
    ]);
  });
});

describe('folds', () => {
  test('have what is the same, and many sub-calls that only one run has', () => {
    const story = (size: number) => {
      const made = new Story().rlm('0').ask('0', 1, 'Which?').reply('0', 1, 'x').batch(size);
      return saved(made.code('0', 1, 'x').end(String(size)));
    };
    const rows = folded(align(story(2), story(12)));
    expect(rows.map(each => [each.place, each.verdict])).toEqual([
      ['0', 'changed'],
      ['0.1…0.1.2', 'same'],
      ['0.1.3…0.1.12', 'only right']
    ]);
  });

  test('lose no row', () => {
    const [left, right] = [saved(threeTurns()), printed('1')];
    const rows = align(left, right);
    expect(folded(rows).flatMap(each => ('rows' in each ? each.rows : [each]))).toEqual(rows);
  });
});

describe('what one took more', () => {
  test('is unknown where a price is, and never nothing for that', () => {
    const priced = (cost: number | null) =>
      printed('1', { usage: { requests: 1, input_tokens: 100, output_tokens: 10, cost } });
    const [cheap, dear, unknown] = [priced(0.001), priced(0.003), priced(null)].map(runFigures);
    if (!cheap || !dear || !unknown) {
      throw new Error('there are three');
    }
    expect(costDelta(delta(cheap, dear), ENGLISH)).toBe('+$0.0020');
    expect(costDelta(delta(dear, cheap), ENGLISH)).toBe('−$0.0020');
    expect(costDelta(delta(cheap, unknown), ENGLISH)).toBe('unknown');
    expect(costTold(unknown, ENGLISH)).toBe('unknown');
    expect(deltaTold(delta(cheap, unknown), ENGLISH)).toBe('');
  });

  test('a run that only replayed paid nothing', () => {
    const usage = { requests: 0, input_tokens: 100, output_tokens: 10, cost: 0.5 };
    const replayed = runFigures(printed('1', { mode: 'replayed', usage }));
    expect(replayed.cost).toBe(0);
    const paid = runFigures(printed('1', { usage: { ...usage, requests: 1 } }));
    expect(deltaTold(delta(paid, replayed), ENGLISH)).toBe('−110 tokens · −$0.5000');
  });

  test('a run under way has no time yet', () => {
    expect(runFigures(new RunStore('papers-2', true)).seconds).toBeNull();
  });
});

describe('for all runs', () => {
  const goldens = NAMES.map(name => RunStore.fromBundle(readTrace(goldenFile(name))));
  const golden = fc.constantFrom(...goldens);
  // As many of its events as there happened to be.
  const part = fc.tuple(golden, fc.double({ min: 0, max: 1, noNaN: true })).map(([whole, share]) => {
    const count = Math.round(share * whole.events.length);
    const store = new RunStore(whole.id, true);
    const events = whole.events.slice(0, count).map(event => event.source);
    store.receive({ since: 0, events, live: true, now: 0, path: '', warning: '' });
    return store;
  });

  test('every call and turn of both is there once', () => {
    fc.assert(
      fc.property(part, part, (left, right) => {
        const rows = align(left, right);
        const of = (side: 'left' | 'right') => rows.filter(row => row[side]).map(({ place }) => place);
        expect(of('left').sort()).toEqual(placesOf(left).sort());
        expect(of('right').sort()).toEqual(placesOf(right).sort());
        expect(new Set(rows.map(({ place }) => place)).size).toBe(rows.length);
        expect(folded(rows).flatMap(each => ('rows' in each ? each.rows : [each]))).toEqual(rows);
      }),
      { numRuns: 60 }
    );
  });

  test('one is the same as itself', () => {
    fc.assert(
      fc.property(part, store => {
        const found = tally(align(store, store));
        expect([...found.keys()].filter(verdict => verdict !== 'same')).toEqual([]);
      })
    );
  });

  test('what is only left is only right the other way round', () => {
    fc.assert(
      fc.property(part, part, (left, right) => {
        const [one, other] = [tally(align(left, right)), tally(align(right, left))];
        expect(one.get('only left')).toBe(other.get('only right'));
        expect(one.get('changed')).toBe(other.get('changed'));
      }),
      { numRuns: 40 }
    );
  });
});

test('10,000 calls are compared in a moment', () => {
  const many = (word: string) => {
    const story = new Story().rlm('0').ask('0', 1, 'Which?').reply('0', 1, 'x').batch(10_000);
    for (let call = 1; call <= 10_000; call += 1) {
      const text = `${call % 7 ? 'the' : word} sum of paper ${String(call)}, `.repeat(10);
      story.reply(`0.1.${String(call)}`, 1, text).finish(`0.1.${String(call)}`);
    }
    return saved(story.code('0', 1, 'x').end());
  };
  const [left, right] = [many('one'), many('another')];
  align(left, right);
  const start = performance.now();
  const rows = align(left, right);
  const count = folded(rows).length;
  const took = performance.now() - start;
  expect(tally(rows).get('changed')).toBe(1428);
  expect(count).toBeGreaterThan(1428);
  // To compare each with each would take minutes.
  expect(took).toBeLessThan(5_000);
});
