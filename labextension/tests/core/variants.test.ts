// @vitest-environment jsdom
/** The runs made from a step, in a page: each beside what it was made from, while it goes on and after. */

import { describe, expect, test, vi } from 'vitest';

import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { FakeRuns } from './kin';
import { buttonOf, drawn, find, showSaved } from './page';
import type { Around, Shown } from './page';
import { Story, threeTurns } from './story';
import type { Json } from './story';

const PLACE = { kind: 'rerun', run: 'papers-1', at: '0.1.2' };

/** The call 0.1.2 asked again. */
function rerun(answer: string, edit: Json = { model: 'big' }, more: Json = {}): Story {
  const story = new Story('Sum up 2');
  Object.assign(story.events[0] ?? {}, { origin: { ...PLACE, edit } });
  const usage = { requests: 1, input_tokens: 150, output_tokens: 20, cost: 0.5 };
  return story
    .llm('0', 'Sum up 2')
    .reply('0', 1, answer, { usage, model: 'big', ...more })
    .finish('0')
    .end(answer);
}

function saved(run: string, story: Story): RunStore {
  return RunStore.fromBundle(decodeBundle(story.bundle({ run })));
}

async function open(key: string, runs: FakeRuns, around: Around = {}, story = threeTurns()): Promise<Shown> {
  const shown = showSaved(story, {}, {}, { runs, ...around });
  shown.state.select(key);
  shown.state.setDetail(true);
  shown.state.tab = 'variants';
  await drawn();
  return shown;
}

function panel({ view }: Shown): HTMLElement {
  return find(view.node, '.rlm-detail [role=tabpanel]');
}

function tab({ view }: Shown): string {
  return find(view.node, '.rlm-detail [role=tab][aria-selected=true]').textContent;
}

function changes(shown: Shown): string[] {
  return [...panel(shown).querySelectorAll('del, ins')].map(each => each.textContent);
}

describe('a call that was asked again', () => {
  test('has a variant with its answer, what is different, and what it took more', async () => {
    const runs = new FakeRuns().add('papers-2', 'rerun', '0.1.2', saved('papers-2', rerun('the sum of 2')));
    const shown = await open('0.1.2', runs);
    expect(tab(shown)).toBe('Variants (1)');
    const text = panel(shown).textContent;
    expect(text).toContain('Later steps of this run were not recomputed.');
    expect(text).toContain('Rerunpapers-2✓ finished');
    expect(text).toContain('model big · big · 170 tokens (+60) · $0.5000');
    expect(changes(shown)).toEqual(['removed: 0.1.']);
  });

  test('says so in its row', async () => {
    const runs = new FakeRuns().add('papers-2', 'rerun', '0.2.1').add('papers-3', 'fork', '0.3');
    const shown = await open('0.2.1', runs);
    expect(find(shown.view.node, '[data-key="0.2.1"]').textContent).toContain('1 variant');
    expect(find(shown.view.node, '[data-key="0@3"]').textContent).toContain('1 variant');
  });

  test('says how many samples agree', async () => {
    const runs = new FakeRuns();
    ['yes', 'Yes', 'no', 'yes '].forEach((answer, at) => {
      runs.add(`s-${String(at)}`, 'rerun', '0.1.2', saved(`s-${String(at)}`, rerun(answer, { n: 4 })));
    });
    runs.add('other', 'rerun', '0.1.2', saved('other', rerun('no', { model: 'big' })));
    const text = panel(await open('0.1.2', runs)).textContent;
    expect(text).toContain('3 of 4 gave the same answer');
    expect(text.match(/gave the same answer/g)).toHaveLength(1);
  });

  test('shows an error where there is no answer', async () => {
    const error = { type: 'RateLimited', message: 'too many requests' };
    const story = rerun('', {}, { error });
    story.events.splice(-2, 2);
    story.finish('0', 'failed', { error }).tell('run_finished', { status: 'failed', error });
    const shown = await open('0.1.2', new FakeRuns().add('p', 'rerun', '0.1.2', saved('p', story)));
    expect(panel(shown).textContent).toContain('✗ failed');
    expect(panel(shown).textContent).toContain('too many requests');
  });

  test('opens a variant in a tab where there are tabs', async () => {
    const openRun = vi.fn();
    const runs = new FakeRuns().add('papers-2', 'rerun', '0.1.2', saved('papers-2', rerun('a')));
    buttonOf(panel(await open('0.1.2', runs, { host: { openRun } })), 'Open').click();
    expect(openRun).toHaveBeenCalledWith('papers-2');
    const without = await open('0.1.2', runs);
    expect([...panel(without).querySelectorAll('button')].map(each => each.textContent)).not.toContain(
      'Open'
    );
  });
});

