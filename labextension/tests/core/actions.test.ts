// @vitest-environment jsdom
/** The actions in a page: their buttons and forms, what they ask of a kernel, and the cell that does the same. */

import { describe, expect, test, vi } from 'vitest';

import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { FakeRuns } from './kin';
import { buttonOf, drawn, fakeLink, find, showLive, showSaved } from './page';
import type { Around, Shown } from './page';
import { Story, threeTurns } from './story';

async function open(key: string, action: string, around: Around = {}, story = threeTurns()): Promise<Shown> {
  const shown = showSaved(story, {}, {}, around);
  await select(shown, key);
  find(shown.view.node, `[data-action=${action}]`).click();
  return shown;
}

async function select({ state }: Shown, key: string): Promise<void> {
  state.select(key);
  state.setDetail(true);
  await drawn();
}

function form({ view }: Shown): HTMLElement {
  return find(view.node, '.rlm-form');
}

function offered({ view }: Shown): string[] {
  const shown = [...view.node.querySelectorAll<HTMLElement>('[data-action]')].filter(each => !each.hidden);
  return shown.map(each => each.textContent);
}

function area(shown: Shown): HTMLTextAreaElement {
  const found = [...form(shown).querySelectorAll('textarea')].find(each => !each.closest('[hidden]'));
  if (!found) {
    throw new Error('no text can be changed');
  }
  return found;
}

function type(input: HTMLInputElement | HTMLTextAreaElement, text: string): void {
  input.value = text;
  input.dispatchEvent(new Event('input', { bubbles: true }));
}

function field(shown: Shown, label: string): HTMLInputElement {
  const found = [...form(shown).querySelectorAll('label')].find(each => each.textContent === label);
  const input = document.getElementById(found?.htmlFor ?? '');
  if (!(input instanceof HTMLInputElement)) {
    throw new Error(`no field is called ${label}`);
  }
  return input;
}

function choose(shown: Shown, option: string): void {
  const found = [...form(shown).querySelectorAll('label')].find(each => each.textContent === option);
  found?.querySelector('input')?.click();
}

function problem(shown: Shown): string {
  return find(form(shown), '[role=alert]').textContent;
}

const runIt = (shown: Shown) => {
  buttonOf(form(shown), 'Run it').click();
};

describe('the buttons', () => {
  test('are those that fit the selected step', async () => {
    const shown = showSaved(threeTurns());
    const at = async (key: string) => {
      await select(shown, key);
      return offered(shown);
    };
    expect(await at('0')).toEqual(['Replay…', 'Fork…']);
    expect(await at('0.1.1')).toEqual(['Rerun…', 'Fork…']);
    expect(await at('0@2')).toEqual(['Fork…']);
  });

  test('a run that stopped early can go on, from its head too', () => {
    const story = new Story('Which?', { max_turns: 1 }).rlm('0').ask('0', 1, 'a').reply('0', 1, 'b');
    const shown = showSaved(story.finish('0', 'exhausted').tell('run_finished', { status: 'exhausted' }));
    buttonOf(find(shown.view.node, '.rlm-head'), 'Resume…').click();
    expect(shown.state.detail).toBe(true);
    expect(form(shown).textContent).toContain('goes on where this one stopped');
    expect(field(shown, 'Turns').value).toBe('2');
    expect(form(shown).contains(document.activeElement)).toBe(true);
  });

  test('a run that finished has none for that', () => {
    const { view } = showSaved(threeTurns());
    expect(buttonOf(find(view.node, '.rlm-head'), 'Resume…').hidden).toBe(true);
  });

  test('open their form and close it, and say so', async () => {
    const shown = await open('0.1.1', 'rerun');
    const rerun = find(shown.view.node, '[data-action=rerun]');
    expect(rerun.getAttribute('aria-expanded')).toBe('true');
    expect(find(shown.view.node, `#${rerun.getAttribute('aria-controls') ?? ''}`).contains(form(shown))).toBe(
      true
    );
    expect(document.activeElement).toBe(area(shown));
    area(shown).dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true })
    );
    expect(rerun.getAttribute('aria-expanded')).toBe('false');
    expect(shown.view.node.querySelector('.rlm-form')).toBeNull();
    expect(document.activeElement).toBe(rerun);
    expect(shown.state.detail).toBe(true);
  });
});

