import { afterEach, describe, expect, test, vi } from 'vitest';

import type { Feed } from '../src/core/model/store';
import { Kernel, card } from './kernel';

afterEach(() => {
  vi.useRealTimers();
});

describe('what a kernel tells', () => {
  test('is kept by run', () => {
    const kernel = new Kernel().hello(card('a'), card('b', { live: false, status: 'finished' }));
    expect(kernel.control.version).toBe('1.0');
    kernel.run('a', { live: false, status: 'failed' });
    expect([...kernel.control.cards.values()].map(({ run, status, live }) => [run, status, live])).toEqual([
      ['a', 'failed', false],
      ['b', 'finished', false]
    ]);
  });

  test.each([
    null,
    'hello',
    [],
    { op: 'dance' },
    { op: 'run', card: 7 },
    { op: 'run', card: { run: '' } },
    { op: 'events', run: 'a', since: '0', events: [] },
    { op: 'events', run: 'a', since: 0, events: {} },
    { op: 'reply', ask: 'one', events: [] },
    { op: 'reply', ask: 99 }
  ])('and makes no sense changes nothing: %j', message => {
    const kernel = new Kernel();
    kernel.say(message);
    expect(kernel.control.cards.size).toBe(0);
    expect(kernel.control.isClosed).toBe(false);
  });

  test('of a run goes to whoever watches it', () => {
    const kernel = new Kernel();
    const fed: Feed[] = [];
    kernel.control.watch('a', 3, feed => fed.push(feed));
    kernel.feed('a', 3, [{ seq: 3 }]).feed('b', 0, []);
    expect(kernel.heard).toEqual([{ op: 'watch', run: 'a', since: 3 }]);
    expect(fed.map(({ since, events }) => [since, events])).toEqual([[3, [{ seq: 3 }]]]);

    kernel.control.unwatch('a');
    kernel.control.unwatch('a');
    kernel.feed('a', 4, []);
    expect(kernel.ops).toEqual(['watch', 'unwatch']);
    expect(fed).toHaveLength(1);
  });
});

describe('what is asked', () => {
  test('is answered by its number', async () => {
    const kernel = new Kernel();
    const link = kernel.control.link('a');
    const whole = link.whole([1, 2]);
    const file = link.file();
    kernel.say({ op: 'reply', ask: 2, text: '{}\n' }).say({ op: 'reply', ask: 1, events: [{ seq: 1 }] });
    expect(await whole).toEqual([{ seq: 1 }]);
    expect(await file).toBe('{}\n');
  });

  test("fails with the kernel's sentence, or with what is wrong with its answer", async () => {
    const kernel = new Kernel();
    const refused = kernel.control.link('a').answerNow();
    kernel.reply({ error: 'the run has ended already' });
    await expect(refused).rejects.toThrow('the run has ended already');
    const odd = kernel.control.bundle('a');
    kernel.reply({ data: 'text' });
    await expect(odd).rejects.toThrow('the kernel sent no bundle');
    const none = kernel.control.link('a').file();
    kernel.reply({});
    await expect(none).rejects.toThrow('the kernel sent no text');
  });

  test('is not waited for for ever', async () => {
    vi.useFakeTimers();
    const asked = new Kernel().control.link('a').file();
    const said = expect(asked).rejects.toThrow('did not answer in 30 s; interrupt or restart it');
    await vi.advanceTimersByTimeAsync(30_000);
    await said;
  });

  test('fails when the kernel goes, and at once when it has gone', async () => {
    const kernel = new Kernel();
    const waiting = kernel.control.link('a').file();
    kernel.control.close('the kernel has died');
    await expect(waiting).rejects.toThrow('the kernel has died');
    await expect(kernel.control.link('a').file()).rejects.toThrow('the kernel has died');
    expect(kernel.ops).toEqual(['file']);
  });

  test('of a dead line closes the channel', async () => {
    const kernel = new Kernel();
    kernel.hangUp();
    await expect(kernel.control.link('a').file()).rejects.toThrow('the line is dead');
    expect(kernel.control.isClosed).toBe(true);
  });

  test('tells whether a kernel has a run', async () => {
    const kernel = new Kernel();
    const holds = kernel.control.holds('a');
    kernel.reply({ events: [] });
    expect(await holds).toBe(true);
    const holdsNot = kernel.control.holds('b');
    kernel.reply({ error: 'no such run' });
    expect(await holdsNot).toBe(false);
  });
});

