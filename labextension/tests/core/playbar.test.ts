// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { beatsOf } from '../../src/core/model/beats';
import { ViewState } from '../../src/core/model/state';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { beatText } from '../../src/core/view/beat';
import { ENGLISH } from '../../src/core/words';
import { buttonOf, fakeLink, find, showLive, showSaved } from './page';
import type { Shown } from './page';
import { Story, threeTurns } from './story';
import type { Json } from './story';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'requestAnimationFrame',
      'cancelAnimationFrame',
      'performance'
    ]
  });
});

afterEach(() => {
  vi.useRealTimers();
});

/** So many seconds go by, and all is drawn. */
function wait(seconds = 0.05): void {
  vi.advanceTimersByTime(seconds * 1000);
}

/** The run is played back, and stands still where it begins. */
function paused(shown: Shown = showSaved(threeTurns())): Shown & { readonly bar: HTMLElement } {
  shown.state.playBack();
  shown.state.playback?.pause();
  wait();
  return { ...shown, bar: find(shown.view.node, '.rlm-play') };
}

function named(inside: ParentNode, name: string): HTMLElement {
  return find(inside, `[aria-label="${name}"]`);
}

function press(target: HTMLElement, key: string): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
  wait();
  return event;
}

function slid(bar: HTMLElement, share: number): void {
  const slider = find(bar, 'input');
  if (slider instanceof HTMLInputElement) {
    slider.value = String(Number(slider.max) * share);
    slider.dispatchEvent(new Event('input', { bubbles: true }));
  }
  wait();
}

