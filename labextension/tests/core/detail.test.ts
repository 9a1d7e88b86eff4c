// @vitest-environment jsdom
/* eslint-disable no-control-regex -- control characters are what must not be there */
/** The detail in a page: what its tabs say, what stays while a run goes on, and that nothing a model says comes to life. */

import { describe, expect, test, vi } from 'vitest';

import { ViewState } from '../../src/core/model/state';
import { RunStore } from '../../src/core/model/store';
import type { Link } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { DetailPane } from '../../src/core/view/detail/pane';
import { buttonOf, fakeHost, fakeLink, find } from './page';
import { Story } from './story';
import type { Json } from './story';

interface Opened {
  readonly pane: DetailPane;
  readonly state: ViewState;
  readonly store: RunStore;
  readonly host: ReturnType<typeof fakeHost>;
  readonly node: HTMLElement;
  readonly show: (key: string, tab: ViewState['tab']) => string;
}

function open(story: Story, bundle: Json = {}, link: Link | null = null): Opened {
  const store = RunStore.fromBundle(decodeBundle(story.bundle(bundle)));
  store.link = link;
  return place(store);
}

function place(store: RunStore): Opened {
  const state = new ViewState(store);
  const host = fakeHost();
  const pane = new DetailPane(state, host);
  document.body.replaceChildren(pane.node);
  state.changed.connect(() => {
    pane.update();
  });
  const show = (key: string, tab: ViewState['tab']) => {
    state.tab = tab;
    state.select(key);
    return find(pane.node, '[role=tabpanel]').textContent;
  };
  pane.update();
  return { pane, state, store, host, node: pane.node, show };
}

function tabs(node: HTMLElement): string[] {
  return [...node.querySelectorAll('[role=tab]')].map(tab => tab.textContent);
}

function press(target: HTMLElement, key: string): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
  return event;
}

function papers(): Story {
  return new Story('Which?', { max_calls: 50, output_chars: 10 })
    .rlm('0', 'Which?', { context: { name: 'papers', type: 'list', length: 3, preview: "['a', …]" } })
    .ask('0', 1, 'You have a REPL.', 'Which?')
    .reply('0', 1, 'I ask each.', { reasoning: 'They are three.', finish_reason: 'length', retries: 2 })
    .batch(3)
    .reply('0.1.1', 1, 'one', { seconds: 2 })
    .finish('0.1.1')
    .reply('0.1.2', 1, 'two', { usage: { requests: 1, input_tokens: 5000, output_tokens: 20 } })
    .finish('0.1.2')
    .finish('0.1.3', 'failed', { error: { type: 'RateLimited', message: 'too many requests' } })
    .code('0', 1, 'parts = llm_query_batched(prompts)\nprint(1 / 0)', {
      stdout: 'abcdefghijklmnopqrstuvwxyz\n',
      stdout_chars: 27,
      shown: 'Block 1 printed (27 characters):\nabcde\n… 16 characters left out …\nvwxyz',
      error: {
        type: 'ZeroDivisionError',
        message: 'division by zero',
        traceback:
          'Traceback:\n  File "<rlm:0.1 block 1>", line 2, in <module>\nZeroDivisionError: division by zero'
      },
      variables: {
        added: [{ name: 'parts', type: 'list', size: '3', preview: '[…]' }],
        changed: [{ name: 'n', type: 'int' }],
        removed: ['old']
      },
      seconds: 0.4
    })
    .ask('0', 2, 'It failed.')
    .reply('0', 2, 'Papers 1 and 3')
    .end();
}