describe('a stop', () => {
  test('that is acknowledged interrupts nothing', async () => {
    const kernel = new Kernel();
    const stopped = kernel.control.link('a').stop();
    kernel.reply({ ok: true });
    await stopped;
    expect(kernel.interrupts).toBe(0);
  });

  test('that the kernel is deaf to interrupts it', async () => {
    vi.useFakeTimers();
    const kernel = new Kernel();
    const stopped = kernel.control.link('a').stop();
    await vi.advanceTimersByTimeAsync(1_499);
    expect(kernel.interrupts).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    await stopped;
    expect(kernel.interrupts).toBe(1);
  });

  test('that is refused interrupts where one can, and else says why', async () => {
    const kernel = new Kernel();
    const stopped = kernel.control.link('a').stop();
    kernel.reply({ error: 'no such run' });
    await stopped;
    expect(kernel.interrupts).toBe(1);

    const widget = new Kernel(false);
    const refused = widget.control.link('a').stop();
    widget.reply({ error: 'no such run' });
    await expect(refused).rejects.toThrow('no such run');
  });
});

describe('runs made from a run', () => {
  test('are asked for with what is changed, and known by their ids', async () => {
    const kernel = new Kernel();
    const made = kernel.control.link('a').derive('fork', '0.3', { hint: 'Look.', limits: { max_turns: 3 } });
    expect(kernel.heard).toEqual([
      {
        op: 'derive',
        run: 'a',
        kind: 'fork',
        at: '0.3',
        edit: { hint: 'Look.', limits: { max_turns: 3 } },
        ask: 1
      }
    ]);
    kernel.reply({ runs: ['b', 7, 'c'] });
    expect(await made).toEqual(['b', 'c']);
  });

  test('are refused with the reason', async () => {
    const kernel = new Kernel();
    const made = kernel.control.link('a').derive('rerun', '0.9.9', {});
    kernel.reply({ error: 'there is no call 0.9.9' });
    await expect(made).rejects.toThrow('there is no call 0.9.9');
  });

  test('say so on their card', () => {
    const kernel = new Kernel().hello(
      card('b', { origin: { kind: 'fork', run: 'a', at: '0.3', edit: {} } }),
      card('c', { origin: { kind: 'dance', run: 'a' } }),
      card('d', { origin: { kind: 'replay' } }),
      card('e')
    );
    expect([...kernel.control.cards.values()].map(each => each.origin)).toEqual([
      { kind: 'fork', run: 'a', at: '0.3' },
      null,
      null,
      null
    ]);
  });
});

test('what becomes of a block that waits is said with its place', async () => {
  const kernel = new Kernel();
  const { decide } = kernel.control.link('a');
  const held = { callId: '0.2.1', turn: 3, block: 1 };
  const done = [decide(held, 'edit', 'x = 1'), decide(held, 'skip')];
  const place = { op: 'decide', run: 'a', call: '0.2.1', turn: 3, block: 1 };
  expect(kernel.heard).toEqual([
    { ...place, what: 'edit', code: 'x = 1', ask: 1 },
    { ...place, what: 'skip', ask: 2 }
  ]);
  kernel.say({ op: 'reply', ask: 1, ok: true }).say({ op: 'reply', ask: 2, error: 'it waits no more' });
  await expect(done[0]).resolves.toBeUndefined();
  await expect(done[1]).rejects.toThrow('it waits no more');
});

test('a run that waits for its server is asked to try it', async () => {
  const kernel = new Kernel();
  const tried = kernel.control.link('a').tryNow();
  expect(kernel.heard).toEqual([{ op: 'try_now', run: 'a', ask: 1 }]);
  kernel.say({ op: 'reply', ask: 1, ok: true });
  await expect(tried).resolves.toBeUndefined();
});
