// @vitest-environment jsdom
/** Two runs side by side, in a page: what is shown, opened, kept while they go on, and nothing that comes to life. */

import { describe, expect, test, vi } from 'vitest';

import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { CompareView } from '../../src/core/view/compare';
import { ComparePage } from '../../src/core/view/comparepage';
import { Memory } from '../../src/core/view/detail/memory';
import type { Host } from '../../src/core/view/host';
import { ENGLISH } from '../../src/core/words';
import { FakeRuns } from './kin';
import { buttonOf, drawn, fakeHost, fakeLink, find, showSaved } from './page';
import { Story, threeTurns } from './story';
import type { Json } from './story';

function saved(story: Story, run = 'papers-1', more: Json = {}): RunStore {
  return RunStore.fromBundle(decodeBundle(story.bundle({ run, ...more })));
}

/** Three turns of which the second sub-call said something else, and the answer is another one. */
function other(text = 'quite another sum', answer = '1 and 2'): Story {
  const story = threeTurns();
  for (const event of story.events) {
    if (event['call_id'] === '0.1.2' && event['type'] === 'model_replied') {
      event['text'] = text;
    }
    if (event['answer'] === '1 and 3') {
      event['answer'] = answer;
    }
  }
  return story;
}

function show(left: RunStore, right: RunStore, host: Partial<Host> = {}): CompareView {
  const memory = new Memory();
  const view = new CompareView(left, right, { words: ENGLISH, host: { ...fakeHost(), ...host }, memory });
  document.body.replaceChildren(view.node);
  return view;
}

function row({ node }: CompareView, place: string): HTMLElement {
  return find(node, `[data-place="${place}"]`);
}

function places({ node }: CompareView): (string | undefined)[] {
  return [...node.querySelectorAll<HTMLElement>('[data-place]')].map(each => each.dataset['place']);
}

function opener(view: CompareView, place: string): HTMLElement {
  return find(row(view, place), '.rlm-compare-open');
}

