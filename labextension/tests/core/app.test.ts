// @vitest-environment jsdom
import { describe, expect, test, vi } from 'vitest';

import { buttonOf, drawn, fakeLink, find, showLive, showSaved } from './page';
import { Story, threeTurns } from './story';

function keysOf(inside: ParentNode): (string | null)[] {
  return [...inside.querySelectorAll('.rlm-tree .rlm-row[data-key]')].map(row =>
    row.getAttribute('data-key')
  );
}

describe('a saved run', () => {
  test('says what was asked, how it went and what was answered', () => {
    const { view } = showSaved(threeTurns());

    expect(find(view.node, '.rlm-question').textContent).toBe('Which papers disagree?');
    expect(find(view.node, '.rlm-status').textContent).toBe('✓ finished');
    expect(find(view.node, '.rlm-figures').textContent).toContain('6 sub-calls');
    expect(find(view.node, '.rlm-mode').textContent).toBe("scripted replies, not a model's");
    expect(find(view.node, '.rlm-answer-text').textContent).toBe('1 and 3');
    expect(keysOf(view.node)).toEqual(['0', '0@1', '0.1.1+', '0@2', '0.2.1', '0@3']);
    view.dispose();
  });

  test('offers neither Stop nor Answer now', () => {
    const { view } = showSaved(threeTurns());
    expect(buttonOf(view.node, 'Stop').hidden).toBe(true);
    expect(buttonOf(view.node, 'Answer now').hidden).toBe(true);
    expect(buttonOf(view.node, 'Follow').hidden).toBe(true);
    view.dispose();
  });

  test('names what of it is not here, and where it is', () => {
    const { view } = showSaved(threeTurns(), {
      omitted_calls: 1000,
      cut_texts: 3,
      path: '.rlm/papers-1.rlm.jsonl'
    });
    expect(find(view.node, '.rlm-notice').textContent).toBe(
      'Note 7 of 1,007 calls are kept in this notebook. The whole trace: .rlm/papers-1.rlm.jsonl'
    );
    view.dispose();
  });

  test('without an end is cut off, and its answer is not made up', () => {
    const { view } = showSaved(new Story().rlm('0').ask('0', 1, 'x'));
    expect(find(view.node, '.rlm-status').textContent).toBe('✂ cut off');
    expect(view.node.querySelector('.rlm-answer-text')).toBeNull();
    view.dispose();
  });

  test('copies its answer', async () => {
    const { view, host } = showSaved(threeTurns());
    const copy = buttonOf(find(view.node, '.rlm-answer'), 'Copy');
    copy.click();
    await vi.waitFor(() => {
      expect(copy.textContent).toBe('Copied');
    });
    expect(host.copied).toEqual(['1 and 3']);
    view.dispose();
  });

  test('keeps what is open and chosen when a fuller copy of it comes', async () => {
    const { view, state } = showSaved(threeTurns());
    state.open('0.1.1+', true);
    state.select('0.1.3');
    const { store, view: other } = showLive(threeTurns(), threeTurns().events.length);
    other.dispose();
    state.store = store;
    await drawn();

    expect(keysOf(view.node)).toContain('0.1.3');
    expect(state.selected).toBe('0.1.3');
    view.dispose();
  });
});