describe('the tabs', () => {
  test('only those with something in them, the last choice where it is there', () => {
    const { node, show, state } = open(papers());
    show('0', 'variables');
    expect(tabs(node)).toEqual(['Prompt', 'Answer', 'Code', 'Output', 'Variables', 'Usage', 'Raw']);
    expect(find(node, '[role=tab][aria-selected=true]').textContent).toBe('Variables');
    show('0.1.2', 'variables');
    expect(find(node, '[role=tab][aria-selected=true]').textContent).toBe('Prompt');
    state.select('0@1');
    expect(find(node, '[role=tab][aria-selected=true]').textContent).toBe('Variables');
  });

  test('arrows, Home and End move between them, and one is in the tab order', () => {
    const { node, pane, show, state } = open(papers());
    show('0@1', 'prompt');
    pane.focus();
    expect(document.activeElement?.textContent).toBe('Prompt');
    press(find(node, '[role=tab]:focus'), 'ArrowRight');
    expect([state.tab, document.activeElement?.textContent]).toEqual(['reply', 'Reply']);
    press(find(node, '[role=tab]:focus'), 'End');
    expect(state.tab).toBe('raw');
    press(find(node, '[role=tab]:focus'), 'ArrowRight');
    expect(state.tab).toBe('prompt');
    expect(
      [...node.querySelectorAll<HTMLElement>('[role=tab]')].filter(tab => tab.tabIndex === 0)
    ).toHaveLength(1);
    const panel = find(node, '[role=tabpanel]');
    expect(find(node, '[role=tab]:focus').getAttribute('aria-controls')).toBe(panel.id);
    expect(panel.getAttribute('aria-labelledby')).toBe(find(node, '[role=tab]:focus').id);
  });

  test('Enter presses what is here, and goes no further', () => {
    const { node } = open(papers());
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard);
    press(buttonOf(node, 'Wrap lines'), 'Enter');
    press(buttonOf(node, 'Wrap lines'), ']');
    document.body.removeEventListener('keydown', heard);
    expect(heard).toHaveBeenCalledTimes(1);
  });
});

describe('the head', () => {
  test('the way to the item, its place among its siblings, and buttons along both', () => {
    const { node, show, state } = open(papers());
    show('0.1.2', 'reply');
    expect([...node.querySelectorAll('nav li')].map(li => li.textContent)).toEqual([
      'root',
      'turn 1',
      'batch of 3',
      'llm 0.1.2'
    ]);
    expect(find(node, '.rlm-detail-way').textContent).toContain('2 of 3');
    find(node, '[aria-label="Next sibling"]').click();
    expect(state.selected).toBe('0.1.3');
    expect(find(node, '.rlm-detail-head').textContent).toContain('✗ failed');
    expect(find(node, '.rlm-detail-head').textContent).toContain('RateLimited: too many requests');
    buttonOf(node, 'batch of 3').focus();
    buttonOf(node, 'batch of 3').click();
    expect(state.selected).toBe('0.1.1+');
    expect(find(node, '.rlm-detail-head').textContent).toContain('✗ 1 of 3 failed');
    expect(find(node, 'nav').contains(document.activeElement)).toBe(true);
  });

  test('model, tokens, cost unknown, retries, how the reply ended, and where it came from', () => {
    const { node, show } = open(papers());
    show('0@1', 'reply');
    const told = find(node, '.rlm-detail-head').textContent;
    for (const part of [
      'small (asked for big)',
      'cost unknown',
      'retried 2×',
      'cut off by the length limit',
      "scripted replies, not a model's"
    ]) {
      expect(told).toContain(part);
    }
  });

  test('copies of it as code, and what finds it in the run', async () => {
    const { node, show, host } = open(papers());
    show('0.1.2', 'reply');
    buttonOf(node, 'Copy run["0.1.2"]').click();
    buttonOf(node, 'Copy as code').click();
    await vi.waitFor(() => {
      expect(host.copied).toHaveLength(2);
    });
    expect(host.copied[0]).toBe('run["0.1.2"]');
    expect(host.copied[1]).toContain('"content": "Sum up 2"');
  });
});

