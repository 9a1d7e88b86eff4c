import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { codeLine } from '../../src/core/model/titles';
import { firstLine } from '../../src/core/text';
import { Tree } from '../../src/core/trace/tree';
import type { Call } from '../../src/core/trace/call';
import type { Total } from '../../src/core/trace/total';
import { decodeEvents } from '../../src/core/trace/decode';
import { readTrace } from '../../src/core/trace/file';
import { NAMES, goldenFile, goldenTree } from '../golden';
import type { GoldenCall } from '../golden';
import { Story, threeTurns } from './story';

function treeOf(events: readonly unknown[], ended = true): Tree {
  const tree = new Tree();
  for (const event of decodeEvents(events)) {
    tree.apply(event);
  }
  if (ended) {
    tree.cut();
  }
  return tree;
}

function usageOf(total: Total): GoldenCall['usage'] {
  return {
    requests: total.requests,
    input_tokens: total.inputTokens,
    output_tokens: total.outputTokens,
    cached_tokens: total.cachedTokens,
    cost: total.cost,
    estimated: total.estimated
  };
}

function told(call: Call): GoldenCall {
  return {
    id: call.id,
    parent: call.parent?.id ?? null,
    status: call.status,
    model: call.model,
    title: firstLine(call.prompt, 90),
    answer: call.answer,
    start: call.start,
    end: call.end,
    retries: call.retries,
    calls: call.below.calls,
    failed: call.below.failed,
    usage: usageOf(call.below.usage),
    messages: call.messages(),
    turns: call.turns.map(turn => ({
      number: turn.number,
      messages: call.messages(turn.number).length,
      reply: turn.reply?.text ?? null,
      code: codeLine(
        turn.blocks.flatMap(block => block.executed?.code ?? []),
        90
      ),
      blocks: turn.blocks.map(block => ({
        number: block.number,
        shown: block.executed?.shown ?? null,
        groups: block.groups.map(group => group.map(each => each.id))
      }))
    }))
  };
}

describe('the tree of a trace', () => {
  test.each(NAMES)('%s is the one that Python makes', name => {
    const tree = new Tree();
    readTrace(goldenFile(name)).events.forEach(event => {
      tree.apply(event);
    });
    tree.cut();
    const golden = goldenTree(name);
    const calls = golden.map(({ id }) => tree.calls.get(id));

    expect(calls.map(call => call && told(call))).toEqual(golden);
    expect(tree.calls.size).toBe(golden.length);
  });

  test('a call without an end is running while the run lives, and cut off when it does not', () => {
    const { events } = new Story().rlm('0').ask('0', 1, 'x').batch(2);

    expect(treeOf(events, false).calls.get('0.1.2')?.status).toBe('running');
    expect(treeOf(events, false).root?.below.running).toBe(2);
    const cut = treeOf(events);
    expect(cut.calls.get('0.1.2')?.status).toBe('cut off');
    expect(cut.root?.below.failed).toBe(2);
    expect(cut.root?.below.running).toBe(0);
  });

  test('a cost with an unknown part is unknown, and no request costs nothing', () => {
    const priced = { usage: { requests: 1, input_tokens: 1, output_tokens: 1, cost: 0.5 } };
    const story = new Story().rlm('0').ask('0', 1, 'x').batch(2);
    expect(treeOf(story.events).root?.below.usage.cost).toBeNull();
    story.reply('0.1.1', 1, 'a', priced);
    expect(treeOf(story.events).root?.below.usage.cost).toBe(0.5);
    story.reply('0.1.2', 1, 'b');
    expect(treeOf(story.events).root?.below.usage.cost).toBeNull();
  });

  test('calls of damaged traces are dropped, placed or counted, and never fatal', () => {
    const story = new Story().rlm('0').ask('0', 1, 'x');
    story
      .llm('0.1.2', 'second')
      .llm('0.1.1', 'first')
      .llm('0.1.1', 'again')
      .llm('0.0.1', 'no')
      .llm('9', 'no');
    story.reply('0.7.7', 1, 'to nobody').finish('nobody');
    const tree = treeOf(story.events);

    expect([...tree.calls.keys()]).toEqual(['0', '0.1.2', '0.1.1']);
    expect(tree.root?.calls.map(call => call.id)).toEqual(['0.1.1', '0.1.2']);
  });

  test('failed turns are counted as their blocks and requests fail', () => {
    expect(treeOf(threeTurns().events).failedTurns).toBe(1);
  });
});

const STATUSES = ['finished', 'failed', 'exhausted', 'interrupted'] as const;

