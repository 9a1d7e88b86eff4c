import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { search } from '../../src/core/model/filter';
import { ViewState } from '../../src/core/model/state';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { threeTurns } from './story';

const { tree } = RunStore.fromBundle(decodeBundle(threeTurns().bundle()));

describe('a search', () => {
  test.each([
    ['kind:llm', ['0.1.1', '0.1.2', '0.1.3', '0.1.4', '0.2.1.1.1']],
    ['kind:rlm depth:1', ['0.2.1']],
    ['status:failed', ['0.1.3', '0@2']],
    ['-status:failed kind:llm depth:1', ['0.1.1', '0.1.2', '0.1.4']],
    ['model:SMALL depth:2', ['0.2.1.1.1']],
    ['"check paper"', ['0@2', '0.2.1']],
    ['the sum of', ['0.1.1', '0.1.2', '0.1.4']],
    ['500 retries', ['0.1.3']],
    ['KeyError', ['0@2']],
    ['id:0.2', ['0.2.1', '0.2.1@1', '0.2.1.1.1']],
    ['tokens>300', ['0']],
    ['turn:3', ['0@3']],
    ['depth>1', ['0.2.1.1.1']],
    ['nothing-like-it', []]
  ])('for %s finds %j', (query, hits) => {
    const found = search(tree, query);
    expect(found.hits).toEqual(hits);
    expect(found.of).toBe(11);
    expect(found.problem).toBe('');
  });

  test('keeps what is above each hit', () => {
    expect([...search(tree, 'id:0.2.1.1.1').kept].sort()).toEqual([
      '0',
      '0.2.1',
      '0.2.1.1.1',
      '0.2.1@1',
      '0@2'
    ]);
  });

  test('says which term it does not understand, and goes by the others', () => {
    const found = search(tree, 'tokens>many kind:rlm depth:1');
    expect(found.problem).toBe('tokens>many needs a number');
    expect(found.hits).toEqual(['0.2.1']);
  });

  test('ranks sub-calls', () => {
    expect(search(tree, 'slowest:1').hits).toEqual(['0.1.3']);
    expect(search(tree, 'kind:rlm slowest:1').hits).toEqual(['0.2.1']);
    expect(search(tree, 'kind:llm slowest:2').hits.length).toBe(2);
    expect(search(tree, 'costliest:1').hits).toEqual(['0.2.1']);
  });

  test('never fails, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), query => {
        const found = search(tree, query);
        expect(found.hits.every(key => found.kept.has(key))).toBe(true);
      })
    );
  });
});

test('a search shows its hits with what is above them, and steps through them', () => {
  const state = new ViewState(RunStore.fromBundle(decodeBundle(threeTurns().bundle())));
  state.search = 'the sum of';

  expect(state.rows.map(row => row.item.key)).toEqual(['0', '0@1', '0.1.1+', '0.1.1', '0.1.2', '0.1.4']);
  expect(state.step(1)).toBe('0.1.1');
  expect(state.step(1)).toBe('0.1.2');
  expect(state.step(-1)).toBe('0.1.1');
  expect(state.step(-1)).toBe('0.1.4');
  state.search = '';
  expect(state.selected).toBe('0.1.4');
  expect(state.rows.map(row => row.item.key)).toContain('0.1.4');
});
