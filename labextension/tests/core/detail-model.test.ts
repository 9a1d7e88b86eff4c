/** What the detail knows of an item, without a page. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { crumbsOf, eventsOf, issuerOf, placeOf, spanOf, statusOf, tabsOf } from '../../src/core/model/detail';
import { askedByLine, failingLine } from '../../src/core/model/lines';
import { notedParts, printedParts } from '../../src/core/model/printed';
import { decodeRich, decodeTable } from '../../src/core/model/rich';
import { findItem } from '../../src/core/model/rows';
import type { Item } from '../../src/core/model/rows';
import { indexAfter, lengthOf, sentAt } from '../../src/core/model/sent';
import { shares, tokensPerSecond, wholeUsage } from '../../src/core/model/spent';
import { RunStore } from '../../src/core/model/store';
import { variablesAfter } from '../../src/core/model/variables';
import { decodeBundle, decodeEvents } from '../../src/core/trace/decode';
import { pieceEnd } from '../../src/core/view/detail/text';
import { Story } from './story';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

function storeOf(story: Story): RunStore {
  return RunStore.fromBundle(decodeBundle(story.bundle()));
}

function itemIn(store: RunStore, key: string): Item {
  const item = findItem(store.tree, key);
  if (!item) {
    throw new Error(`there is no ${key}`);
  }
  return item;
}

function batchStory(): Story {
  return new Story()
    .rlm('0')
    .ask('0', 1, 'system', 'question')
    .reply('0', 1, 'code')
    .batch(3)
    .reply('0.1.1', 1, 'one')
    .finish('0.1.1')
    .reply('0.1.2', 1, 'two', { usage: { requests: 1, input_tokens: 1, output_tokens: 20, cost: 0.5 } })
    .finish('0.1.2')
    .finish('0.1.3', 'failed', { error: { type: 'RateLimited', message: 'too many' } })
    .code('0', 1, 'parts = llm_query_batched(prompts)', { shown: 'nothing', seconds: 0.4 })
    .ask('0', 2, 'go on');
}

describe('an item in its place', () => {
  const store = storeOf(batchStory());

  test('the way to it, its siblings, who asked it', () => {
    const item = itemIn(store, '0.1.2');
    expect(crumbsOf(item).map(each => each.key)).toEqual(['0', '0@1', '0.1.1+', '0.1.2']);
    expect(placeOf(item)).toEqual({ at: 2, of: 3, before: '0.1.1', after: '0.1.3' });
    expect(issuerOf(item)?.key).toBe('0@1');
    expect(placeOf(itemIn(store, '0'))).toEqual({ at: 1, of: 1, before: null, after: null });
  });

  test('how it stands', () => {
    expect(['0', '0@1', '0@2', '0.1.1', '0.1.3', '0.1.1+'].map(key => statusOf(itemIn(store, key)))).toEqual([
      'cut off',
      'finished',
      'cut off',
      'finished',
      'failed',
      'failed'
    ]);
    expect(spanOf(itemIn(store, '0.1.1+'))).toEqual([0.4, 1.1]);
  });

  test('only tabs with something in them', () => {
    expect(tabsOf(itemIn(store, '0.1.1+'))).toEqual(['reply', 'usage', 'raw']);
    expect(tabsOf(itemIn(store, '0.1.2'))).toEqual(['prompt', 'reply', 'usage', 'raw']);
    expect(tabsOf(itemIn(store, '0@1'))).toEqual(['prompt', 'reply', 'code', 'output', 'usage', 'raw']);
    expect(tabsOf(itemIn(store, '0@2'))).toEqual(['prompt', 'usage', 'raw']);
  });

  test('its own events, in order', () => {
    expect(eventsOf(itemIn(store, '0@1'), store.tree).map(event => event.type)).toEqual([
      'model_asked',
      'model_replied',
      'code_executed'
    ]);
    expect(eventsOf(itemIn(store, '0'), store.tree)[0]?.type).toBe('run_started');
    const seqs = eventsOf(itemIn(store, '0.1.1+'), store.tree).map(event => event.seq);
    expect(seqs).toEqual([...seqs].sort((one, other) => one - other));
  });

  test('what it used, and of what limits', () => {
    expect(wholeUsage(itemIn(store, '0.1.1+')).tokens).toBe(131);
    // The first reply has no price, so the sum has none.
    expect(wholeUsage(itemIn(store, '0.1.1+')).cost).toBeNull();
    expect(wholeUsage(itemIn(store, '0.1.2')).cost).toBe(0.5);
    expect(tokensPerSecond(itemIn(store, '0.1.2'))).toBe(200);
    expect(shares(itemIn(store, '0'), store)).toEqual([
      { limit: 'max_turns', used: 2, most: 20 },
      { limit: 'max_calls', used: 3, most: 50 }
    ]);
  });
});

describe('the messages of a turn', () => {
  test('those sent before are told apart', () => {
    const call = storeOf(batchStory()).tree.root;
    const [first, second] = call?.turns ?? [];
    expect(call && first && sentAt(call, first)).toMatchObject({ unchanged: 0, since: null });
    expect(call && second && sentAt(call, second)).toMatchObject({
      messages: [
        { content: 'system' },
        { content: 'question' },
        { role: 'assistant', content: 'code' },
        { content: 'go on' }
      ],
      unchanged: 2,
      since: 1
    });
  });

  test('characters are counted as Python counts them', () => {
    expect([lengthOf(''), lengthOf('a😀b'), lengthOf('\ud83d'), lengthOf('\ude00\ud83d')]).toEqual([
      0, 3, 1, 2
    ]);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(30), (text, most) => {
        expect(lengthOf(text)).toBe(Array.from(text).length);
        expect(text.slice(0, indexAfter(text, most))).toBe(Array.from(text).slice(0, most).join(''));
      })
    );
  });
});

describe('what of an output the model saw', () => {
  // As rlm_kernel/engine/prompts.py cuts it, in code points.
  function middleOut(text: string, limit: number): string[] {
    const all = Array.from(text.replace(/\n+$/, ''));
    const half = Math.floor(limit / 2);
    return all.length <= limit
      ? [text]
      : [
          all.slice(0, half).join(''),
          all.slice(half, all.length - half).join(''),
          all.slice(all.length - half).join('')
        ];
  }

  test('a short text is seen whole', () => {
    expect(printedParts('abc\n', 3)).toEqual([{ kind: 'seen', text: 'abc\n' }]);
    expect(printedParts('abcdef', null)).toEqual([{ kind: 'seen', text: 'abcdef' }]);
  });

  test('of a long one the middle is left out', () => {
    expect(printedParts('0123456789\n', 4)).toEqual([
      { kind: 'seen', text: '01' },
      { kind: 'left out', text: '234567' },
      { kind: 'seen', text: '89\n' }
    ]);
  });

  test('the same middle as the engine leaves out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', '\n', '😀', 'é'), { maxLength: 60 }).map(parts => parts.join('')),
        fc.integer({ min: 2, max: 20 }),
        (text, limit) => {
          const parts = printedParts(text, limit);
          expect(parts.map(part => part.text).join('')).toBe(text);
          if (parts.length > 1) {
            const [head, middle, tail = ''] = middleOut(text, limit);
            expect(parts.map(part => part.text.replace(/\n+$/, ''))).toEqual(
              [head, middle, tail].map(part => part?.replace(/\n+$/, ''))
            );
            expect(parts.map(part => part.kind)).toEqual(['seen', 'left out', 'seen']);
          } else {
            expect(middleOut(text, limit)).toHaveLength(1);
          }
        }
      )
    );
  });

  test('the note of what even the record lacks stands by itself', () => {
    expect(notedParts('head\n… 12,345 bytes left out …\ntail')).toEqual([
      { kind: 'seen', text: 'head\n' },
      { kind: 'note', text: '… 12,345 bytes left out …' },
      { kind: 'seen', text: 'tail' }
    ]);
  });

  test('a text of newlines takes no time', () => {
    const text = `${'\n'.repeat(500_000)}x`;
    expect(printedParts(text, 10)).toHaveLength(3);
  }, 2_000);
});

describe('rich outputs', () => {
  test('an image is one by its first bytes', () => {
    expect(decodeRich({ data: { 'image/png': PNG } })).toEqual({
      kind: 'image',
      url: `data:image/png;base64,${PNG}`
    });
  });

  test.each([
    ['image/png', btoa('<script>alert(1)</script>')],
    ['image/png', `${PNG.slice(0, -4)}"onerror=`],
    // A hundred thousand pixels square.
    ['image/png', btoa('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x06\0\0\0\0')],
    ['image/jpeg', PNG],
    ['image/svg+xml', '<svg onload="alert(1)"/>'],
    ['text/html', '<script>alert(1)</script>'],
    ['toString', 'x'],
    ['application/vnd.rlm.table+json', '{"columns": "no"}'],
    ['application/vnd.rlm.table+json', 'no JSON']
  ])('%s that is none is only its size', (mime, text) => {
    expect(decodeRich({ data: { [mime]: text } })).toEqual({ kind: 'other', mime, chars: text.length });
  });

  test('a table is columns and rows of texts', () => {
    const table = {
      columns: ['a', 'b'],
      rows: [['1', '2']],
      total_rows: 12345,
      total_columns: 2,
      index: ['x']
    };
    expect(decodeTable(JSON.stringify(table))).toEqual({
      columns: ['a', 'b'],
      rows: [['1', '2']],
      index: ['x'],
      totalRows: 12345,
      totalColumns: 2
    });
  });

  test.each([
    { columns: ['a'], rows: [['1', '2']], index: null },
    { columns: ['a'], rows: [[1]], index: null },
    { columns: ['a'], rows: [['1']], index: [] },
    { columns: ['a'], rows: [['1']], index: 'x' },
    { columns: ['a'] },
    []
  ])('%j is no table', table => {
    expect(decodeTable(JSON.stringify(table))).toBeNull();
  });
});

describe('the lines of a block', () => {
  const traceback = (...lines: string[]) =>
    ['Traceback (most recent call last):', ...lines.map(line => `  File ${line}`), 'ValueError: no'].join(
      '\n'
    );

  function failing(text: string): number | null {
    const store = storeOf(
      new Story()
        .rlm('0')
        .reply('0', 1, 'code')
        .code('0', 1, 'a\nb\nc', { error: { type: 'ValueError', message: 'no', traceback: text } })
    );
    const item = itemIn(store, '0@1.1');
    return item.kind === 'block' ? failingLine(item.call, item.turn, item.block) : null;
  }

  test('the deepest line of the block itself failed', () => {
    expect(
      failing(traceback('"<rlm:0.1 block 1>", line 3, in <module>', '"<rlm:0.1 block 1>", line 2, in f'))
    ).toBe(2);
    expect(
      failing(traceback('"<rlm:0.1 block 1>", line 3, in <module>', '"/usr/lib/json.py", line 9, in g'))
    ).toBe(3);
    expect(failing(traceback('"<rlm:0.11 block 1>", line 3, in <module>'))).toBeNull();
    expect(failing('')).toBeNull();
  });

  test('a line knows what it asked', () => {
    const item = itemIn(storeOf(batchStory()), '0@1.1');
    expect(item.kind === 'block' && [...askedByLine(item.block)]).toEqual([
      [1, { key: '0.1.1+', calls: 3, failed: 1 }]
    ]);
  });
});

test('variables at the end are those that were not removed', () => {
  const variable = (name: string, type: string) => ({ name, type });
  const story = new Story()
    .rlm('0')
    .code('0', 1, '', { variables: { added: [variable('a', 'int'), variable('b', 'str')] } })
    .code('0', 2, '', { variables: { changed: [variable('a', 'float')], removed: ['b'] } });
  const blocks = decodeEvents(story.events).flatMap(event => (event.type === 'code_executed' ? [event] : []));
  expect(variablesAfter(blocks).map(({ name, type }) => [name, type])).toEqual([['a', 'float']]);
});

test('a piece of a long text ends with a line, and never inside a character', () => {
  expect(pieceEnd('abc\ndefgh', 0, 6)).toBe(4);
  expect(pieceEnd('ab😀cd', 0, 3)).toBe(2);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 5 }), (text, most) => {
      const pieces: string[] = [];
      for (let at = 0; at < text.length;) {
        const end = pieceEnd(text, at, most);
        pieces.push(text.slice(at, end));
        at = end;
      }
      expect(pieces.join('')).toBe(text);
      expect(pieces.filter(piece => /^[\udc00-\udfff]|[\ud800-\udbff]$/.test(piece))).toEqual([]);
    })
  );
});