describe('what the tabs say', () => {
  test('prompt: what was sent before is folded and counted, the rest is whole', () => {
    const { node, show } = open(papers());
    show('0@2', 'prompt');
    expect(find(node, 'summary').textContent).toBe('2 messages unchanged since turn 1 (22 characters)');
    expect(
      [...node.querySelectorAll('.rlm-detail-body > .rlm-detail-message pre')].map(pre => pre.textContent)
    ).toEqual(['I ask each.', 'It failed.']);
    const details = node.querySelector('details');
    expect(details?.open).toBe(false);
    expect(node.textContent).not.toContain('You have a REPL.');
    find(node, 'summary').click();
    details?.dispatchEvent(new Event('toggle'));
    expect(find(node, 'details').textContent).toContain('You have a REPL.');
  });

  test('prompt of a sub-call: the line that asked, as a way there', () => {
    const { node, show, state } = open(papers());
    expect(show('0.1.2', 'prompt')).toContain('asked by block 1, line 1');
    find(node, '.rlm-detail-remark button').click();
    expect(state.selected).toBe('0@1');
  });

  test('prompt and answer of an rlm call', () => {
    const { show } = open(papers());
    expect(show('0', 'prompt')).toContain('You have a REPL.');
    expect(show('0', 'reply')).toContain('from answer');
    expect(show('0', 'reply')).toContain('1 and 3');
  });

  test('reply: the reasoning folded above the text', () => {
    const { node, show } = open(papers());
    expect(show('0@1', 'reply')).toContain('I ask each.');
    expect(find(node, 'summary').textContent).toContain('Reasoning');
  });

  test('code: numbers, colours, what a line asked, where it failed', () => {
    const { node, show, state } = open(papers());
    show('0@1', 'code');
    const lines = [...node.querySelectorAll<HTMLElement>('.rlm-detail-line')];
    expect(lines.map(line => line.dataset['line'])).toEqual(['1', '2']);
    expect(lines[1]?.querySelector('.tok-number')?.textContent).toBe('1');
    expect(lines[1]?.classList.contains('rlm-detail-failing')).toBe(true);
    expect(lines[1]?.textContent).toContain('failed here');
    buttonOf(node, '→ 3 sub-calls, ✗ 1 failed').click();
    expect(state.selected).toBe('0.1.1+');
  });

  test('output: as the model saw it, or raw with what it did not see', () => {
    const { node, show } = open(papers());
    expect(show('0@1', 'output')).toContain('16 characters left out');
    buttonOf(node, 'Raw output').click();
    const unseen = find(node, '.rlm-detail-unseen');
    expect(unseen.textContent).toContain('not seen by the model');
    expect(unseen.textContent).toContain('fghijklmnopqrstu');
    expect(find(node, '[role=tabpanel]').textContent).toContain('The model was not shown 16 characters');
    expect(find(node, '.rlm-detail-error').textContent).toContain('line 2, in <module>');
  });

  test('variables: what became of each, in signs and words', () => {
    const { node, show } = open(papers());
    show('0@1', 'variables');
    expect(
      [...node.querySelectorAll('tbody tr')].map(tr => [...tr.children].map(td => td.textContent))
    ).toEqual([
      ['+ added', 'parts', 'list', '3', '[…]'],
      ['~ changed', 'n', 'int', '', ''],
      ['− removed', 'old', '', '', '']
    ]);
    expect(show('0', 'variables')).toContain("['a', …]");
  });

  test('usage: its own and with all below it, unknown where it is, shares of the limits', () => {
    const { node, show } = open(papers());
    expect(show('0', 'usage')).toContain('the whole run');
    expect([...node.querySelectorAll('tbody tr')].map(tr => tr.lastElementChild?.textContent)).toEqual([
      'unknown',
      'unknown'
    ]);
    expect(find(node, '[role=meter]').getAttribute('aria-valuetext')).toBe('3 of 50 (6 %)');
  });

  test('raw: the events as they came', () => {
    const { show } = open(papers());
    expect(show('0.1.3', 'raw')).toContain('"message": "too many requests"');
  });

  test('a batch: how its calls stand, which took most, each of them', () => {
    const { node, show, state } = open(papers());
    const told = show('0.1.1+', 'reply');
    expect(told).toContain('✓ 2 finished');
    expect(told).toContain('✗ 1 failed');
    expect(node.querySelectorAll('tbody tr')).toHaveLength(3);
    buttonOf(node, 'Costliest: 0.1.2, 5k tokens').click();
    expect(state.selected).toBe('0.1.2');
    expect(node.contains(document.activeElement) || document.activeElement === document.body).toBe(true);
  });
});