describe('two runs', () => {
  test('show what differs, in a table', () => {
    const view = show(saved(threeTurns()), saved(other(), 'papers-2'));
    expect(places(view)).toEqual(['0', '0.1.2']);
    expect(row(view, '0.1.2').textContent).toBe('0.1.2 llm✓ finished✓ finishedreply changedSum up 2');
    expect(find(view.node, '.rlm-compare-steps-part h3').textContent).toBe('Steps9 the same, 2 changed');
    expect(find(view.node, '.rlm-compare-runs').textContent).toContain('Costunknownunknownunknown');
    expect([...view.node.querySelectorAll('.rlm-compare-text del')].map(each => each.textContent)).toEqual([
      'removed: 3'
    ]);
  });

  test('open a step for its changes, word by word or beside each other', () => {
    const view = show(saved(threeTurns()), saved(other(), 'papers-2'));
    const open = opener(view, '0.1.2');
    open.click();
    expect(open.getAttribute('aria-expanded')).toBe('true');
    const changes = find(view.node, '.rlm-compare-changes');
    expect(changes.id).toBe(open.getAttribute('aria-controls'));
    expect(changes.querySelector('ins')?.textContent).toContain('added: quite another');
    opener(view, '0.1.2').focus();
    buttonOf(view.node, 'Side by side').click();
    const [left, right] = row(view, '0.1.2').querySelectorAll('.rlm-side pre');
    expect(left?.textContent.replace(/removed: /g, '')).toBe('the sum of 0.1.2');
    expect(right?.textContent.replace(/added: /g, '')).toBe('quite another sum');
    expect(document.activeElement).toBe(opener(view, '0.1.2'));
    opener(view, '0.1.2').click();
    expect(row(view, '0.1.2').querySelector('.rlm-compare-changes')).toBeNull();
  });

  test('show all steps when asked, what is the same in one row that opens', () => {
    const view = show(saved(threeTurns()), saved(other(), 'papers-2'));
    const only = buttonOf(view.node, 'Only what differs');
    expect(only.getAttribute('aria-pressed')).toBe('true');
    only.click();
    expect(only.getAttribute('aria-pressed')).toBe('false');
    expect(places(view)).toEqual(['0', 'fold 0.1 same', '0.1.2', 'fold 0.1.3 same']);
    const fold = row(view, 'fold 0.1.3 same');
    expect(fold.textContent).toBe('0.1.3…0.34 calls and 3 turns the same');
    opener(view, 'fold 0.1.3 same').click();
    expect(opener(view, 'fold 0.1.3 same').getAttribute('aria-expanded')).toBe('true');
    expect(places(view)).toContain('0.2.1.1.1');
  });

  test('say so where nothing differs', () => {
    const store = saved(threeTurns());
    const view = show(store, store);
    expect(find(view.node, '.rlm-compare-steps').textContent).toContain('Nothing differs.');
    expect(find(view.node, '.rlm-compare-text').textContent).toBe('AnswerThe same text.');
  });

  test('show what only one of them says', () => {
    const view = show(saved(threeTurns()), saved(new Story().rlm('0').end(), 'papers-2'));
    expect(row(view, '0.3').dataset['verdict']).toBe('only left');
    opener(view, '0.3').click();
    const texts = [...row(view, '0.3').querySelectorAll('.rlm-compare-text')].map(each => each.textContent);
    expect(texts).toContain('Codeonly leftFINAL("1 and 3")');
  });

  test('become a cell, or what can be pasted as one', () => {
    const insertCell = vi.fn();
    const stores = [saved(threeTurns()), saved(other(), 'papers-2')] as const;
    buttonOf(show(...stores, { insertCell }).node, 'Insert cell').click();
    expect(insertCell).toHaveBeenCalledWith('%rlm diff papers-1 papers-2');
    const host = fakeHost();
    buttonOf(show(...stores, host).node, 'Copy as cell').click();
    expect(host.copied).toEqual(['%rlm diff papers-1 papers-2']);
  });

  test('draw many rows a hundred at a time', () => {
    const many = (word: string) => {
      const story = new Story().rlm('0').ask('0', 1, 'a').reply('0', 1, 'b').batch(250);
      for (let call = 1; call <= 250; call += 1) {
        story.reply(`0.1.${String(call)}`, 1, word).finish(`0.1.${String(call)}`);
      }
      return saved(story.end());
    };
    const view = show(many('one'), many('two'));
    expect(places(view)).toHaveLength(100);
    buttonOf(view.node, 'Show more of 150 rows').click();
    buttonOf(view.node, 'Show more of 50 rows').click();
    expect(places(view)).toHaveLength(250);
    expect(find(view.node, '.rlm-compare-steps-part > .rlm-detail-more').hidden).toBe(true);
  });
});

test('nothing that a run says comes to life or hides', () => {
  const evil = '<img src=x onerror="window.pwned = 1"><script>window.pwned = 1</script>\u202e';
  const story = new Story(evil).rlm('0', evil).ask('0', 1, evil).reply('0', 1, evil, { model: evil });
  story.llm('0.1.1', evil).reply('0.1.1', 1, evil, { model: evil }).finish('0.1.1');
  story.code('0', 1, evil, { stdout: evil, error: { type: evil, message: evil } }).end(evil);
  Object.assign(story.events[0] ?? {}, {
    origin: { kind: 'fork', run: evil, at: evil, edit: { hint: evil } }
  });
  const view = show(saved(new Story().rlm('0').ask('0', 1, 'a').end()), saved(story, evil));
  buttonOf(view.node, 'Side by side').click();
  for (const open of view.node.querySelectorAll<HTMLElement>('.rlm-compare-open')) {
    open.click();
  }
  expect(view.node.textContent).toContain('<img src=x');
  expect(view.node.querySelector('img, script')).toBeNull();
  expect(view.node.textContent).not.toContain('\u202e');
});

