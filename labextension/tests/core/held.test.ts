// @vitest-environment jsdom
/** A block that waits for a person, in a page: said, looked at, run, edited, skipped, and the run stopped. */

import { describe, expect, test, vi } from 'vitest';

import { firstHeld, heldKey, heldTold } from '../../src/core/model/held';
import type { Link } from '../../src/core/model/store';
import { ENGLISH } from '../../src/core/words';
import { buttonOf, drawn, fakeLink, find, showLive } from './page';
import type { Shown } from './page';
import { Story } from './story';

const CODE = 'for path in paths:\n    remove(path)';
const PLACE = { call_id: '0', turn: 1, block: 1 };

function held(): Story {
  const story = new Story().rlm('0').ask('0', 1, 'Which?').reply('0', 1, 'I remove them.');
  return story.tell('block_held', { ...PLACE, code: CODE });
}

async function look(link: Link = fakeLink(), story = held()): Promise<Shown> {
  const shown = showLive(story, story.events.length, link);
  buttonOf(bar(shown), 'Look at it').click();
  await drawn();
  return shown;
}

function bar({ view }: Shown): HTMLElement {
  return find(view.node, '.rlm-held-bar');
}

function form({ view }: Shown): HTMLElement {
  return find(view.node, '.rlm-held-form');
}

function area(shown: Shown): HTMLTextAreaElement {
  const found = form(shown).querySelector('textarea');
  if (!found) {
    throw new Error('there is no code');
  }
  return found;
}

function type(shown: Shown, text: string): void {
  area(shown).value = text;
  area(shown).dispatchEvent(new Event('input', { bubbles: true }));
}

async function come({ store }: Shown, story: Story, from: number): Promise<void> {
  store.receive({ since: from, events: story.events.slice(from), live: true, now: 2, path: '', warning: '' });
  await drawn();
}

describe('the bar', () => {
  test('says which block waits, and takes no keyboard', async () => {
    const story = held();
    const shown = showLive(story, 4);
    expect(bar(shown).hidden).toBe(true);
    shown.view.focus();
    const focused = document.activeElement;
    await come(shown, story, 4);
    expect(bar(shown).hidden).toBe(false);
    expect(bar(shown).textContent).toContain('❚❚ Block 1 of turn 1 waits for you');
    expect(document.activeElement).toBe(focused);
    expect(find(shown.view.node, '[aria-live=polite].rlm-unseen').textContent).toBe(
      'Block 1 of turn 1 waits for you'
    );
    expect(shown.state.selected).toBe('0@1');
    expect(shown.state.detail).toBe(false);
  });

  test('runs or skips it, once, and says what went wrong', async () => {
    const decide = vi.fn(() => Promise.reject(new Error('it waits no more')));
    const story = held();
    const shown = showLive(story, story.events.length, fakeLink({ decide }));
    buttonOf(bar(shown), 'Skip').click();
    expect(buttonOf(bar(shown), 'Run').disabled).toBe(true);
    expect(decide.mock.calls).toEqual([
      [expect.objectContaining({ callId: '0', turn: 1, block: 1 }), 'skip']
    ]);
    await vi.waitFor(() => {
      expect(bar(shown).textContent).toContain('it waits no more');
    });
    await drawn();
    expect(buttonOf(bar(shown), 'Run').disabled).toBe(false);
  });

  test('goes when the block has run, and comes with the next one', async () => {
    const story = held();
    const shown = showLive(story, story.events.length);
    const from = story.events.length;
    story.code('0', 1, CODE);
    await come(shown, story, from);
    expect(bar(shown).hidden).toBe(true);
    story
      .ask('0', 2, 'Go on.')
      .reply('0', 2, 'next')
      .tell('block_held', { ...PLACE, turn: 2, code: 'x' });
    await come(shown, story, from + 1);
    expect(bar(shown).textContent).toContain('Block 1 of turn 2 waits for you');
    expect(shown.state.selected).toBe('0@2');
  });
});

