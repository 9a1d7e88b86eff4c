import { expect, test } from 'vitest';

import { agreement, callOutcome, originalOutcome, runOutcome } from '../../src/core/model/outcome';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import type { Call } from '../../src/core/trace/call';
import { Story, threeTurns } from './story';

function saved(story: Story): RunStore {
  return RunStore.fromBundle(decodeBundle(story.bundle()));
}

function callOf(store: RunStore, id: string): Call {
  const call = store.tree.calls.get(id);
  if (!call) {
    throw new Error(`there is no ${id}`);
  }
  return call;
}

test('of a call: with all below it, and what of it is unknown stays unknown', () => {
  const store = saved(threeTurns());
  expect(callOutcome(callOf(store, '0.2.1'))).toMatchObject({ answer: 'no', tokens: 220, cost: null });
  expect(callOutcome(callOf(store, '0.1.3'))).toMatchObject({
    status: 'failed',
    answer: null,
    tokens: null,
    error: { type: 'ServerFailed' }
  });
});

test('of a call that was replayed: what it took when it was first made', () => {
  const usage = { requests: 0, input_tokens: 100, output_tokens: 10, cost: 0.5 };
  const story = new Story().rlm('0').llm('0.1.1', 'a');
  const store = saved(story.reply('0.1.1', 1, 'b', { mode: 'replayed', usage }).finish('0.1.1').end());
  expect(callOutcome(callOf(store, '0.1.1'))).toMatchObject({ tokens: 110, cost: 0.5, seconds: null });
  expect(runOutcome(store)).toMatchObject({ answer: '1 and 3', tokens: null, cost: null });
});

test('of a run under way: no time yet', () => {
  const store = new RunStore('papers-1', true);
  store.receive({
    since: 0,
    events: threeTurns().events.slice(0, 4),
    live: true,
    now: 1,
    path: '',
    warning: ''
  });
  expect(runOutcome(store)).toMatchObject({ status: 'running', answer: null, seconds: null });
});

test('of the original that a rerun keeps', () => {
  const usage = {
    requests: 1,
    inputTokens: 5,
    outputTokens: 2,
    cachedTokens: 0,
    cost: 0.1,
    estimated: false
  };
  const original = { prompt: 'p', model: 'm', answer: 'a', usage, seconds: 2, error: null };
  expect(originalOutcome(original)).toEqual({
    status: 'finished',
    answer: 'a',
    error: null,
    model: 'm',
    tokens: 7,
    cost: 0.1,
    seconds: 2
  });
});

test.each([
  [['yes', 'Yes ', 'no', 'yes'], { agree: 3, of: 4 }],
  [['a  b\nc', 'A b c', null], { agree: 2, of: 2 }],
  [['a', 'b'], { agree: 1, of: 2 }],
  [['a', null], null],
  [[], null]
])('%j agree: %j', (answers, expected) => {
  expect(agreement(answers)).toEqual(expected);
});
