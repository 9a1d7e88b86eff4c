import { describe, expect, test } from 'vitest';

import {
  Draft,
  actionsAt,
  changeablesAt,
  isCut,
  isResumable,
  recordedText
} from '../../src/core/model/draft';
import type { Typed } from '../../src/core/model/draft';
import { findItem } from '../../src/core/model/rows';
import type { Item } from '../../src/core/model/rows';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import type { Derived } from '../../src/core/trace/wire';
import { Story, threeTurns } from './story';

const NOTHING: Typed = { changed: null, text: '', model: '', temperature: '', samples: '', limits: {} };
const run = saved(threeTurns());

function saved(story: Story): RunStore {
  return RunStore.fromBundle(decodeBundle(story.bundle()));
}

function item(key: string, store = run): Item {
  const found = findItem(store.tree, key);
  if (!found) {
    throw new Error(`there is no ${key}`);
  }
  return found;
}

function changeable(key: string, kind: Derived, name: string) {
  const found = changeablesAt(item(key), kind).find(each => each.name === name);
  if (!found) {
    throw new Error(`${key} has no ${name}`);
  }
  return found;
}

describe('what can be done', () => {
  test.each([
    ['0', 'replay fork'],
    ['0.1.1', 'rerun fork'],
    ['0.2.1', 'rerun fork'],
    ['0@2', 'fork'],
    ['0.1.1+', '']
  ])('with %s', (key, kinds) => {
    expect(actionsAt(item(key), run).join(' ')).toBe(kinds);
  });

  test.each(['interrupted', 'exhausted', 'failed'])('with a run that ended %s: it goes on', status => {
    const store = saved(new Story().rlm('0').finish('0', status).tell('run_finished', { status }));
    expect(actionsAt(item('0', store), store)).toEqual(['replay', 'fork', 'resume']);
  });

  test('with a run that was cut off: it goes on; with one that still does: not', () => {
    expect(isResumable(saved(new Story().rlm('0')))).toBe(true);
    const live = new RunStore('papers-1', true);
    live.receive({
      since: 0,
      events: new Story().rlm('0').events,
      live: true,
      now: 0,
      path: '',
      warning: ''
    });
    expect(isResumable(live)).toBe(false);
    expect(isResumable(new RunStore('papers-1', false))).toBe(false);
  });

  test('with a call that was asked again alone: it is a root that can be asked again', () => {
    const store = saved(new Story().llm('0', 'Sum up').reply('0', 1, 'a').finish('0').end());
    expect(actionsAt(item('0', store), store)).toEqual(['replay', 'rerun', 'fork']);
  });
});

describe('what can be changed', () => {
  test.each<[string, Derived, string[]]>([
    ['0.1.1', 'rerun', ['prompt: Sum up 1']],
    ['0.1.1', 'fork', ['prompt: Sum up 1', 'reply: the sum of 0.1.1']],
    ['0.1.3', 'fork', ['prompt: Sum up 3']],
    ['0.2.1', 'fork', ['hint: ', 'prompt: Check paper 1']],
    ['0@3', 'fork', ['code: FINAL("1 and 3")', 'hint: ', 'reply: ```repl\nFINAL\n```']],
    ['0', 'replay', []],
    ['0', 'resume', []]
  ])('at %s for a %s', (key, kind, texts) => {
    expect(changeablesAt(item(key), kind).map(each => `${each.name}: ${recordedText(each)}`)).toEqual(texts);
  });

  test('of a turn with two blocks: each by its number, and only its own at a block', () => {
    const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, 'two blocks').code('0', 1, 'x = 1');
    const store = saved(
      story.tell('code_executed', { call_id: '0', turn: 1, block: 2, code: 'y = 2' }).end()
    );
    const codes = (key: string) =>
      changeablesAt(item(key, store), 'fork').flatMap(each => (each.name === 'code' ? [each.block] : []));
    expect(codes('0@1')).toEqual([1, 2]);
    expect(codes('0@1.2')).toEqual([2]);
  });
});

describe('a draft', () => {
  const fork = new Draft('fork', item('0@3'));
  const rerun = new Draft('rerun', item('0.1.1'));
  const [code, hint] = [changeable('0@3', 'fork', 'code'), changeable('0@3', 'fork', 'hint')];
  const prompt = changeable('0.1.1', 'rerun', 'prompt');

  test('is for a step, or for the whole run', () => {
    expect([fork.at, rerun.at]).toEqual(['0.3', '0.1.1']);
    expect([new Draft('replay', item('0')).at, new Draft('resume', item('0')).at]).toEqual(['', '']);
  });

  test.each<[Partial<Typed>, unknown]>([
    [{}, {}],
    [{ changed: code, text: 'x = 1' }, { code: 'x = 1' }],
    [
      { changed: { ...code, block: 2 }, text: 'x = 1' },
      { code: 'x = 1', block: 2 }
    ],
    [
      { changed: hint, text: 'Look.', model: ' big ' },
      { hint: 'Look.', model: 'big' }
    ],
    [
      { limits: { max_turns: '30', max_seconds: '1.5', max_calls: ' ' } },
      { limits: { max_turns: 30, max_seconds: 1.5 } }
    ],
    [{ changed: code, text: 'FINAL("1 and 3")' }, 'unchanged'],
    [{ changed: code, text: '  \n' }, 'empty'],
    [{ changed: hint, text: '' }, 'empty'],
    [{ changed: { ...code, event: { ...item('0').call.started, cut: 1 } }, text: 'x' }, 'cut'],
    [{ limits: { max_turns: '2.5' } }, 'max_turns'],
    [{ limits: { max_tokens: '-1' } }, 'max_tokens']
  ])('of a fork: %j', (typed, edit) => {
    expect(fork.edit({ ...NOTHING, ...typed })).toEqual(edit);
  });

  test.each<[Partial<Typed>, unknown]>([
    [{ changed: prompt, text: 'Sum up 1' }, {}],
    [
      { changed: prompt, text: 'Sum up all', samples: '5', temperature: '0' },
      { prompt: 'Sum up all', n: 5, temperature: 0 }
    ],
    [{ changed: prompt, text: 'Sum up 1', samples: '1' }, {}],
    [{ changed: prompt, text: 'Sum up 1', samples: '0' }, 'samples'],
    [{ changed: prompt, text: 'Sum up 1', samples: '101' }, 'samples'],
    [{ changed: prompt, text: 'Sum up 1', temperature: 'hot' }, 'temperature']
  ])('of a rerun: %j', (typed, edit) => {
    expect(rerun.edit({ ...NOTHING, ...typed })).toEqual(edit);
  });

  test('a prompt of which only a part is here is not changed', () => {
    const cut = { ...prompt, event: { ...item('0.1.1').call.started, cut: 1 } };
    expect(isCut(cut)).toBe(true);
    expect(rerun.edit({ ...NOTHING, changed: cut, text: 'Sum …', model: 'big' })).toEqual({ model: 'big' });
  });
});