describe('a rerun', () => {
  test('is asked for with what was changed, and its variants are shown', async () => {
    const derive = vi.fn(() => Promise.resolve(['papers-2', 'papers-3']));
    const shown = await open('0.1.2', 'rerun', { link: fakeLink({ derive }), runs: new FakeRuns() });
    expect(area(shown).value).toBe('Sum up 2');
    type(area(shown), 'Sum up all');
    type(field(shown, 'Model'), 'big');
    type(field(shown, 'Samples'), '2');
    runIt(shown);
    expect(derive).toHaveBeenCalledWith('rerun', '0.1.2', { prompt: 'Sum up all', model: 'big', n: 2 });
    await vi.waitFor(() => {
      expect(find(shown.view.node, '.rlm-detail [role=tab][aria-selected=true]').textContent).toBe(
        'Variants (2)'
      );
    });
    expect(shown.view.node.querySelector('.rlm-form')).toBeNull();
    expect(find(shown.view.node, '.rlm-action-told').textContent).toBe('2 runs were started');
    expect(find(shown.view.node, '.rlm-detail [role=tabpanel]').textContent).toContain('starting…');
  });

  test('that is refused says why, and what was typed stays', async () => {
    const derive = vi.fn(() => Promise.reject(new Error('no model is called bigg')));
    const shown = await open('0.1.2', 'rerun', { link: fakeLink({ derive }) });
    type(area(shown), 'Sum up all');
    runIt(shown);
    expect(buttonOf(form(shown), 'Starting…').disabled).toBe(true);
    await vi.waitFor(() => {
      expect(problem(shown)).toBe('no model is called bigg');
    });
    expect(area(shown).value).toBe('Sum up all');
    expect(buttonOf(form(shown), 'Run it').disabled).toBe(false);
    type(area(shown), 'Sum up');
    expect(problem(shown)).toBe('');
  });

  test.each([
    ['Samples', 'many', 'Samples are a whole number from 1 to 100.'],
    ['Temperature', 'hot', 'The temperature is a number from 0 up.']
  ])('whose %s are %s is not asked for', async (label, text, told) => {
    const derive = vi.fn(() => Promise.resolve([]));
    const shown = await open('0.1.2', 'rerun', { link: fakeLink({ derive }) });
    type(field(shown, label), text);
    runIt(shown);
    expect(problem(shown)).toBe(told);
    expect(document.activeElement).toBe(field(shown, label));
    expect(derive).not.toHaveBeenCalled();
  });

  test('begins with the whole prompt, which is asked for where it is shortened here', async () => {
    const story = threeTurns();
    const at = story.events.findIndex(event => event['call_id'] === '0.1.2');
    const whole = { ...story.events[at], prompt: 'Sum up 2, and all that is known of it' };
    const cut = { ...story.events[at], prompt: 'Sum up 2, …', cut: 1 };
    story.events.splice(at, 1, cut);
    let come: (events: unknown[]) => void = () => undefined;
    const link = fakeLink({ whole: vi.fn(() => new Promise<unknown[]>(resolve => (come = resolve))) });
    const shown = await open('0.1.2', 'rerun', { link }, story);
    expect(area(shown).disabled).toBe(true);
    expect(form(shown).textContent).toContain('Only a part of the text is here');
    come([whole]);
    await vi.waitFor(() => {
      expect(area(shown).disabled).toBe(false);
    });
    expect(area(shown).value).toBe('Sum up 2, and all that is known of it');
    expect(form(shown).textContent).not.toContain('Only a part of the text is here. ');
  });
});

