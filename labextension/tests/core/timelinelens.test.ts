// @vitest-environment jsdom
import { describe, expect, test } from 'vitest';

import { buttonOf, drawn, find, showLive, showSaved } from './page';
import type { Shown } from './page';
import { Story, threeTurns } from './story';

function showTimeline(shown: Shown): HTMLElement {
  shown.state.setLens('timeline');
  return shown.view.node;
}

function keys(node: HTMLElement): string[] {
  return [...node.querySelectorAll<HTMLElement>('.rlm-tl-row')].map(row => row.dataset['key'] ?? '');
}

function press(node: HTMLElement, key: string): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  node.dispatchEvent(event);
  return event;
}

function row(node: HTMLElement, key: string): HTMLElement {
  return find(node, `.rlm-tl-row[data-key="${key}"]`);
}

describe('the timeline', () => {
  test('has a row for each call, whose bar says when', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    await drawn();
    expect(keys(node)).toEqual(['0', '0.1.1+', '0.2.1']);
    expect(find(row(node, '0.2.1'), '.rlm-tl-track .rlm-unseen').textContent).toBe(
      '1.800 s to 2.500 s (0.70 s), finished, model 0.10 s'
    );
    expect(find(row(node, '0.1.1+'), '.rlm-tl-track .rlm-unseen').textContent).toBe(
      '0.400 s to 1.400 s (1.00 s), 4 calls, at most 4 at once, 1 failed'
    );
    expect(find(row(node, '0.1.1+'), '.rlm-tl-sign').textContent).toBe('✗');
    expect(find(node, '.rlm-tl-peak').textContent).toBe('at most 5 calls at once');
    shown.view.dispose();
  });

  test('opens and closes with Right and Left, and leaves Enter to the run', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    await drawn();
    const grid = find(node, '.rlm-tl-rows');
    press(grid, 'ArrowDown');
    expect(shown.state.selected).toBe('0.1.1+');
    press(grid, 'ArrowRight');
    await drawn();
    expect(keys(node)).toHaveLength(7);
    press(grid, 'ArrowRight');
    expect(shown.state.selected).toBe('0.1.1');
    press(grid, 'ArrowLeft');
    expect(shown.state.selected).toBe('0.1.1+');
    press(grid, 'ArrowLeft');
    await drawn();
    expect(keys(node)).toHaveLength(3);
    press(grid, 'End');
    expect(shown.state.selected).toBe('0.2.1');
    expect(document.getElementById(grid.getAttribute('aria-activedescendant') ?? '')).toBe(
      row(node, '0.2.1')
    );
    press(grid, 'Enter');
    expect(shown.state.detail).toBe(true);
    shown.view.dispose();
  });

  test('keys that come before the next picture go by what is open then', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    await drawn();
    const grid = find(node, '.rlm-tl-rows');
    for (const key of ['ArrowDown', 'ArrowRight', 'ArrowDown', 'ArrowDown']) {
      press(grid, key);
    }
    expect(shown.state.selected).toBe('0.1.2');
    shown.view.dispose();
  });

  test('a click on a part of a bar selects its turn', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    await drawn();
    find(row(node, '0'), '[data-part="0@2"]').click();
    await drawn();
    expect(shown.state.selected).toBe('0@2');
    expect(row(node, '0').getAttribute('aria-selected')).toBe('true');
    expect(node.querySelectorAll('[data-chosen]').length).toBeGreaterThan(0);
    expect(find(node, '.rlm-tl-times').textContent).toBe('0: 0.100 s to 3.000 s (2.90 s)');
    shown.view.dispose();
  });

  test('is zoomed with two sliders, and Escape shows all again', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    await drawn();
    const from = find(node, '[role="slider"][data-edge="start"]');
    const total = Number(from.getAttribute('aria-valuemax'));
    expect(buttonOf(node, 'Show all').hidden).toBe(true);
    for (let step = 0; step < 5; step += 1) {
      press(from, 'PageUp');
      await drawn();
    }
    expect(Number(from.getAttribute('aria-valuenow'))).toBeCloseTo(total / 2, 2);
    expect(from.getAttribute('aria-valuetext')).toMatch(/^\d\.\d{3} s$/);
    expect(buttonOf(node, 'Show all').hidden).toBe(false);
    expect(find(row(node, '0.1.1+'), '.rlm-tl-note').textContent).toBe('◂ ✗ 1 · 1.00 s');
    expect(press(from, 'Escape').defaultPrevented).toBe(true);
    await drawn();
    expect(from.getAttribute('aria-valuenow')).toBe('0.000');
    shown.view.dispose();
  });

  test('comes closer to the selected bar with + and goes back with -', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    shown.state.select('0.2.1');
    await drawn();
    const grid = find(node, '.rlm-tl-rows');
    press(grid, '+');
    await drawn();
    expect(find(node, '.rlm-tl-zoomed').textContent).toBe('Zoomed: 0.717 s to 2.783 s');
    press(grid, '-');
    await drawn();
    expect(find(node, '.rlm-tl-zoomed').hidden).toBe(true);
    shown.view.dispose();
  });

  test('shows what a search found, and what is above it', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    shown.state.search = 'id:0.1.3';
    await drawn();
    expect(keys(node)).toEqual(['0', '0.1.1+', '0.1.3']);
    shown.view.dispose();
  });

  test('a batch of ten thousand is one row of few elements', async () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y').batch(10_000);
    const shown = showLive(story, story.events.length);
    const node = showTimeline(shown);
    await drawn();
    expect(keys(node)).toEqual(['0', '0.1.1+']);
    expect(row(node, '0.1.1+').querySelectorAll('*').length).toBeLessThan(60);
    expect(find(row(node, '0.1.1+'), '.rlm-tl-label').textContent).toContain('10,000 × llm');
    shown.view.dispose();
  });

  test('what has not changed is not made again', async () => {
    const shown = showSaved(threeTurns());
    const node = showTimeline(shown);
    await drawn();
    const before = [...node.querySelectorAll('.rlm-tl-row *')];
    shown.state.redraw();
    await drawn();
    expect([...node.querySelectorAll('.rlm-tl-row *')]).toEqual(before);
    shown.view.dispose();
  });

  test('a hostile prompt is text', async () => {
    const story = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y');
    story.llm('0.1.1', '<img src=x onerror=alert(1)>\u202e');
    const shown = showSaved(story);
    const node = showTimeline(shown);
    await drawn();
    expect(find(row(node, '0.1.1'), '.rlm-tl-title').textContent).toBe('<img src=x onerror=alert(1)>\\u202e');
    expect(node.querySelector('img')).toBeNull();
    shown.view.dispose();
  });
});