describe('the bar', () => {
  test('is there only while the run is played back', () => {
    const { view, state } = showSaved(threeTurns());
    const bar = find(view.node, '.rlm-play');
    const badge = find(view.node, '.rlm-playback');
    expect([bar.hidden, badge.hidden]).toEqual([true, true]);

    buttonOf(view.node, 'Play it back (p)').click();
    wait();
    expect([bar.hidden, badge.hidden]).toEqual([false, false]);
    expect(badge.textContent).toBe('Playback');
    expect(document.activeElement).toBe(named(bar, 'Pause'));
    expect(find(view.node, '.rlm-mode').textContent).toBe("scripted replies, not a model's");

    named(bar, 'Close the playback').click();
    wait();
    expect([bar.hidden, badge.hidden]).toEqual([true, true]);
    expect(state.playback).toBeNull();
    expect(document.activeElement).toBe(find(view.node, '.rlm-tree'));
    view.dispose();
  });

  test('plays while it is in the page, and ends at the end', () => {
    const { view, state } = showSaved(threeTurns());
    state.playBack();
    wait(1.5);
    const some = state.store.events.length;
    expect(some).toBeGreaterThan(3);
    view.node.remove();
    wait(5);
    expect(state.store.events.length).toBe(some);
    document.body.append(view.node);
    wait(20);
    expect(state.playback?.playing).toBe(false);
    expect(find(view.node, '.rlm-status').textContent).toBe('✓ finished');
    expect(vi.getTimerCount()).toBe(1);
    view.dispose();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('leaves nothing behind that ticks', () => {
    const { view, state } = showSaved(threeTurns());
    state.playBack();
    wait();
    view.dispose();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('steps forward and back, to the start and to the end', () => {
    const { bar, view, state } = paused();
    const line = find(bar, '.rlm-play-line');
    expect(line.textContent).toBe('Step 1 of 16the run starts');
    named(bar, 'One step forward').click();
    named(bar, 'One step forward').click();
    wait();
    expect(line.textContent).toBe('Step 3 of 164 sub-calls sent');
    named(bar, 'One step back').click();
    wait();
    expect(line.textContent).toBe('Step 2 of 16turn 1: the model replied');
    named(bar, 'To the end').click();
    wait();
    expect(line.textContent).toBe('Step 16 of 16the answer is there');
    expect(find(view.node, '.rlm-answer').textContent).toContain('1 and 3');
    expect(named(bar, 'To the end').getAttribute('aria-disabled')).toBe('true');
    named(bar, 'To the start').click();
    wait();
    expect(state.playback?.atStart).toBe(true);
    expect(find(view.node, '.rlm-answer').textContent).toBe('');
    expect(named(bar, 'One step back').getAttribute('aria-disabled')).toBe('true');
    view.dispose();
  });

  test('has a slider that says where it is in the run', () => {
    const { bar, view } = paused();
    const slider = named(bar, 'Place in the run');
    expect(slider.getAttribute('aria-valuetext')).toBe('0.2 s of 3.1 s, turn 1 of the root');
    slid(bar, 1);
    expect(slider.getAttribute('aria-valuetext')).toBe('3.1 s of 3.1 s, turn 3 of the root');
    slid(bar, 0.5);
    expect(find(view.node, '.rlm-head .rlm-status').textContent).toBe('○ running');
    expect(find(bar, '.rlm-play-clock').textContent).toMatch(/^1\.\d s of 3\.1 s$/);
    view.dispose();
  });

  test('offers the speeds', () => {
    const { bar, view, state } = paused();
    const select = named(bar, 'Speed');
    expect([...select.querySelectorAll('option')].map(option => option.textContent)).toEqual([
      '0.5×',
      '1×',
      '2×',
      '5×',
      '10×',
      'a step a second'
    ]);
    if (select instanceof HTMLSelectElement) {
      expect(select.value).toBe('steps');
      select.value = '10';
      select.dispatchEvent(new Event('change'));
    }
    expect(state.playback?.speed).toBe('10');
    state.playback?.play();
    wait(0.5);
    expect(state.playback?.atEnd).toBe(true);
    view.dispose();
  });

  test('is played with the keyboard', () => {
    const { bar, view, state } = paused();
    const slider = named(bar, 'Place in the run');
    press(slider, ' ');
    expect(state.playback?.playing).toBe(true);
    press(slider, 'p');
    expect(state.playback?.playing).toBe(false);
    const count = state.store.events.length;
    press(slider, 'ArrowRight');
    expect(state.store.events.length).toBeGreaterThan(count);
    press(slider, 'ArrowLeft');
    expect(state.store.events.length).toBe(count);
    press(slider, 'End');
    expect(state.playback?.atEnd).toBe(true);
    press(slider, 'Home');
    expect(state.playback?.atStart).toBe(true);
    press(slider, 'Escape');
    expect(state.playback).toBeNull();
    view.dispose();
  });

  test('leaves buttons and choices the keys that are theirs', () => {
    const { bar, view, state } = paused();
    expect(press(named(bar, 'To the end'), ' ').defaultPrevented).toBe(false);
    expect(press(named(bar, 'Speed'), 'ArrowDown').defaultPrevented).toBe(false);
    expect(state.playback?.atStart).toBe(true);
    press(named(bar, 'Speed'), 'Escape');
    expect(state.playback).toBeNull();
    view.dispose();
  });

  test('is started, paused and gone on with by one key in the tree', () => {
    const { view, state } = showSaved(threeTurns());
    const tree = find(view.node, '.rlm-tree');
    press(tree, 'p');
    expect(state.playback?.playing).toBe(true);
    press(tree, 'p');
    expect(state.playback?.playing).toBe(false);
    press(tree, 'p');
    expect(state.playback?.playing).toBe(true);
    view.dispose();
  });

  test('reads steps out where a person stops, not while they pass by', () => {
    const { bar, view, state } = paused();
    const told = find(bar, '.rlm-play-told');
    expect(told.getAttribute('aria-live')).toBe('polite');
    state.playback?.play();
    wait();
    expect(told.getAttribute('aria-live')).toBe('off');
    view.dispose();
  });
});

describe('a run that is played back', () => {
  test('is not stopped by anybody', () => {
    const { view, state } = showLive(threeTurns(), 12, fakeLink());
    expect(buttonOf(view.node, 'Stop').hidden).toBe(false);
    state.playBack();
    wait();
    expect(buttonOf(view.node, 'Stop').hidden).toBe(true);
    expect(buttonOf(view.node, 'Answer now').hidden).toBe(true);
    state.leavePlayback();
    wait();
    expect(buttonOf(view.node, 'Stop').hidden).toBe(false);
    view.dispose();
  });

  test('is handed out whole', async () => {
    const { view, host } = paused();
    buttonOf(view.node, 'Download the trace (.rlm.jsonl)').click();
    await vi.waitFor(() => {
      expect(host.files.length).toBe(1);
    });
    expect(host.files[0]?.[2]).toContain('run_finished');
    view.dispose();
  });

  test('is said to lack what the run lacks, and no more', () => {
    const told = (node: HTMLElement) => find(node, '.rlm-notices').textContent;
    const { view, state } = showSaved(threeTurns(), { omitted_calls: 1000 });
    const before = told(view.node);
    state.playBack();
    wait();
    expect(told(view.node)).toBe(before);
    expect(before).toContain('7 of 1,007 calls');
    view.dispose();
  });

  test('has its texts made whole by the kernel, in the run too', async () => {
    const { events } = threeTurns();
    const cut: Json[] = events.map(event =>
      event['seq'] === 1 ? { ...event, prompt: 'Which … ?', cut: 1 } : event
    );
    const run = RunStore.fromBundle(decodeBundle({ format: 1, run: 'papers-1', events: cut, cut_texts: 1 }));
    run.link = fakeLink({ whole: seqs => Promise.resolve(seqs.map(seq => events[seq])) });
    const state = new ViewState(run);
    state.playBack();
    await state.whole.wholeEvents(state.store.events);
    expect(state.store.tree.root?.prompt).toBe('Which papers disagree?');
    expect(run.complete).toBe(true);
    state.dispose();
  });

  test('leaves the detail to the run, when it is over', async () => {
    // A turn whose request was tried again, with one message more.
    const story = new Story().rlm('0').ask('0', 1, 'x').llm('0.1.1', 'y').ask('0', 1, 'Block 1 failed');
    const { view, state, host } = showSaved(story.end());
    state.select('0@1');
    state.setDetail(true);
    state.playBack();
    state.playback?.pause();
    wait();
    const copy = () => buttonOf(find(view.node, '.rlm-detail-head'), 'Copy as code');
    copy().click();
    state.leavePlayback();
    wait();
    copy().click();
    await vi.waitFor(() => {
      expect(host.copied.length).toBe(2);
    });
    expect(host.copied.map(code => code.includes('Block 1 failed'))).toEqual([false, true]);
    view.dispose();
  });
});

describe('a step is told', () => {
  function texts(story: Story): string[] {
    const run = RunStore.fromBundle(decodeBundle(story.bundle()));
    return beatsOf(run.events).map(beat => beatText({ beat, calls: beat.calls }, run.tree, ENGLISH));
  }

  test('as a person would', () => {
    expect(texts(threeTurns())).toEqual([
      'the run starts',
      'turn 1: the model replied',
      '4 sub-calls sent',
      '4 sub-calls back',
      'turn 1: block 1 ran',
      'turn 2: the model replied',
      'rlm 0.2.1 starts',
      'rlm 0.2.1 turn 1: the model replied',
      'llm 0.2.1.1.1 starts',
      'llm 0.2.1.1.1: the model replied',
      'rlm 0.2.1 turn 1: block 1 ran',
      'rlm 0.2.1 ends',
      'turn 2: block 1 failed',
      'turn 3: the model replied',
      'turn 3: block 1 ran',
      'the answer is there'
    ]);
  });

  test('with how much of it there is by now, while it is played', () => {
    const { bar, view, state } = paused();
    const line = find(bar, '.rlm-play-step');
    state.playback?.step(1);
    state.playback?.step(1);
    state.playback?.play();
    const told = new Set<string | null>();
    for (let look = 0; look < 20; look += 1) {
      wait();
      told.add(line.textContent);
    }
    expect([...told].slice(0, 4)).toEqual([
      '4 sub-calls sent',
      '0 of 4 sub-calls back',
      '1 of 4 sub-calls back',
      '2 of 4 sub-calls back'
    ]);
    view.dispose();
  });

  test('where nothing went well', () => {
    const error = { type: 'ServerFailed', message: '500 after 3 retries' };
    const story = new Story().rlm('0').ask('0', 1, 'x');
    story.reply('0', 1, '', { error }).finish('0', 'failed', { error });
    story.tell('run_finished', { status: 'failed', error });
    expect(texts(story)).toEqual(['the run starts', 'turn 1: no reply came', 'rlm 0 ends']);
  });

  test('where a person is asked', () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y');
    story.tell('block_held', { call_id: '0', turn: 1, block: 2, code: 'pass' });
    expect(texts(story).at(-1)).toBe('turn 1: block 2 waits for a person');
  });
});
