// @vitest-environment jsdom
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  COLUMNS,
  isNumeric,
  nextSort,
  numberIn,
  sorted,
  textIn,
  treeOrder
} from '../../src/core/model/table';
import type { Column, Direction } from '../../src/core/model/table';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import type { Call } from '../../src/core/trace/call';
import { ENGLISH } from '../../src/core/words';
import { buttonOf, drawn, find, showLive, showSaved } from './page';
import type { Shown } from './page';
import { Story, threeTurns } from './story';
import type { Json } from './story';

function callsOf(story: Story): Call[] {
  return treeOrder(RunStore.fromBundle(decodeBundle(story.bundle())).tree);
}

describe('the order of the calls', () => {
  test('is the order of the tree, not that of submission', () => {
    expect(callsOf(threeTurns()).map(call => call.id)).toEqual([
      '0',
      '0.1.1',
      '0.1.2',
      '0.1.3',
      '0.1.4',
      '0.2.1',
      '0.2.1.1.1'
    ]);
  });

  const made = fc.array(
    fc.record({
      cost: fc.option(fc.integer({ min: 0, max: 3 })),
      tokens: fc.integer({ min: 0, max: 4 }),
      failed: fc.boolean(),
      prompt: fc.constantFrom('b', 'a', 'B', 'A c', 'zz')
    }),
    { maxLength: 25 }
  );

  function story(
    made: readonly { cost: number | null; tokens: number; failed: boolean; prompt: string }[]
  ): Story {
    const told = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y');
    made.forEach(({ cost, tokens, failed, prompt }, at) => {
      const id = `0.1.${String(at + 1)}`;
      const usage = {
        requests: 1,
        input_tokens: tokens,
        output_tokens: 0,
        ...(cost === null ? {} : { cost })
      };
      told.llm(id, prompt);
      if (failed) {
        told.finish(id, 'failed');
      } else {
        told.reply(id, 1, 'z', { usage }).finish(id);
      }
    });
    return told;
  }

  test('by a column is a stable permutation in that direction, with the unknown last', () => {
    fc.assert(
      fc.property(
        made,
        fc.constantFrom(...COLUMNS),
        fc.constantFrom<Direction>('ascending', 'descending'),
        (calls, column, direction) => {
          const before = callsOf(story(calls));
          const after = sorted(before, { column, direction }, 9, ENGLISH);
          expect(new Set(after)).toEqual(new Set(before));
          expect(after).toHaveLength(before.length);
          if (column === 'id') {
            expect(after).toEqual(direction === 'ascending' ? before : [...before].reverse());
            return;
          }
          const places = new Map(before.map((call, at) => [call, at]));
          for (const [at, call] of after.entries()) {
            const next = after[at + 1];
            if (next) {
              const both = [call, next].filter(each => !unknown(column, each)).length;
              const order =
                both === 2 ? compare(column, call, next) * (direction === 'ascending' ? 1 : -1) : 0;
              // The unknown come after the known, and never before.
              expect(both === 1 && unknown(column, call)).toBe(false);
              expect(order).toBeLessThanOrEqual(0);
              if (both === 0 || (both === 2 && order === 0)) {
                expect(places.get(call)).toBeLessThan(places.get(next) ?? -1);
              }
            }
          }
        }
      )
    );
  });

  function unknown(column: Column, call: Call): boolean {
    return isNumeric(column) && numberIn(column, call, 9) === null;
  }

  function compare(column: Column, one: Call, other: Call): number {
    if (isNumeric(column)) {
      return (numberIn(column, one, 9) ?? 0) - (numberIn(column, other, 9) ?? 0);
    }
    const [a, b] = [one, other].map(call => textIn(column, call, ENGLISH).toLowerCase());
    return a === b ? 0 : (a ?? '') < (b ?? '') ? -1 : 1;
  }

  test('goes from the first direction of a column to the other, and back to the tree', () => {
    const cost = nextSort(null, 'cost');
    expect(cost).toEqual({ column: 'cost', direction: 'descending' });
    expect(nextSort(cost, 'cost')).toEqual({ column: 'cost', direction: 'ascending' });
    expect(nextSort({ column: 'cost', direction: 'ascending' }, 'cost')).toBeNull();
    expect(nextSort(cost, 'title')).toEqual({ column: 'title', direction: 'ascending' });
  });

  test('a cost that is not known is no zero', () => {
    const story = new Story()
      .rlm('0')
      .ask('0', 1, 'x')
      .reply('0', 1, 'y')
      .llm('0.1.1', 'p')
      .reply('0.1.1', 1, 'z');
    const call = callsOf(story)[1];
    expect(call && numberIn('cost', call, 9)).toBeNull();
    expect(call && numberIn('input', call, 9)).toBe(100);
  });
});

function showTable(shown: Shown): HTMLElement {
  shown.state.setLens('table');
  return shown.view.node;
}

function ids(node: HTMLElement): string[] {
  const rows = [...node.querySelectorAll<HTMLElement>('.rlm-tb-row')];
  rows.sort((one, other) => Number.parseInt(one.style.top) - Number.parseInt(other.style.top));
  return rows.map(row => row.dataset['key'] ?? '');
}