describe('a live run', () => {
  test('shows new steps as they come', async () => {
    const story = threeTurns();
    const { view, store } = showLive(story, 3);
    expect(keysOf(view.node)).toEqual(['0', '0@1']);
    expect(find(view.node, '[data-key="0@1"]').textContent).toContain('waiting for the model');
    const rest = story.events.slice(3, 9);
    store.receive({ since: 3, events: rest, live: true, now: 2, path: '', warning: '' });
    await drawn();

    expect(keysOf(view.node)).toEqual(['0', '0@1', '0.1.1+']);
    expect(find(view.node, '[data-key="0.1.1+"] .rlm-marks').textContent).toBe('○○○○');
    expect(find(view.node, '[data-key="0.1.1+"] .rlm-marks').getAttribute('aria-label')).toBe('4 running');
    view.dispose();
  });

  test('shows how much of its limits is used', () => {
    const { view } = showLive(threeTurns(), 10);
    const told = [...view.node.querySelectorAll('[role=meter]')].map(each => each.textContent);
    expect(told).toEqual(['turns: 1 of 20', 'sub-calls: 4 of 50']);
    expect(find(view.node, '[role=meter]').getAttribute('aria-valuemax')).toBe('20');
    view.dispose();
  });

  test('is stopped, and hurried, once', async () => {
    const link = fakeLink();
    const { view, store, state } = showLive(threeTurns(), 10, link);
    const [now, stop] = [buttonOf(view.node, 'Answer now'), buttonOf(view.node, 'Stop')];
    now.click();
    state.redraw();
    await drawn();
    expect([now.disabled, stop.disabled]).toEqual([true, false]);
    stop.click();
    await drawn();
    expect(stop.disabled).toBe(true);
    expect(link.answerNow).toHaveBeenCalledTimes(1);
    expect(link.stop).toHaveBeenCalledTimes(1);
    store.end();
    await drawn();
    expect([now.hidden, stop.hidden]).toEqual([true, true]);
    view.dispose();
  });

  test('says why it could not be stopped', async () => {
    const link = fakeLink({ stop: () => Promise.reject(new Error('the kernel is gone')) });
    const { view } = showLive(threeTurns(), 10, link);
    buttonOf(view.node, 'Stop').click();
    await vi.waitFor(() => {
      expect(find(view.node, '[role=alert]').textContent).toBe('the kernel is gone');
    });
    expect(buttonOf(view.node, 'Stop').disabled).toBe(false);
    view.dispose();
  });

  test('is followed until the user scrolls, and again when asked', async () => {
    const { view, state } = showLive(threeTurns(), 10);
    const follow = buttonOf(view.node, 'Follow');
    expect([follow.hidden, follow.getAttribute('aria-pressed')]).toEqual([false, 'true']);
    find(view.node, '.rlm-tree').dispatchEvent(new Event('wheel'));
    await drawn();
    expect(follow.getAttribute('aria-pressed')).toBe('false');
    follow.click();
    expect(state.follow).toBe(true);
    view.dispose();
  });

  test('tells a screen reader how it ended', async () => {
    const { view, store } = showLive(threeTurns(), 10);
    store.receive({
      since: 10,
      events: threeTurns().events.slice(10),
      live: false,
      now: 3,
      path: '',
      warning: ''
    });
    await drawn();
    expect(find(view.node, '[role=status][aria-live=polite]').textContent).toMatch(
      /^finished, 6 sub-calls, /
    );
    view.dispose();
  });
});

test('Enter opens the detail from a lens, and is the own key of every button', () => {
  const { view, state } = showSaved(threeTurns());
  const enter = () => new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true });
  const pressed = enter();
  buttonOf(view.node, 'Slowest').dispatchEvent(pressed);
  expect([pressed.defaultPrevented, state.detail]).toEqual([false, false]);
  find(view.node, '.rlm-tree').dispatchEvent(enter());
  expect(state.detail).toBe(true);
  view.dispose();
});

test('keys of the run do not reach the notebook, chords of the notebook do', () => {
  const { view } = showSaved(threeTurns());
  const heard = vi.fn();
  document.body.addEventListener('keydown', heard);
  const grid = find(view.node, '.rlm-tree');
  for (const key of ['ArrowDown', '/', 'n', 'e', 'Enter', 'Escape', '1']) {
    grid.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  }
  expect(heard).not.toHaveBeenCalled();
  grid.dispatchEvent(
    new KeyboardEvent('keydown', { key: 's', ctrlKey: true, bubbles: true, cancelable: true })
  );
  expect(heard).toHaveBeenCalledTimes(1);
  expect(view.node.dataset['lmSuppressShortcuts']).toBe('true');
  view.dispose();
});