describe('long texts', () => {
  test('the beginning is shown, and more when it is asked for', () => {
    const { node, show, host } = open(new Story().rlm('0').llm('0.1.1', 'x'.repeat(3_000_000)));
    show('0.1.1', 'prompt');
    expect(find(node, 'pre').textContent).toHaveLength(20_000);
    buttonOf(node, 'Show 20,000 more').click();
    expect(find(node, 'pre').textContent).toHaveLength(40_000);
    buttonOf(node, 'Show 2,000,000 more').click();
    expect(find(node, 'pre').textContent).toHaveLength(2_040_000);
    buttonOf(node, 'Show all').click();
    expect(find(node, 'pre').textContent).toHaveLength(3_000_000);
    buttonOf(node, 'Copy').click();
    expect(host.copied[0]).toHaveLength(3_000_000);
  });

  test('of many blocks the first are shown', () => {
    const story = new Story().rlm('0');
    for (let turn = 1; turn <= 45; turn += 1) {
      story.reply('0', turn, 'code').code('0', turn, `print(${String(turn)})`);
    }
    const { node, show } = open(story);
    show('0', 'code');
    expect(node.querySelectorAll('.rlm-detail-block')).toHaveLength(20);
    buttonOf(node, 'Show more of 25 blocks').click();
    expect(node.querySelectorAll('.rlm-detail-block')).toHaveLength(40);
    expect(node.textContent).toContain('print(40)');
  });
});

describe('texts that are shortened here', () => {
  const cutStory = () =>
    new Story()
      .rlm('0')
      .llm('0.1.1', 'head … 900 characters left out … tail', { cut: 1 })
      .reply('0.1.1', 1, 'yes');

  test('are asked of the kernel once, and shown when they come', async () => {
    let answer: (events: readonly unknown[]) => void = () => undefined;
    const whole = vi.fn(
      () =>
        new Promise<readonly unknown[]>(resolve => {
          answer = resolve;
        })
    );
    const { node, show, state, pane } = open(cutStory(), {}, fakeLink({ whole }));
    show('0.1.1', 'prompt');
    expect(node.textContent).toContain('loading the whole text…');
    pane.update();
    state.redraw();
    expect(whole).toHaveBeenCalledTimes(1);
    expect(whole).toHaveBeenCalledWith([2]);
    answer([{ ...cutStory().events[2], cut: 0, prompt: 'all of it' }]);
    await vi.waitFor(() => {
      expect(find(node, 'pre').textContent).toBe('all of it');
    });
    expect(find(node, '[role=status]').textContent).toBe('');
  });

  test('a refusal is told, and can be tried again', async () => {
    const whole = vi.fn(() => Promise.reject(new Error('the run is not in this kernel')));
    const { node, show } = open(cutStory(), {}, fakeLink({ whole }));
    show('0.1.1', 'prompt');
    await vi.waitFor(() => {
      expect(find(node, '.rlm-detail-whole').textContent).toContain('the run is not in this kernel');
    });
    expect(whole).toHaveBeenCalledTimes(1);
    buttonOf(node, 'Try again').click();
    expect(whole).toHaveBeenCalledTimes(2);
  });

  test('without a kernel, where they are is told', () => {
    const { show } = open(cutStory(), { path: '.rlm/papers-1.rlm.jsonl' });
    expect(show('0.1.1', 'prompt')).toContain(
      '1 text is shortened here; the whole trace is in .rlm/papers-1.rlm.jsonl'
    );
    expect(show('0.1.1', 'usage')).not.toContain('shortened');
  });

  test('copied as code they are whole', async () => {
    const whole = vi.fn(() => Promise.resolve([{ ...cutStory().events[2], cut: 0, prompt: 'all of it' }]));
    const { node, show, host } = open(cutStory(), {}, fakeLink({ whole }));
    show('0.1.1', 'usage');
    buttonOf(node, 'Copy as code').click();
    await vi.waitFor(() => {
      expect(host.copied[0]).toContain('"all of it"');
    });
  });
});