function cells(node: HTMLElement, id: string): (string | null)[] {
  return [...find(node, `.rlm-tb-row[data-key="${id}"]`).children].map(cell => cell.textContent);
}

function press(node: HTMLElement, key: string): void {
  node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
}

describe('the table', () => {
  test('says of each call what it was and what it took', async () => {
    const shown = showSaved(threeTurns());
    const node = showTable(shown);
    await drawn();
    expect(cells(node, '0.1.3')).toEqual([
      '0.1.3',
      'llm',
      'Sum up 3',
      '✗failed',
      'small',
      '1',
      '0',
      '–',
      '–',
      '–',
      '0.600 s',
      '0.80 s'
    ]);
    expect(cells(node, '0.2.1').slice(5, 10)).toEqual(['1', '1', '200', '20', '–']);
    shown.view.dispose();
  });

  test('is sorted by a click on a header, which says so', async () => {
    const shown = showSaved(threeTurns());
    const node = showTable(shown);
    await drawn();
    const tree = ids(node);
    const header = find(node, '[role="columnheader"][data-column="duration"]');
    expect(header.getAttribute('aria-sort')).toBe('none');

    buttonOf(node, 'Duration').click();
    await drawn();
    expect(header.getAttribute('aria-sort')).toBe('descending');
    expect(ids(node)[0]).toBe('0');
    buttonOf(node, 'Duration').click();
    await drawn();
    expect(header.getAttribute('aria-sort')).toBe('ascending');
    expect(ids(node).at(-1)).toBe('0');
    buttonOf(node, 'Duration').click();
    await drawn();
    expect(ids(node)).toEqual(tree);
    shown.view.dispose();
  });

  test('is walked with the keyboard, and names the active row', async () => {
    const shown = showSaved(threeTurns());
    const node = showTable(shown);
    await drawn();
    const grid = find(node, '.rlm-tb-rows');
    for (const [key, id] of [
      ['ArrowDown', '0.1.1'],
      ['End', '0.2.1.1.1'],
      ['ArrowDown', '0.2.1.1.1'],
      ['ArrowUp', '0.2.1'],
      ['Home', '0']
    ] as const) {
      press(grid, key);
      expect(shown.state.selected).toBe(id);
      const active = document.getElementById(grid.getAttribute('aria-activedescendant') ?? '');
      expect(active?.dataset['key']).toBe(id);
      expect(active?.getAttribute('aria-selected')).toBe('true');
    }
    shown.view.dispose();
  });

  test('the arrows walk the headers, of which one takes Tab', async () => {
    const shown = showSaved(threeTurns());
    const node = showTable(shown);
    await drawn();
    const buttons = [...node.querySelectorAll<HTMLElement>('.rlm-tb-sort')];
    buttons[0]?.focus();
    press(find(node, '.rlm-tb-sort:focus'), 'End');
    expect(document.activeElement?.textContent).toBe('Duration');
    expect(buttons.filter(each => each.tabIndex === 0).map(each => each.textContent)).toEqual(['Duration']);
    expect(shown.state.selected).toBe('0');
    shown.view.dispose();
  });

  test('holds what a search found: a turn stands for its call', async () => {
    const shown = showSaved(threeTurns());
    const node = showTable(shown);
    shown.state.search = 'status:failed';
    await drawn();
    expect(ids(node)).toEqual(['0', '0.1.3']);
    shown.state.search = 'no such text';
    await drawn();
    expect(ids(node)).toEqual([]);
    expect(find(node, '.rlm-tb-empty').textContent).toBe('No call matches the search.');
    shown.view.dispose();
  });

  test('what is selected within a call is that call', async () => {
    const shown = showSaved(threeTurns());
    const node = showTable(shown);
    shown.state.select('0.2.1@1');
    await drawn();
    expect(find(node, '[aria-selected="true"].rlm-tb-row').dataset['key']).toBe('0.2.1');
    shown.view.dispose();
  });

  test('a call that is under way ticks', async () => {
    const told = new Story().rlm('0');
    const shown = showLive(told, told.events.length);
    const node = showTable(shown);
    await drawn();
    expect(cells(node, '0').at(-1)).toMatch(/^\d+\.\d s$/);
    shown.view.dispose();
  });

  test('a hostile prompt is text', async () => {
    const told = new Story().rlm('0').ask('0', 1, 'x').reply('0', 1, 'y');
    told.llm('0.1.1', '<img src=x onerror=alert(1)>\u202e', { model: '<b>\u200b' } satisfies Json);
    const shown = showSaved(told);
    const node = showTable(shown);
    await drawn();
    expect(cells(node, '0.1.1')[2]).toBe('<img src=x onerror=alert(1)>\\u202e');
    expect(cells(node, '0.1.1')[4]).toBe('<b>\\u200b');
    expect(node.querySelector('img')).toBeNull();
    shown.view.dispose();
  });
});
