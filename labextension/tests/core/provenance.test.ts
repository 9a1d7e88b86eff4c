// @vitest-environment jsdom
/** Where replies come from, in the tree, in the head and in a search. */

import { describe, expect, test, vi } from 'vitest';

import { search } from '../../src/core/model/filter';
import { repliesTold, runLabel } from '../../src/core/model/provenance';
import { Tree } from '../../src/core/trace/tree';
import { decodeEvents } from '../../src/core/trace/decode';
import { RunView } from '../../src/core/view/app';
import { ENGLISH } from '../../src/core/words';
import { buttonOf, drawn, fakeHost, find, showLive, showSaved } from './page';
import { Story } from './story';
import type { Json } from './story';

const REPLAYED: Json = {
  mode: 'replayed',
  first_mode: 'scripted',
  usage: { requests: 0, input_tokens: 100 }
};
const ORIGIN: Json = { kind: 'fork', run: 'papers-0', at: '0.2', edit: { hint: 'Look at 2020.' } };

/** A fork at turn 2: turn 1 with its two sub-calls is replayed, turn 2 is a person's, turn 3 new. */
function forked(origin: Json | null = ORIGIN): Story {
  const story = new Story();
  if (origin) {
    Object.assign(story.events[0] ?? {}, { origin });
  }
  story.rlm('0').ask('0', 1, 'Which?').reply('0', 1, 'one', REPLAYED).batch(2);
  story.reply('0.1.1', 1, 'a', REPLAYED).finish('0.1.1').reply('0.1.2', 1, 'b').finish('0.1.2');
  story.code('0', 1, 'parts = llm_query_batched(prompts)', {
    divergences: [{ what: 'output', recorded: 'one two', found: 'one three' }]
  });
  story
    .ask('0', 2, 'Go on.')
    .reply('0', 2, 'two', { mode: 'human', usage: {} })
    .code('0', 2, 'x = 1', { decision: 'edited' });
  return story
    .ask('0', 3, 'Go on.')
    .reply('0', 3, 'three')
    .code('0', 3, 'FINAL(x)', { decision: 'skipped' })
    .end();
}

function treeOf(story: Story): Tree {
  const tree = new Tree();
  decodeEvents(story.events).forEach(event => {
    tree.apply(event);
  });
  return tree;
}

function rowText(view: RunView, key: string): string {
  return find(view.node, `.rlm-row[data-key="${key}"] .rlm-step-cell`).textContent;
}

describe('a run that was made from another one', () => {
  test('says so in the rows of its tree', () => {
    const { view, state } = showSaved(forked());
    state.open('0.1.1+', true);
    expect(find(view.node, '[data-key="0@1"] .rlm-mark').textContent).toBe('↻');
    expect(rowText(view, '0@1')).toContain('finished, replayed ');
    expect(rowText(view, '0@1')).toContain('≠ differs from the record');
    expect(rowText(view, '0.1.1+')).toContain('2 finished↻ 1 replayed');
    expect(rowText(view, '0@2')).toContain('✓finished turn 2');
    expect(rowText(view, '0@2')).toContain('a person wrote this reply');
    expect(rowText(view, '0@2')).toContain('a person edited the code');
    expect(rowText(view, '0@3')).toContain('a person skipped it');
  });

  test('says in its head from which, with what changed, and what is new', () => {
    const { view } = showSaved(forked());
    expect(find(view.node, '.rlm-origin').textContent).toBe(
      'Fork of papers-0 at 0.2: hint “Look at 2020.”2 replayed, 1 by a person, 2 new≠ 1 step differs from the record'
    );
    expect(find(view.node, '.rlm-figures').textContent).toContain('200 → 20 tokens');
    expect(find(view.node, '.rlm-head .rlm-mode').textContent).toBe(
      "scripted replies, not a model's; replayed from a trace: scripted replies, not a model's"
    );
  });

  test('opens the other where there are tabs', () => {
    const { state } = showSaved(forked());
    const openRun = vi.fn();
    const view = new RunView(state, { ...fakeHost(), openRun });
    buttonOf(view.node, 'papers-0').click();
    expect(openRun).toHaveBeenCalledWith('papers-0');
  });

  test('is compared with it where there are tabs', () => {
    const { state } = showSaved(forked());
    const openCompare = vi.fn();
    const view = new RunView(state, { ...fakeHost(), openCompare });
    buttonOf(view.node, 'Compare').click();
    expect(openCompare).toHaveBeenCalledWith('papers-0', 'papers-1');
    const without = new RunView(state, fakeHost());
    expect(find(without.node, '.rlm-origin').textContent).not.toContain('Compare');
  });

  test('shows only the steps that differ, and all again', async () => {
    const { view, state } = showSaved(forked());
    buttonOf(view.node, '≠ 1 step differs from the record').click();
    expect(state.found.hits).toEqual(['0@1']);
    await drawn();
    find(view.node, '.rlm-origin .rlm-differs').click();
    expect(state.searching).toBe(false);
  });

  test('has a line only where there is something to say', () => {
    const story = new Story().rlm('0').reply('0', 1, 'one').end();
    expect(find(showSaved(story).view.node, '.rlm-origin').hidden).toBe(true);
  });
});

