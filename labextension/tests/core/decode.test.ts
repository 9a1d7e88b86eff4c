import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decodeBundle, decodeEvents } from '../../src/core/trace/decode';
import { DecodeError } from '../../src/core/trace/read';
import { Story, threeTurns } from './story';

describe('a bundle', () => {
  test('is decoded with the defaults that its writer left out', () => {
    const bundle = decodeBundle(new Story().rlm('0').bundle());
    expect(bundle).toMatchObject({ run: 'papers-1', live: false, path: '', cutTexts: 0, omittedCalls: 0 });
    expect(bundle.events[1]).toMatchObject({ type: 'call_started', batch: null, depthCapped: false, cut: 0 });
  });

  test('of an older kernel names its run by its first event', () => {
    const { events } = new Story();
    expect(decodeBundle({ format: 1, events }).run).toBe('papers-1');
  });

  test('may hold events of a kind that is not known yet', () => {
    const events = [...new Story().events, { type: 'model_changed', seq: 1 }];
    expect(decodeEvents(events).length).toBe(1);
  });

  test.each([
    [null, 'the bundle is null, not an object'],
    [[], 'the bundle is a list, not an object'],
    [{ events: 3 }, 'events is a number, not a list'],
    [{ events: [3] }, 'event 1: an event is a number, not an object'],
    [{ events: [{}] }, 'event 1: type is missing, not a text'],
    [{ events: [{ type: 'call_started', call_id: 7 }] }, 'event 1: call_id is a number, not a text'],
    [
      { events: [{ type: 'call_finished', call_id: '0', status: 'great' }] },
      'event 1: status is none of running, finished, failed, exhausted, interrupted, cut off'
    ],
    [{ events: [], cut_texts: Infinity }, 'cut_texts is a number, not a number'],
    [{ format: 2, events: [] }, 'trace format 2 is newer than this viewer, which reads up to 1']
  ])('%j is refused: %s', (data, message) => {
    expect(() => decodeBundle(data)).toThrow(message);
    expect(() => decodeBundle(data)).toThrow(DecodeError);
  });

  test('a newer format is told apart from a broken one', () => {
    const kind = (data: unknown) => {
      try {
        decodeBundle(data);
      } catch (error) {
        return error instanceof DecodeError && error.newer;
      }
      return null;
    };
    expect(kind({ format: 2, events: [] })).toBe(true);
    expect(kind({ events: [{ type: 'run_started', format: 9 }] })).toBe(true);
    expect(kind({ events: {} })).toBe(false);
  });
});

test('whatever is changed in a bundle, it is decoded or refused with a DecodeError', () => {
  const { events } = threeTurns();
  const place = fc.record({ event: fc.nat(events.length - 1), field: fc.nat(12), value: fc.jsonValue() });
  fc.assert(
    fc.property(place, ({ event, field, value }) => {
      const damaged = structuredClone(events);
      const target = damaged[event] ?? {};
      const names = Object.keys(target);
      target[names[field % names.length] ?? 'type'] = value;
      try {
        decodeBundle({ format: 1, events: damaged });
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    })
  );
});