describe('the form', () => {
  test('shows the code, which runs as it is', async () => {
    const decide = vi.fn(() => Promise.resolve());
    const shown = await look(fakeLink({ decide }));
    expect(area(shown).value).toBe(CODE);
    expect(form(shown).textContent).toContain('Block 1 of turn 1 waits for you. Nothing of it has run yet.');
    expect(buttonOf(form(shown), 'Run edited').disabled).toBe(true);
    buttonOf(form(shown), 'Run').click();
    expect(decide.mock.calls).toEqual([[expect.objectContaining({ callId: '0', turn: 1, block: 1 }), 'run']]);
    expect(buttonOf(form(shown), 'Run').disabled).toBe(true);
    expect(document.activeElement).not.toBe(buttonOf(form(shown), 'Run'));
  });

  test('or as it was edited, by Ctrl+Enter too', async () => {
    const decide = vi.fn(() => Promise.resolve());
    const shown = await look(fakeLink({ decide }));
    type(shown, 'print(paths)');
    expect(buttonOf(form(shown), 'Run edited').disabled).toBe(false);
    area(shown).dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true, cancelable: true })
    );
    expect(decide.mock.calls).toEqual([[expect.objectContaining({ block: 1 }), 'edit', 'print(paths)']]);
  });

  test('or not at all; and the run can be stopped', async () => {
    const link = fakeLink();
    const shown = await look(link);
    buttonOf(form(shown), 'Skip').click();
    expect(link.decide).toHaveBeenCalledWith(expect.objectContaining({ turn: 1 }), 'skip');
    const other = await look(link);
    buttonOf(form(other), 'Stop the run').click();
    expect(link.stop).toHaveBeenCalledTimes(1);
  });

  test('says what went wrong, and keeps what was typed', async () => {
    const decide = vi.fn(() => Promise.reject(new Error('line 1: invalid syntax')));
    const shown = await look(fakeLink({ decide }));
    type(shown, 'x =');
    buttonOf(form(shown), 'Run edited').click();
    await vi.waitFor(() => {
      expect(find(form(shown), '[role=alert]').textContent).toBe('line 1: invalid syntax');
    });
    expect(area(shown).value).toBe('x =');
    expect(buttonOf(form(shown), 'Run edited').disabled).toBe(false);
    type(shown, ' ');
    buttonOf(form(shown), 'Run edited').click();
    expect(find(form(shown), '[role=alert]').textContent).toBe('The code is empty: skip the block instead.');
    expect(decide).toHaveBeenCalledTimes(1);
  });

  test('stays while the run goes on beside it and another row is looked at, and gives way to the next', async () => {
    const story = held();
    const shown = await look(fakeLink(), story);
    type(shown, 'print(paths)');
    area(shown).focus();
    const from = story.events.length;
    story.rlm('0.1.1', 'child').tell('block_held', { ...PLACE, call_id: '0.1.1', code: 'y = 1' });
    await come(shown, story, from);
    expect(document.activeElement).toBe(area(shown));
    expect(bar(shown).textContent).toContain(', and 1 more');
    shown.state.select('0');
    await drawn();
    expect(shown.view.node.querySelector('.rlm-held-form')).toBeNull();
    shown.state.select('0@1');
    await drawn();
    expect(area(shown).value).toBe('print(paths)');
    story.code('0', 1, 'print(paths)', { decision: 'edited' });
    await come(shown, story, from + 2);
    expect([shown.state.selected, area(shown).value]).toEqual(['0.1.1@1', 'y = 1']);
    expect(document.activeElement).not.toBe(area(shown));
    shown.state.tab = 'code';
    shown.state.select('0@1');
    await drawn();
    expect(shown.view.node.querySelector('.rlm-held-form')).toBeNull();
    const code = find(shown.view.node, '.rlm-detail [role=tabpanel]').textContent;
    expect(code).toContain('edited by a person');
    expect(code).toContain('What the person changed:');
  });

  test('is not there in a run that is played back', async () => {
    const story = held();
    const shown = await look(fakeLink(), story);
    shown.state.playBack();
    await drawn();
    expect(shown.view.node.querySelector('.rlm-held-form')).toBeNull();
    expect(bar(shown).hidden).toBe(true);
  });
});

test('the place of a block is told with its call, and shown in its turn or by itself', () => {
  const story = new Story().rlm('0').reply('0', 1, 'a').rlm('0.1.1', 'child').reply('0.1.1', 2, 'b');
  story.code('0.1.1', 2, 'x').tell('block_held', { call_id: '0.1.1', turn: 2, block: 2, code: 'y' });
  const { store } = showLive(story, story.events.length);
  const first = firstHeld(store);
  expect(first && heldTold(first, ENGLISH)).toBe('Block 2 of turn 2 of 0.1.1 waits for you');
  expect(first && heldKey(first, store)).toBe('0.1.1@2.2');
  store.end();
  expect(firstHeld(store)).toBeNull();
});
