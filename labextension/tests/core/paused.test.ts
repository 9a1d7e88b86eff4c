// @vitest-environment jsdom
/** A run that waits for its server, in a page: said, counted down, tried at once, stopped, and over. */

import { describe, expect, test, vi } from 'vitest';

import { nextTold, pauseOf, whyTold } from '../../src/core/model/paused';
import { beatText } from '../../src/core/view/beat';
import { beatsOf } from '../../src/core/model/beats';
import { decodeEvents } from '../../src/core/trace/decode';
import { Tree } from '../../src/core/trace/tree';
import { ENGLISH } from '../../src/core/words';
import { buttonOf, drawn, fakeLink, find, showLive, showSaved } from './page';
import type { Shown } from './page';
import { Story } from './story';
import type { Json } from './story';

const WHY = 'no connection to http://localhost:8000. Is the server running?';

function pause(more: Json = {}): Json {
  const error = { type: 'ServerUnreachable', message: WHY };
  return { call_id: '0.1.2', turn: 1, error, retry_at: 5, until: 121, ...more };
}

function paused(): Story {
  const story = new Story().rlm('0').ask('0', 1, 'Which?').reply('0', 1, 'I ask.').batch(2);
  return story.tell('run_paused', pause());
}

function bar({ view }: Shown): HTMLElement {
  return find(view.node, '.rlm-pause-bar');
}

async function come({ store }: Shown, story: Story, live = true): Promise<void> {
  const { events } = story;
  store.receive({ since: 0, events, live, now: 2, path: '', warning: '' });
  await drawn();
}

describe('the bar', () => {
  test('says why the run waits and when it tries again', async () => {
    const story = paused();
    const shown = showLive(story, story.events.length - 1);
    expect(bar(shown).hidden).toBe(true);
    await come(shown, story);
    expect(bar(shown).hidden).toBe(false);
    expect(bar(shown).textContent).toContain(`❚❚ Paused: ${WHY}`);
    expect(bar(shown).textContent).toMatch(/Trying again in [23]\.\d s/);
    expect(find(shown.view.node, '[aria-live=polite].rlm-unseen').textContent).toBe(`Paused: ${WHY}`);
    await come(shown, story.tell('run_paused', pause({ tries: 1, retry_at: 9 })));
    expect(bar(shown).textContent).toContain('tried 1 time in vain');
  });

  test('goes when the run goes on', async () => {
    const story = paused();
    const shown = showLive(story, story.events.length);
    expect(bar(shown).hidden).toBe(false);
    await come(shown, story.tell('run_continued', { call_id: '0.1.2', seconds: 2.5 }));
    expect(bar(shown).hidden).toBe(true);
    expect(find(shown.view.node, '.rlm-figures').textContent).toContain('2.50 s paused');
    expect(find(shown.view.node, '[aria-live=polite].rlm-unseen').textContent).toBe('The run goes on');
  });

  test('tries at once, and again when that was in vain', async () => {
    const tryNow = vi.fn(() => Promise.resolve());
    const story = paused();
    const shown = showLive(story, story.events.length, fakeLink({ tryNow }));
    buttonOf(bar(shown), 'Try now').click();
    expect(buttonOf(bar(shown), 'Try now').disabled).toBe(true);
    buttonOf(bar(shown), 'Try now').click();
    expect(tryNow).toHaveBeenCalledTimes(1);
    await come(shown, story.tell('run_paused', pause({ tries: 1, retry_at: 9 })));
    expect(buttonOf(bar(shown), 'Try now').disabled).toBe(false);
    buttonOf(bar(shown), 'Try now').click();
    expect(tryNow).toHaveBeenCalledTimes(2);
  });

  test('stops the run', () => {
    const stop = vi.fn(() => Promise.resolve());
    const story = paused();
    const shown = showLive(story, story.events.length, fakeLink({ stop }));
    buttonOf(bar(shown), 'Stop').click();
    expect(stop).toHaveBeenCalledTimes(1);
    expect(buttonOf(bar(shown), 'Stop').disabled).toBe(true);
  });

  test('says what went wrong, and lets a person ask again', async () => {
    const tryNow = vi.fn(() => Promise.reject(new Error('the run has ended already')));
    const story = paused();
    const shown = showLive(story, story.events.length, fakeLink({ tryNow }));
    buttonOf(bar(shown), 'Try now').click();
    await drawn();
    expect(find(bar(shown), '[role=alert]').textContent).toBe('the run has ended already');
    expect(buttonOf(bar(shown), 'Try now').disabled).toBe(false);
  });

  test('can do nothing without a kernel, and is not there for a run that is over', async () => {
    const story = paused();
    const shown = showLive(story, story.events.length);
    shown.store.link = null;
    await drawn();
    expect(buttonOf(bar(shown), 'Try now').disabled).toBe(true);
    expect(buttonOf(bar(shown), 'Stop').disabled).toBe(true);
    expect(bar(showSaved(paused())).hidden).toBe(true);
    expect(pauseOf(showSaved(paused()).store)).toBeNull();
  });

  test('shows what a server says as text', () => {
    const error = { type: 'ServerFailed', message: '<img src=x onerror=alert(1)>' };
    const story = new Story().rlm('0').tell('run_paused', pause({ error }));
    const shown = showLive(story, story.events.length);
    expect(bar(shown).querySelector('img')).toBeNull();
    expect(bar(shown).textContent).toContain('<img src=x');
  });
});

describe('what is told', () => {
  test('counts down and does not go below nothing', () => {
    const tree = new Tree();
    decodeEvents(paused().events).forEach(event => {
      tree.apply(event);
    });
    if (!tree.paused) {
      throw new Error('it is not paused');
    }
    expect(whyTold(tree.paused, ENGLISH)).toBe(`Paused: ${WHY}`);
    expect(nextTold(tree.paused, 0.9, ENGLISH)).toBe('Trying again in 4.1 s');
    expect(nextTold(tree.paused, 5, ENGLISH)).toBe('Trying now');
    expect(nextTold({ ...tree.paused, tries: 3 }, 5, ENGLISH)).toBe('Trying now, tried 3 times in vain');
  });

  test('is two beats of the playback, however often it was tried', () => {
    const story = paused().tell('run_paused', pause({ tries: 1 }));
    const events = decodeEvents(story.tell('run_continued', { call_id: '', seconds: 1 }).events);
    const tree = new Tree();
    events.forEach(event => {
      tree.apply(event);
    });
    const told = beatsOf(events).map(beat => beatText({ beat, calls: beat.calls }, tree, ENGLISH));
    expect(told.slice(-2)).toEqual(['the run waits for its server', 'the run goes on']);
  });
});