describe('runs under way', () => {
  const feed = (store: RunStore, story: Story, from: number, to: number) => {
    const live = to < story.events.length;
    const events = story.events.slice(from, to);
    store.receive({ since: from, events, live, now: to / 10, path: '', warning: '' });
  };

  test('are brought up to date, and keep what is open and where the keyboard is', async () => {
    const story = other();
    const store = new RunStore('papers-2', true);
    const ended = story.events.length;
    feed(store, story, 0, 13);
    let now = 0;
    const options = { words: ENGLISH, host: fakeHost(), memory: new Memory(), time: () => now };
    const page = new ComparePage(options);
    page.show(saved(threeTurns()), null);
    document.body.replaceChildren(page.node);
    expect(page.node.textContent).toBe('Looking for a kernel that has both runs…');
    page.show(saved(threeTurns()), store);
    const open = find(page.node, '[data-place="0.1.2"] .rlm-compare-open');
    open.click();
    open.focus();
    expect(find(page.node, '.rlm-compare-runs').textContent).toContain('○ running');
    expect(page.node.textContent).toContain('The other run is under way.');
    now = 1_000;
    feed(store, story, 13, ended);
    await drawn();
    expect(find(page.node, '.rlm-compare-runs').textContent).not.toContain('○ running');
    expect(document.activeElement).toBe(find(page.node, '[data-place="0.1.2"] .rlm-compare-open'));
    expect(find(page.node, '[data-place="0.1.2"] .rlm-compare-changes ins').textContent).toContain('quite');
    page.dispose();
    expect(document.body.textContent).toBe('');
  });

  test('have their shortened texts completed by the kernel, and say what is not seen without', async () => {
    const short = other('quite a…');
    Object.assign(short.events.find(each => each['text'] === 'quite a…') ?? {}, { cut: 1 });
    const right = saved(short, 'papers-2', { cut_texts: 1 });
    expect(find(show(saved(threeTurns()), right).node, '.rlm-detail-whole').textContent).toBe(
      '1 text is shortened here: what differs there is not seen.'
    );
    const whole = other().events.filter(each => each['text'] === 'quite another sum');
    right.link = fakeLink({ whole: () => Promise.resolve(whole) });
    const view = show(saved(threeTurns()), right);
    await drawn();
    expect(find(view.node, '.rlm-detail-whole').textContent).toBe('');
    opener(view, '0.1.2').click();
    expect(row(view, '0.1.2').textContent).toContain('quite another');
  });
});

describe('in the variants of a step', () => {
  async function open(host: Partial<Host>) {
    const runs = new FakeRuns().add('papers-2', 'fork', '0.2', saved(other(), 'papers-2'));
    const shown = showSaved(threeTurns(), {}, {}, { runs, host });
    shown.state.setDetail(true);
    shown.state.tab = 'variants';
    await drawn();
    return find(shown.view.node, '.rlm-detail [role=tabpanel]');
  }

  test('a comparison takes their place, and gives it back', async () => {
    const panel = await open({});
    buttonOf(panel, 'Compare').click();
    expect(find(panel, '.rlm-compare-runs').textContent).toContain('papers-1papers-2');
    buttonOf(panel, '‹ All variants').click();
    expect(panel.querySelector('.rlm-compare')).toBeNull();
    expect(panel.textContent).toContain('papers-2');
  });

  test('one call that was asked again has no steps in common, and no button', async () => {
    const runs = new FakeRuns().add('papers-2', 'rerun', '0.1.2', saved(other(), 'papers-2'));
    const shown = showSaved(threeTurns(), {}, {}, { runs });
    shown.state.setDetail(true);
    shown.state.tab = 'variants';
    await drawn();
    expect(find(shown.view.node, '.rlm-variant').textContent).not.toContain('Compare');
  });

  test('it opens in a tab where there are tabs', async () => {
    const openCompare = vi.fn();
    const panel = await open({ openCompare });
    buttonOf(panel, 'Compare').click();
    expect(openCompare).toHaveBeenCalledWith('papers-1', 'papers-2');
    expect(panel.querySelector('.rlm-compare')).toBeNull();
  });
});