describe('a search', () => {
  test.each([
    ['status:replayed', ['0@1', '0.1.1']],
    ['status:differs', ['0@1']],
    ['status:edited', ['0@2']],
    ['status:skipped', ['0@3']],
    ['-status:replayed kind:llm', ['0.1.2']]
  ])('for %s', (query, hits) => {
    expect(search(treeOf(forked()), query).hits).toEqual(hits);
  });
});

describe('the label of a run', () => {
  test.each<[string, string | null, string]>([
    ['replayed', 'live', 'replayed from a trace'],
    ['replayed', 'demo', 'replayed from a trace: demo rules, not a language model'],
    ['live', 'human', "replayed from a trace: a person's replies"],
    ['demo', null, 'demo rules, not a language model']
  ])('of mode %s with replies that were %s', (mode, first, label) => {
    const story = new Story();
    Object.assign(story.events[0] ?? {}, { mode });
    story.rlm('0').reply('0', 1, 'one', first ? { mode: 'replayed', first_mode: first } : { mode });
    expect(runLabel(treeOf(story), ENGLISH)).toBe(label);
  });

  test('a replay that has asked nothing yet says so', () => {
    const story = new Story();
    Object.assign(story.events[0] ?? {}, { mode: 'replayed', origin: { ...ORIGIN, kind: 'replay' } });
    const tree = treeOf(story);
    expect(runLabel(tree, ENGLISH)).toBe('replayed from a trace');
    expect(repliesTold(tree, ENGLISH)).toBe('0 replayed, 0 new');
    expect(repliesTold(treeOf(forked(null)), ENGLISH)).toBe('2 replayed, 1 by a person, 2 new');
  });
});

test('a reply that the record has not was not replayed', () => {
  const error = { type: 'MissingReply', message: 'the record has no reply to it' };
  const missing: Json = { mode: 'replayed', usage: { requests: 0 }, text: '', error };
  const story = new Story();
  Object.assign(story.events[0] ?? {}, { origin: { ...ORIGIN, kind: 'replay' } });
  story.rlm('0').ask('0', 1, 'Which?').reply('0', 1, 'one', REPLAYED).batch(2);
  story.reply('0.1.1', 1, 'a', REPLAYED).finish('0.1.1');
  story.reply('0.1.2', 1, '', missing).finish('0.1.2', 'failed', { error });
  const tree = treeOf(story);
  expect(repliesTold(tree, ENGLISH)).toBe('2 replayed, 0 new');
  expect([...tree.calls.values()].map(call => call.replayed)).toEqual([true, true, false]);
  expect(search(tree, 'status:replayed').hits).not.toContain('0.1.2');
  expect(search(tree, 'status:differs').hits).toEqual(['0.1.2']);
  expect(runLabel(tree, ENGLISH)).toContain('replayed from a trace');
});

test('a block that waits says so until it ran', async () => {
  const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, '```repl\nx = 1\n```');
  story.tell('block_held', { call_id: '0', turn: 1, block: 1, code: 'y = llm_query("a")' });
  story.code('0', 1, 'x = 1');
  const { view, store } = showLive(story, 5);
  expect(rowText(view, '0@1')).toContain('y = llm_query("a")❚❚ waiting for you');
  store.receive({ since: 5, events: story.events.slice(5), live: true, now: 1, path: '', warning: '' });
  await drawn();
  expect(rowText(view, '0@1')).not.toContain('waiting for you');
});