test('roll-ups are what a walk over the subtree gives, in whatever order replies and ends come', () => {
  const leaf = fc.record({
    parent: fc.nat(30),
    status: fc.constantFrom(...STATUSES),
    tokens: fc.nat(1000),
    cost: fc.option(fc.integer({ min: 0, max: 9 })),
    order: fc.nat()
  });
  fc.assert(
    fc.property(fc.array(leaf, { maxLength: 30 }), leaves => {
      const story = new Story().rlm('0');
      const ids = ['0'];
      const later: { order: number; tell: () => void }[] = [];
      const places = new Map<string, number>();
      for (const { parent, status, tokens, cost, order } of leaves) {
        const above = ids[parent % ids.length] ?? '0';
        const place = (places.get(above) ?? 0) + 1;
        places.set(above, place);
        const id = `${above}.1.${String(place)}`;
        ids.push(id);
        story.rlm(id);
        const usage = {
          requests: 1,
          input_tokens: tokens,
          output_tokens: 1,
          ...(cost === null ? {} : { cost })
        };
        later.push({ order, tell: () => story.reply(id, 1, 'x', { usage }) });
        later.push({ order: order * 7, tell: () => story.finish(id, status) });
      }
      later
        .sort((one, other) => one.order - other.order)
        .forEach(({ tell }) => {
          tell();
        });
      const tree = treeOf(story.events, false);
      for (const call of tree.calls.values()) {
        const below = [...tree.calls.values()].filter(each => each.id.startsWith(`${call.id}.`));
        const own = [call, ...below].flatMap(each => each.turns.flatMap(turn => turn.reply?.usage ?? []));
        expect(call.below.calls).toBe(below.length);
        expect(call.below.failed).toBe(
          below.filter(each => ['failed', 'interrupted'].includes(each.status)).length
        );
        expect(call.below.usage.tokens).toBe(
          own.reduce((sum, usage) => sum + usage.inputTokens + usage.outputTokens, 0)
        );
        const unknown = own.length === 0 || own.some(usage => usage.cost === null);
        expect(call.below.usage.cost).toBe(
          unknown ? null : own.reduce((sum, usage) => sum + (usage.cost ?? 0), 0)
        );
      }
    })
  );
});

describe('a run that was made from another one', () => {
  const replayed = { mode: 'replayed', first_mode: 'scripted', usage: { requests: 0, input_tokens: 100 } };
  const differs = { divergences: [{ what: 'output', recorded: '1', found: '2' }] };

  test('says how many replies are from the record, and how many steps differ from it', () => {
    const tree = new Tree();
    const story = new Story()
      .rlm('0')
      .reply('0', 1, 'one', replayed)
      .llm('0.1.1', 'a')
      .reply('0.1.1', 1, 'a', replayed)
      .finish('0.1.1')
      .llm('0.1.2', 'b')
      .finish('0.1.2', 'failed', { error: { type: 'MissingReply', message: 'none' } })
      .code('0', 1, 'x', differs)
      .reply('0', 2, 'two', { mode: 'human', usage: {} })
      .code('0', 2, 'y')
      .reply('0', 3, 'three');
    decodeEvents(story.events).forEach(event => {
      tree.apply(event);
    });
    expect([...tree.replies]).toEqual([
      ['replayed', 2],
      ['human', 1],
      ['scripted', 1]
    ]);
    expect([...tree.firstModes]).toEqual(['scripted']);
    expect(tree.differing).toBe(2);
    expect(tree.root?.below.usage.tokens).toBe(110);
    expect([tree.root?.replayed, tree.calls.get('0.1.1')?.replayed]).toEqual([false, true]);
  });

  test('knows which blocks wait for a person, until they ran or their call ended', () => {
    const tree = new Tree();
    const held = (call: string, turn: number, block = 1) => ({ call_id: call, turn, block, code: 'x = 1' });
    const story = new Story().rlm('0').reply('0', 1, 'one').tell('block_held', held('0', 1));
    story.rlm('0.1.1', 'child').tell('block_held', held('0.1.1', 1)).tell('block_held', held('0.9.9', 1));
    const feed = () => {
      decodeEvents(story.events.slice(feed.from)).forEach(event => {
        tree.apply(event);
      });
      feed.from = story.events.length;
      return [...tree.held.keys()];
    };
    feed.from = 0;
    expect(feed()).toEqual(['0@1.1', '0.1.1@1.1']);
    story.finish('0.1.1', 'interrupted');
    expect(feed()).toEqual(['0@1.1']);
    story.code('0', 1, 'x = 1');
    expect(feed()).toEqual([]);
    story.tell('block_held', held('0', 2));
    expect(feed()).toEqual(['0@2.1']);
    tree.cut();
    expect(tree.held.size).toBe(0);
  });
});
