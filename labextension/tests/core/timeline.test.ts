import { describe, expect, test } from 'vitest';

import { visibleRows } from '../../src/core/model/rows';
import { RunStore } from '../../src/core/model/store';
import { drawable, lanes, load, segments, slots } from '../../src/core/model/timeline';
import type { Segment } from '../../src/core/model/timeline';
import { readTrace } from '../../src/core/trace/file';
import type { Tree } from '../../src/core/trace/tree';
import { NAMES, goldenFile } from '../golden';
import { Story, threeTurns } from './story';

function treeOf(story: Story, live = false): Tree {
  const store = new RunStore('papers-1', true);
  store.receive({ since: 0, events: story.events, live, now: 9, path: '', warning: '' });
  return store.tree;
}

function told(all: readonly Segment[]): string[] {
  return all.map(({ phase, turn, start, end, running, failed }) => {
    const marks = `${running ? ' running' : ''}${failed ? ' failed' : ''}`;
    return `${phase} ${String(turn)}: ${start.toFixed(1)}-${end.toFixed(1)}${marks}`;
  });
}

describe('the rows', () => {
  const all = new Map<string, boolean>([['0.2.1', true]]);

  test('are the calls and batches of the tree, without its turns', () => {
    const rows = lanes(visibleRows(treeOf(threeTurns()), new Map()));
    expect(rows.map(({ item, level, open }) => [item.key, level, open])).toEqual([
      ['0', 1, true],
      ['0.1.1+', 2, false],
      ['0.2.1', 2, false]
    ]);
  });

  test('an open call has its sub-calls below it', () => {
    const rows = lanes(visibleRows(treeOf(threeTurns()), all));
    expect(rows.slice(2).map(({ item, level, open }) => [item.key, level, open])).toEqual([
      ['0.2.1', 2, true],
      ['0.2.1.1.1', 3, null]
    ]);
  });

  test('a call whose turns are closed can be opened here too', () => {
    const opened = new Map([['0@1', false]]);
    const [root] = lanes(visibleRows(treeOf(threeTurns()), opened));
    expect(root?.open).toBe(false);
    expect(root?.closed).toEqual(['0@1']);
  });
});

describe('the time of a call', () => {
  const reply = (seconds: number) => ({ seconds });

  test('of a turn is the wait for a slot, the model and its code', () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y', reply(0.06));
    story.code('0', 1, 'x', { seconds: 0.1 }).ask('0', 2, 'z');
    const root = treeOf(story, true).root;
    expect(root && told(segments(root, 1.5))).toEqual([
      'waiting 1: 0.2-0.2',
      'model 1: 0.2-0.3',
      'code 1: 0.3-0.4',
      'model 2: 0.5-1.5 running'
    ]);
  });

  test('of a plain request that nobody answered yet is the model’s, until now', () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y').llm('0.1.1', 'p');
    const tree = treeOf(story, true);
    const call = tree.calls.get('0.1.1');
    expect(call && told(segments(call, 2))).toEqual(['model 1: 0.4-2.0 running']);
    expect(tree.root && told(segments(tree.root, 2)).at(-1)).toBe('code 1: 0.3-2.0 running');
  });

  test('of a plain request begins with its wait for a slot', () => {
    const story = new Story()
      .rlm('0')
      .ask('0', 1, 'x')
      .reply('0', 1, 'y')
      .llm('0.1.1', 'p')
      .llm('0.1.2', 'q');
    story.reply('0.1.1', 1, 'z', reply(0.1)).finish('0.1.1');
    const call = treeOf(story).calls.get('0.1.1');
    expect(call && told(segments(call, 9))).toEqual(['waiting 1: 0.4-0.5', 'model 1: 0.5-0.6']);
  });

  test('a failed block and a failed request say so', () => {
    const error = { type: 'KeyError', message: 'x' };
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y', reply(0.1));
    story
      .code('0', 1, 'x', { error, seconds: 0.1 })
      .ask('0', 2, 'x')
      .reply('0', 2, '', { error, seconds: 0.1 });
    const root = treeOf(story).root;
    expect(root && told(segments(root, 9))).toEqual([
      'model 1: 0.2-0.3',
      'code 1: 0.3-0.4 failed',
      'model 2: 0.5-0.6 failed'
    ]);
  });

  test.each(NAMES)('of every call in the golden trace %s lies within the run', name => {
    const { tree } = RunStore.fromBundle(readTrace(goldenFile(name)));
    for (const call of tree.calls.values()) {
      for (const { start, end } of segments(call, tree.seconds)) {
        expect(start).toBeLessThanOrEqual(end);
        expect(start).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(tree.seconds);
      }
    }
    expect(load(tree.calls.values(), tree.seconds).calls).toHaveLength(tree.calls.size);
  });

  test('is drawn in few parts however many turns there were', () => {
    const story = new Story().rlm('0');
    for (let turn = 1; turn <= 500; turn += 1) {
      story.ask('0', turn, 'x').reply('0', turn, 'y').code('0', turn, 'z', { seconds: 0.05 });
    }
    const tree = treeOf(story);
    const all = tree.root ? segments(tree.root, tree.seconds) : [];
    expect(all).toHaveLength(1000);
    expect(drawable(all, { start: 0, end: tree.seconds }, 40).length).toBeLessThanOrEqual(42);
    expect(drawable(all, { start: 10, end: 11 }, 40)).toEqual(
      all.filter(each => each.end >= 10 && each.start <= 11)
    );
  });

  test('how many requests there may be at once is what the run was told', () => {
    expect(slots(treeOf(new Story('?', { concurrency: 8 })))).toBe(8);
    expect(slots(treeOf(new Story('?', {})))).toBe(Infinity);
  });
});