describe('a fork', () => {
  test('changes what is chosen', async () => {
    const derive = vi.fn(() => Promise.resolve([]));
    const shown = await open('0@3', 'fork', { link: fakeLink({ derive }) });
    runIt(shown);
    expect(problem(shown)).toContain('The text is the recorded one');
    type(area(shown), 'FINAL("2")');
    choose(shown, 'Hint');
    expect(area(shown).value).toBe('');
    runIt(shown);
    expect(problem(shown)).toBe('The text is empty.');
    type(area(shown), 'Look at 2020.');
    type(field(shown, 'Turns'), '30');
    runIt(shown);
    expect(derive).toHaveBeenLastCalledWith('fork', '0.3', {
      hint: 'Look at 2020.',
      limits: { max_turns: 30 }
    });
    choose(shown, 'Code');
    expect(area(shown).value).toBe('FINAL("2")');
  });

  test('can change nothing and ask again', async () => {
    const derive = vi.fn(() => Promise.resolve([]));
    const shown = await open('0@3', 'fork', { link: fakeLink({ derive }) });
    choose(shown, 'Nothing: ask again');
    expect([...form(shown).querySelectorAll('textarea')].every(each => each.closest('[hidden]'))).toBe(true);
    runIt(shown);
    expect(derive).toHaveBeenCalledWith('fork', '0.3', {});
  });

  test('Ctrl+Enter runs it', async () => {
    const derive = vi.fn(() => Promise.resolve([]));
    const shown = await open('0@3', 'fork', { link: fakeLink({ derive }) });
    type(area(shown), 'x = 1');
    const event = new KeyboardEvent('keydown', {
      key: 'Enter',
      ctrlKey: true,
      bubbles: true,
      cancelable: true
    });
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard);
    area(shown).dispatchEvent(event);
    document.body.removeEventListener('keydown', heard);
    expect(derive).toHaveBeenCalledWith('fork', '0.3', { code: 'x = 1' });
    expect(heard).not.toHaveBeenCalled();
  });
});

describe('what was typed', () => {
  test('is there again after another step was looked at', async () => {
    const shown = await open('0@3', 'fork');
    type(area(shown), 'x = 1');
    await select(shown, '0.1.1');
    expect(shown.view.node.querySelector('.rlm-form')).toBeNull();
    shown.state.select('0@3');
    shown.view.act('fork');
    expect(area(shown).value).toBe('x = 1');
  });

  test('stays while the run goes on, and when a fuller record of it comes', async () => {
    const story = threeTurns();
    const shown = showLive(story, 14);
    shown.state.select('0.1.1');
    shown.view.act('rerun');
    const input = area(shown);
    type(input, 'Sum up all');
    shown.store.receive({
      since: 14,
      events: story.events.slice(14),
      live: false,
      now: 3,
      path: '',
      warning: ''
    });
    await drawn();
    expect(area(shown)).toBe(input);
    shown.state.store = RunStore.fromBundle(decodeBundle(story.bundle()));
    await drawn();
    expect(area(shown)).toBe(input);
    expect(document.activeElement).toBe(input);
    expect(input.value).toBe('Sum up all');
  });
});

describe('the cell that does the same', () => {
  test('is put below, with a kernel or without', async () => {
    const insertCell = vi.fn();
    const shown = await open('0@3', 'fork', { host: { insertCell } });
    choose(shown, 'Hint');
    type(area(shown), "it's");
    buttonOf(form(shown), 'Insert cell').click();
    expect(insertCell).toHaveBeenCalledWith(`%rlm fork papers-1 0.3 --hint 'it'"'"'s'`);
    type(area(shown), '');
    buttonOf(form(shown), 'Insert cell').click();
    expect(insertCell).toHaveBeenCalledTimes(1);
    expect(problem(shown)).toBe('The text is empty.');
  });

  test('is copied where there are no cells', async () => {
    const shown = await open('0', 'replay');
    buttonOf(form(shown), 'Copy as cell').click();
    expect(shown.host.copied).toEqual(['%rlm replay papers-1']);
    await vi.waitFor(() => {
      buttonOf(form(shown), 'Copied');
    });
    const other = await open('0@3', 'fork');
    buttonOf(form(other), 'Copy as cell').click();
    expect(other.host.copied).toEqual([]);
    expect(problem(other)).toContain('The text is the recorded one');
  });

  test('without a kernel nothing can be run here, and what that needs is told', async () => {
    const shown = await open('0.1.1', 'rerun');
    expect(buttonOf(form(shown), 'Run it').disabled).toBe(true);
    expect(form(shown).textContent).toContain(
      'needs a kernel with rlm_kernel: run a cell, then %load_ext rlm_kernel'
    );
    shown.store.link = fakeLink();
    shown.view.act('rerun');
    expect(buttonOf(form(shown), 'Run it').disabled).toBe(false);
    expect(form(shown).textContent).not.toContain('needs a kernel');
  });
});