describe('while the run goes on', () => {
  function live(story: Story, events: number): Opened & { readonly more: (to: number) => void } {
    const store = new RunStore('papers-1', true);
    const feed = { live: true, now: 1, path: '', warning: '' };
    store.receive({ since: 0, events: story.events.slice(0, events), ...feed });
    const opened = place(store);
    return {
      ...opened,
      more: to => {
        store.receive({
          since: store.events.length,
          events: story.events.slice(store.events.length, to),
          ...feed
        });
      }
    };
  }

  test('what is drawn stays, with its folds and the keyboard; what is new comes after it', () => {
    const story = new Story().rlm('0');
    for (let turn = 1; turn <= 3; turn += 1) {
      story.reply('0', turn, 'code').code('0', turn, `print(${String(turn)})`);
    }
    const { node, show, more } = live(story, 4);
    show('0', 'code');
    const [first] = node.querySelectorAll('.rlm-detail-block');
    find(node, '.rlm-detail-block .rlm-link').focus();
    more(6);
    more(8);
    const blocks = [...node.querySelectorAll('.rlm-detail-block')];
    expect(blocks).toHaveLength(3);
    expect(blocks[0]).toBe(first);
    expect(first?.contains(document.activeElement)).toBe(true);
  });

  test('a call of a batch is drawn anew when it ends, the others are not', () => {
    const story = papers();
    const { node, show, more } = live(story, 9);
    show('0.1.1+', 'reply');
    const before = [...node.querySelectorAll('tbody tr')];
    expect(before.map(row => row.children[1]?.textContent)).toEqual(['✓ finished', '○ running', '○ running']);
    more(11);
    const after = [...node.querySelectorAll('tbody tr')];
    expect(after.map(row => row.children[1]?.textContent)).toEqual(['✓ finished', '✓ finished', '○ running']);
    expect(after[0]).toBe(before[0]);
  });
});

test('nothing a model says comes to life or hides', () => {
  const evil =
    '\u202e\u200b<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">\u001b[31m\ud800';
  const story = new Story(evil)
    .rlm('0', evil, { context: { name: evil, type: evil, preview: evil, schema: evil } })
    .ask('0', 1, evil)
    .reply('0', 1, evil, { reasoning: evil, model: evil, finish_reason: evil })
    .llm('0.1.1', evil, { site: { block: 1, line: 1, code: evil } })
    .finish('0.1.1', 'failed', { error: { type: evil, message: evil, traceback: evil } })
    .code('0', 1, evil, {
      stdout: evil,
      stderr: evil,
      shown: evil,
      error: { type: evil, message: evil, traceback: evil },
      variables: { added: [{ name: evil, type: evil, size: evil, preview: evil }], removed: [evil] },
      outputs: [{ data: { [evil]: evil } }, { data: { 'text/html': evil } }]
    })
    .finish('0', 'failed', { answer: evil, how: evil, error: { type: evil, message: evil } });
  const { node, show, state } = open(story, { path: evil });
  for (const key of ['0', '0@1', '0@1.1', '0.1.1']) {
    for (const tab of ['prompt', 'reply', 'code', 'output', 'variables', 'usage', 'raw'] as const) {
      show(key, tab);
      node.querySelectorAll('details').forEach(details => {
        details.open = true;
        details.dispatchEvent(new Event('toggle'));
      });
      expect(node.querySelector('script, img, a, [onerror]')).toBeNull();
      expect(node.textContent).not.toMatch(/[\u202e\u200b\u001b\ud800-\udfff]/u);
      [...node.querySelectorAll('[title], [aria-label]')].forEach(each => {
        expect(each.getAttribute('title') ?? '').not.toMatch(/[\u202e\u200b\u001b]/);
      });
    }
    expect(state.selected).toBe(key);
  }
  expect('hacked' in window).toBe(false);
});
