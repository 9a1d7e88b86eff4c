import { describe, expect, test, vi } from 'vitest';

import { derivedTold, editTold, readEdit, sampleKey } from '../../src/core/model/edit';
import type { Edit } from '../../src/core/model/edit';
import { Relatives } from '../../src/core/model/relatives';
import { findItem } from '../../src/core/model/rows';
import { keyOf, stepOf } from '../../src/core/model/step';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { ENGLISH } from '../../src/core/words';
import { FakeRuns } from './kin';
import { threeTurns } from './story';

describe('a step', () => {
  const { tree } = RunStore.fromBundle(decodeBundle(threeTurns().bundle()));

  test.each([
    ['0', '0', '0'],
    ['0@2', '0.2', '0@2'],
    ['0.2.1', '0.2.1', '0.2.1'],
    ['0.2.1@1', '0.2.1.1', '0.2.1@1'],
    ['0@1.1', '0.1', '0@1'],
    ['0.1.1+', '', '0']
  ])('of %s is %s', (key, step, back) => {
    const item = findItem(tree, key);
    expect(item && stepOf(item)).toBe(step);
    expect(keyOf(step)).toBe(back);
  });
});

describe('an edit', () => {
  test.each<[Edit, string]>([
    [{}, ''],
    [{ hint: '\nLook at 2020.\nThen stop.' }, 'hint “Look at 2020.”'],
    [{ code: 'x = 1', block: 2 }, 'other code in block 2 “x = 1”'],
    [{ prompt: 'Sum', model: 'big', temperature: 0, n: 3 }, 'other prompt “Sum”, model big, temperature 0'],
    [{ limits: { max_turns: 30, max_seconds: 5 } }, 'max_turns 30, max_seconds 5']
  ])('%j is told', (edit, told) => {
    expect(editTold(edit, ENGLISH)).toBe(told);
  });

  test('is read from what a trace says, and nothing else is', () => {
    const edit = { hint: 'a', code: 7, n: 2, limits: { max_turns: 3, max_calls: '4', other: 5 }, x: 1 };
    expect(readEdit(edit)).toEqual({ hint: 'a', n: 2, limits: { max_turns: 3 } });
    expect(readEdit({ limits: 'none' })).toEqual({});
  });

  test('samples of one thing have one key, whatever their order and number', () => {
    const origin = { kind: 'rerun' as const, run: 'a', at: '0.1.1', original: null };
    expect(sampleKey({ ...origin, edit: { n: 3, model: 'b', prompt: 'p' } })).toBe(
      sampleKey({ ...origin, edit: { prompt: 'p', model: 'b' } })
    );
    expect(sampleKey({ ...origin, edit: { model: 'b' } })).not.toBe(sampleKey({ ...origin, edit: {} }));
  });

  test.each([
    ['replay', '', 'Replay'],
    ['rerun', '0.3.2', 'Rerun of 0.3.2'],
    ['fork', '0.3', 'Fork at 0.3'],
    ['resume', '', 'Resumed']
  ] as const)('a %s has a name', (kind, at, told) => {
    expect(derivedTold(kind, at, ENGLISH)).toBe(told);
  });
});

describe('the runs made from one', () => {
  test('are known by step, the newest first, and watched when they are looked at', () => {
    const runs = new FakeRuns();
    runs.add('papers-2', 'fork', '0.2').add('papers-3', 'rerun', '0.1.1').add('papers-4', 'fork', '0.2');
    const relatives = new Relatives('papers-1', runs);
    expect(relatives.all.map(made => made.run)).toEqual(['papers-4', 'papers-3', 'papers-2']);
    expect(relatives.at('0.2').map(made => made.run)).toEqual(['papers-4', 'papers-2']);
    expect(runs.watched).toEqual([]);
    expect(relatives.store('papers-3')).toBe(relatives.store('papers-3'));
    expect(runs.watched).toEqual(['papers-3']);
    expect(relatives.store('papers-9')).toBeNull();
    relatives.dispose();
    expect(runs.watched).toEqual([]);
  });

  test('another one is told of, and so is one that goes on', () => {
    const runs = new FakeRuns();
    const relatives = new Relatives('papers-1', runs);
    const heard = vi.fn();
    relatives.changed.connect(heard);
    runs.tell();
    expect(heard).not.toHaveBeenCalled();
    runs.add('papers-2', 'replay', '').tell();
    expect(heard).toHaveBeenCalledTimes(1);
    const store = relatives.store('papers-2');
    expect(relatives.live).toBe(true);
    store?.end();
    expect(heard).toHaveBeenCalledTimes(2);
    expect(relatives.live).toBe(false);
    relatives.dispose();
    runs.add('papers-5', 'replay', '').tell();
    expect(heard).toHaveBeenCalledTimes(2);
  });

  test('one that was seen stays when its kernel goes', () => {
    const runs = new FakeRuns().add('papers-2', 'fork', '0.2');
    const relatives = new Relatives('papers-1', runs);
    const store = relatives.store('papers-2');
    runs.forget();
    runs.tell();
    expect(relatives.at('0.2').map(made => made.run)).toEqual(['papers-2']);
    expect(relatives.store('papers-2')).toBe(store);
  });
});