describe('a variant under way', () => {
  test('ticks, and is compared when it has ended', async () => {
    const story = rerun('the sum of 2');
    const store = new RunStore('papers-2', true);
    const runs = new FakeRuns().add('papers-2', 'rerun', '0.1.2', store);
    const shown = await open('0.1.2', runs);
    const node = find(panel(shown), '.rlm-variant');
    const feed = (from: number, to: number, now: number) => {
      const events = story.events.slice(from, to);
      store.receive({ since: from, events, live: to < story.events.length, now, path: '', warning: '' });
    };
    expect(node.textContent).toContain('○ running');
    feed(0, 2, 2);
    await drawn();
    expect(find(panel(shown), '.rlm-variant-figures').textContent).toMatch(/^model big · 2\.\d s$/);
    expect(changes(shown)).toEqual([]);
    feed(2, story.events.length, 3);
    await drawn();
    expect(find(panel(shown), '.rlm-variant').textContent).toContain('✓ finished');
    expect(changes(shown)).toEqual(['removed: 0.1.']);
  });

  test('is there at once, also before its kernel has told of it', async () => {
    const runs = new FakeRuns();
    const shown = await open('0.1.2', runs);
    shown.state.relatives.expect([{ run: 'papers-2', kind: 'rerun', at: '0.1.2' }]);
    await drawn();
    expect(panel(shown).textContent).toContain('starting…');
    runs.add('papers-2', 'rerun', '0.1.2', saved('papers-2', rerun('a'))).tell();
    await drawn();
    expect(panel(shown).textContent).toContain('✓ finished');
  });
});

describe('the root', () => {
  test('has all the runs that were made from it, with their steps', async () => {
    const fork = threeTurns();
    const origin = { kind: 'fork', run: 'papers-1', at: '0.2', edit: { hint: 'Look.' } };
    Object.assign(fork.events[0] ?? {}, { origin });
    const runs = new FakeRuns()
      .add('papers-2', 'rerun', '0.1.2', saved('papers-2', rerun('a')))
      .add('papers-3', 'fork', '0.2', saved('papers-3', fork));
    const shown = await open('0', runs);
    expect(tab(shown)).toBe('Runs made from this (2)');
    expect(panel(shown).textContent).toContain('hint “Look.”');
    expect(panel(shown).textContent).toContain('0 replayed, 8 new');
    expect(panel(shown).textContent).toContain('Its answer is the same as the original.');
    buttonOf(panel(shown), 'Rerun of 0.1.2').click();
    expect(shown.state.selected).toBe('0.1.2');
  });

  test('of a run that asked one call again has the original beside it, without any kernel', async () => {
    const usage = { requests: 1, input_tokens: 100, output_tokens: 10 };
    const original = { prompt: 'Sum up 2', model: 'small', answer: 'the sum of 0.1.2', usage, seconds: 1.5 };
    const story = rerun('the sum of 2');
    Object.assign(story.events[0] ?? {}, { origin: { ...PLACE, edit: {}, original } });
    const shown = await open('0', new FakeRuns(), {}, story);
    expect(tab(shown)).toBe('Original');
    expect(panel(shown).textContent).toContain('The original: 0.1.2 in run papers-1');
    expect(panel(shown).textContent).toContain('small · 110 tokens · 1.50 s');
    expect(changes(shown)).toEqual(['removed: 0.1.']);
  });

  test('of any other run has neither', async () => {
    expect(tab(await open('0', new FakeRuns()))).not.toContain('Runs made');
  });
});

describe('what differs from the record', () => {
  test('is told at the output, word by word', async () => {
    const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, 'b');
    const divergences = [
      { what: 'output', recorded: 'three papers', found: 'four papers' },
      { what: 'variables', recorded: 'x', found: 'x' }
    ];
    const shown = await open(
      '0@1',
      new FakeRuns(),
      {},
      story.code('0', 1, 'x', { stdout: 'four papers', divergences }).end()
    );
    shown.state.tab = 'output';
    shown.state.redraw();
    await drawn();
    const told = find(shown.view.node, '.rlm-differences').textContent;
    expect(told).toContain('≠ Differs from the record');
    expect(told).toContain('Output recorded, then found now:removed: threeadded: four papers');
    expect(told).toContain('Variables recorded, then found now:The same text.');
  });

  test('a line may end between what was and what took its place', async () => {
    const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, 'b');
    const divergences = [{ what: 'output', recorded: 'fine', found: 'hinted' }];
    const shown = await open('0@1', new FakeRuns(), {}, story.code('0', 1, 'x', { divergences }).end());
    shown.state.tab = 'output';
    shown.state.redraw();
    await drawn();
    const names = [...find(shown.view.node, '.rlm-diff pre').children].map(each => each.localName);
    expect(names).toEqual(['del', 'wbr', 'ins']);
  });

  test('long stretches of the same are left out', async () => {
    const [before, after] = [
      `${'same '.repeat(500)}one ${'end '.repeat(500)}`,
      `${'same '.repeat(500)}two ${'end '.repeat(500)}`
    ];
    const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, 'b');
    const divergences = [{ what: 'output', recorded: before, found: after }];
    const shown = await open('0@1', new FakeRuns(), {}, story.code('0', 1, 'x', { divergences }).end());
    shown.state.tab = 'output';
    shown.state.redraw();
    await drawn();
    const told = find(shown.view.node, '.rlm-diff').textContent;
    expect(told.length).toBeLessThan(700);
    expect(told).toContain('characters are the same');
    expect(told).toContain('removed: oneadded: two');
  });
});

test('what a reply took when it was first given is told with it, and with the usage', async () => {
  const usage = { requests: 0, input_tokens: 1200, output_tokens: 80 };
  const story = new Story().rlm('0').llm('0.1.1', 'a');
  story.reply('0.1.1', 1, 'b', { mode: 'replayed', first_mode: 'live', usage }).finish('0.1.1');
  const shown = await open('0.1.1', new FakeRuns(), {}, story.end());
  for (const name of ['reply', 'usage'] as const) {
    shown.state.tab = name;
    shown.state.redraw();
    await drawn();
    expect(panel(shown).textContent).toContain('↻ replayed, at no cost; then it took 1.2k → 80 tokens');
  }
});
