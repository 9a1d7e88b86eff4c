import { describe, expect, test } from 'vitest';

import { findItem, itemsAbove, visibleRows } from '../../src/core/model/rows';
import { ViewState } from '../../src/core/model/state';
import { RunStore } from '../../src/core/model/store';
import { title } from '../../src/core/model/titles';
import { decodeBundle } from '../../src/core/trace/decode';
import { ENGLISH } from '../../src/core/words';
import { Story, threeTurns } from './story';

function stateOf(story: Story): ViewState {
  return new ViewState(RunStore.fromBundle(decodeBundle(story.bundle())));
}

function keys(state: ViewState): string[] {
  return state.rows.map(row => row.item.key);
}

describe('rows', () => {
  test("the root's story is open, what it passed on is closed", () => {
    expect(keys(stateOf(threeTurns()))).toEqual(['0', '0@1', '0.1.1+', '0@2', '0.2.1', '0@3']);
  });

  test('opened, the calls of a batch and the turns of a child stand below it', () => {
    const state = stateOf(threeTurns());
    state.open('0.1.1+', true);
    state.open('0.2.1', true);

    expect(keys(state)).toEqual([
      ...['0', '0@1', '0.1.1+', '0.1.1', '0.1.2', '0.1.3', '0.1.4'],
      ...['0@2', '0.2.1', '0.2.1@1', '0.2.1.1.1', '0@3']
    ]);
    expect(state.rows.map(row => row.level)).toEqual([1, 2, 3, 4, 4, 4, 4, 2, 3, 4, 5, 2]);
    expect(state.rows.map(row => row.open)).toEqual([
      ...[true, true, true, null, null, null, null],
      ...[true, true, true, null, null]
    ]);
    const third = state.rows.find(row => row.item.key === '0.1.3');
    expect([third?.place, third?.of]).toEqual([3, 4]);
  });

  test('a turn with several blocks has a row for each', () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'two blocks');
    story.code('0', 1, 'a = 1').llm('0.1.1', 'p', { site: { block: 2, line: 1, code: 'llm_query("p")' } });
    story.code('0', 1, 'llm_query("p")', { block: 2 });

    expect(keys(stateOf(story))).toEqual(['0', '0@1', '0@1.1', '0@1.2', '0.1.1']);
  });

  test('selecting what is hidden opens what is above it', () => {
    const state = stateOf(threeTurns());
    state.select('0.2.1.1.1');

    expect(keys(state)).toContain('0.2.1.1.1');
    expect(state.selectedItem?.kind).toBe('call');
    state.select('0.1.3');
    expect(keys(state)).toContain('0.1.3');
  });

  test('every key finds its item again, and a strange one finds none', () => {
    const state = stateOf(threeTurns());
    state.open('0.1.1+', true);
    for (const { item } of state.rows) {
      expect(findItem(state.store.tree, item.key)?.key).toBe(item.key);
    }
    for (const key of ['', '1', '0@9', '0@1.9', '0.1.9', '0.2.1+', '0@x', 'constructor']) {
      expect(findItem(state.store.tree, key)).toBeNull();
    }
  });

  test('above an item are the batch, the turn and the call it came from', () => {
    const { tree } = stateOf(threeTurns()).store;
    const item = findItem(tree, '0.1.3');
    expect(item && itemsAbove(item).map(each => each.key)).toEqual(['0.1.1+', '0@1', '0']);
  });

  test('siblings and failures are stepped through', () => {
    const state = stateOf(threeTurns());
    state.select('0.1.2');
    expect(state.sibling(1)).toBe('0.1.3');
    state.select('0.1.4');
    expect(state.sibling(1)).toBeNull();
    state.select('0');
    expect(state.sibling(1)).toBeNull();
    expect(state.nextFailure()).toBe('0.1.3');
    state.select('0.1.3');
    expect(state.nextFailure()).toBe('0@2');
    state.select('0@2');
    expect(state.nextFailure()).toBe('0.1.3');
    expect(state.failures).toBe(2);
  });

  test('a trace nested a thousand deep opens', () => {
    const story = new Story();
    let id = '0';
    for (let depth = 0; depth < 1000; depth += 1) {
      story.rlm(id);
      id += '.1.1';
    }
    const { tree } = stateOf(story).store;
    const opened = new Map([...tree.calls.keys()].map(key => [key, true]));

    expect(visibleRows(tree, opened).length).toBe(1999);
  });
});

describe('titles', () => {
  const { tree } = stateOf(threeTurns()).store;

  test.each([
    ['0', 'papers: list of 3 str', false],
    ['0@1', 'parts = llm_query_batched(prompts)', true],
    ['0@2', 'x = rlm_query("Check paper 1")', true],
    ['0.1.1+', 'parts = llm_query_batched(prompts)', true],
    ['0.2.1', 'Check paper 1', false]
  ])('%s is called %j', (key, text, code) => {
    const item = findItem(tree, key);
    expect(item && title(item, ENGLISH)).toEqual({ text, code });
  });
});
