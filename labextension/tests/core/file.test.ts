import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { toJsonl } from '../../src/core/export/jsonl';
import { decodeEvents } from '../../src/core/trace/decode';
import { DecodeError } from '../../src/core/trace/read';
import { readTrace } from '../../src/core/trace/file';
import { base64Digest, hexDigest, sha256 } from '../../src/core/trace/sha256';
import { NAMES, goldenFile } from '../golden';
import { threeTurns } from './story';

const START =
  '{"type":"run_started","run_id":"r","query":"q","started":"","version":"1","mode":"live","isolation":"worker"}';
const ROOT = '{"type":"call_started","call_id":"0","kind":"rlm","depth":0,"model":"m","prompt":"p"}';
const TORN = 'the last line was cut off while it was written and is left out';

function opened(...lines: string[]) {
  return readTrace([START, ROOT, ...lines, ''].join('\n'));
}

function refusal(text: string): DecodeError {
  try {
    readTrace(text);
  } catch (error) {
    if (error instanceof DecodeError) {
      return error;
    }
    throw error;
  }
  throw new Error('it was read');
}

// The browser's own, to check ours against.
async function digested(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

test.each(NAMES)('the golden trace %s opens', name => {
  const bundle = readTrace(goldenFile(name));

  expect(bundle.run).toBe('papers-1');
  expect(bundle.warning).toBe(name === 'cut-off' ? TORN : '');
  expect(bundle.events.map(event => event.seq)).toEqual([...bundle.events.keys()]);
});

test('a long text stands in each event that refers to it', () => {
  const asked = readTrace(goldenFile('unicode')).events.filter(event => event.type === 'model_asked');
  const long = 'Прочти это внимательно. 論文 🧪 '.repeat(60);

  expect(asked.flatMap(event => event.messages.map(message => message.content === long))).toContain(true);
});

test('a key of the data that looks like a reference is data', () => {
  const line = `${START.slice(0, -1)},"settings":{"$$text":"mine","$$$x":[{"$$":1}]}}`;
  const first = readTrace(`${line}\n`).events[0];

  expect(first?.type === 'run_started' && first.settings).toEqual({ $text: 'mine', $$x: [{ $: 1 }] });
});

test.each(['', 'no', '[1]', '7', '{"type":"call_started"}', '{"seq":'])(
  'a bad line in the middle is left out and named: %j',
  line => {
    const { events, warning } = readTrace(`${START}\n${ROOT}\n${line}\n${ROOT}\n`);

    expect(events).toHaveLength(3);
    expect(warning).toBe(
      '1 line cannot be read (3) and is left out: steps may be missing or look unfinished'
    );
    expect(refusal(`${line}\n${START}\n`).message).toMatch(/^line 1: /);
  }
);

test('damage is told in the words of the Python reader', () => {
  const lines = goldenFile('nested').split('\n');
  const damaged = (...numbers: number[]) =>
    readTrace(
      lines.map((line, at) => (numbers.includes(at + 1) ? '\0'.repeat(line.length) : line)).join('\n')
    ).warning;

  expect(damaged(3, 7)).toBe(
    '2 lines cannot be read (3, 7) and are left out: steps may be missing or look unfinished'
  );
  expect(damaged(2, 3, 4, 5, 6)).toMatch(/^5 lines cannot be read \(2, 3, 4, …\) and are left out/);
  expect(readTrace(`${goldenFile('nested')}\0\0\n\u0001\n\0`).warning).toBe(
    `${TORN}; the last 2 lines cannot be read, as after a power cut, and are left out`
  );
  expect(readTrace(lines.filter((_, at) => at !== 2).join('\n')).warning).toBe(
    '1 event of the run is not in the file'
  );
  expect(readTrace([lines[0], ...lines.slice(1, -1).reverse(), ''].join('\n')).warning).toBe(
    'the events are not in the order in which they were recorded'
  );
  expect(readTrace(goldenFile('nested') + goldenFile('nested')).warning).toMatch(/^1 line cannot be read/);
});

test('a newer format is refused as such', () => {
  const error = refusal('{"type":"run_started","format":2,"shape":"unheard of"}\n');

  expect(error.newer).toBe(true);
  expect(error.message).toBe('line 1: trace format 2 is newer than this viewer, which reads up to 1');
});

test.each(['', '\n', 'hello\n', '{}\n', '{"type":"text","hash":"a","text":"b"}\n', START, `${ROOT}\n`])(
  'what is not a trace says so: %j',
  text => {
    expect(refusal(text).newer).toBe(false);
  }
);

const REFUSED = {
  'deep list': `{"type":"run_started","settings":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  'deep object': `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
  'deep settings': START.replace(/}$/, `,"settings":{"a":${'['.repeat(700)}${']'.repeat(700)}}}`),
  'a number of 5,000 digits': ROOT.replace('"depth":0', `"depth":${'9'.repeat(5000)}`),
  'a time without end': ROOT.replace('"depth":0', '"depth":0,"t":1e999'),
  'a time that is no number': ROOT.replace('"depth":0', '"depth":0,"t":NaN'),
  'settings without end': START.replace(/}$/, ',"settings":{"a":[1e999]}}'),
  'a list for a kind': '{"type":["run_started"]}',
  'an object for a kind': '{"type":{"__class__":"x"}}',
  'a text that is not there': ROOT.replace('"p"', '{"$text":"00ff"}'),
  'a text named by a list': ROOT.replace('"p"', '{"$text":[1]}'),
  'a text without a text': '{"type":"text","hash":"00ff"}',
  'a text of another type': '{"type":"text","hash":"00ff","text":7}',
  'a text that is not of its hash': '{"type":"text","hash":"00ff","text":"not what was said"}',
  'an object for a text': ROOT.replace('"p"', '{"toString":"p"}'),
  'an event that is a text': '{"$text":"00ff"}',
  'a version in words': ROOT.replace(/}$/, ',"format":"one"}'),
  'a version of another type': ROOT.replace(/}$/, ',"format":true}')
};

test.each(Object.entries(REFUSED))('a hostile line is left out and named: %s', (_, line) => {
  const { events, warning } = opened(line, ROOT);

  expect(events.map(event => event.type)).toEqual(['run_started', 'call_started', 'call_started']);
  expect(warning).toMatch(/^1 line cannot be read \(3\) and is left out/);
});

test.each(Object.entries(REFUSED))('a file that begins with a hostile line is refused: %s', (_, line) => {
  const { message } = refusal(`${line}\n${START}\n`);

  expect(message).toMatch(/^line 1: /);
  expect(message.length).toBeLessThan(1000);
});

test('what is mostly no lines of a trace is none', () => {
  const { message } = refusal(`${START}\n${'\n'.repeat(1_000_000)}`);

  expect(message).toBe('line 10002 and 10,000 before it cannot be read: this is no trace');
});

test('a prototype in a line is no prototype', () => {
  const { events } = opened(ROOT.replace('"0"', '"0.1.1","__proto__":{"polluted":true}'));

  expect(events).toHaveLength(3);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
  expect(Object.hasOwn(events[2]?.source ?? {}, '__proto__')).toBe(true);
});

test('an event of a later version is left out', () => {
  expect(opened('{"type":"call_renamed","call_id":[]}').events).toHaveLength(2);
});

test('a trace cut anywhere has exactly its complete events', () => {
  const large = `論\u2028\\ud83d${'x'.repeat(1022)}`;
  const text = JSON.stringify({ type: 'text', hash: hexDigest(large), text: large });
  const content = `${START}\n${text}\n${ROOT.replace('"p"', `{"$text":"${hexDigest(large)}"}`)}\n`;
  for (let size = START.length + 1; size <= content.length; size += 1) {
    const head = content.slice(0, size);
    const bundle = readTrace(head);

    expect(bundle.events).toHaveLength(size === content.length ? 2 : 1);
    expect(bundle.warning).toBe(head.endsWith('\n') ? '' : TORN);
  }
});

test('the digest is what everybody computes', async () => {
  const encoder = new TextEncoder();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 300 }), async text => {
      expect(sha256(text)).toEqual(await digested(encoder.encode(text)));
    })
  );
  expect(base64Digest('rlm')).toBe(btoa(String.fromCharCode(...(await digested(encoder.encode('rlm'))))));
  expect(hexDigest('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a lone surrogate is digested as the bytes that Python writes for it', async () => {
  const written = Uint8Array.of(0x61, 0xed, 0xa0, 0xbd, 0x62, 0xf0, 0x9f, 0xa7, 0xaa);

  expect(sha256('a\ud83db🧪')).toEqual(await digested(written));
});

describe('a file written here', () => {
  test.each(NAMES)('has the events of the golden trace %s', name => {
    const { events } = readTrace(goldenFile(name));

    expect(readTrace(toJsonl(events)).events).toEqual(events);
  });

  test('does not say what a notebook had shortened', () => {
    const events = decodeEvents(threeTurns().events.map(event => ({ ...event, cut: 2 })));

    expect(toJsonl(events)).not.toContain('"cut"');
    expect(readTrace(toJsonl(events)).cutTexts).toBe(0);
  });

  test('takes any settings there and back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('$text', '$', '$$a', 'a'), fc.jsonValue()), settings => {
        const [first] = decodeEvents([{ ...JSON.parse(START), settings }]);
        const [read] = readTrace(toJsonl(first ? [first] : [])).events;

        expect(read?.source['settings']).toEqual(JSON.parse(JSON.stringify(settings)));
      })
    );
  });
});

test('fifty thousand calls are read in a moment', { timeout: 60_000 }, () => {
  const long = 'a prompt that is long '.repeat(60);
  const lines = [START, ROOT, JSON.stringify({ type: 'text', hash: hexDigest(long), text: long })];
  for (let number = 1; number <= 50_000; number += 1) {
    const id = `0.1.${String(number)}`;
    lines.push(
      `{"type":"call_started","seq":${String(number)},"t":1.5,"call_id":"${id}","kind":"llm","depth":1,"model":"m","prompt":{"$text":"${hexDigest(long)}"},"batch":{"id":"0.1.1","index":${String(number)},"size":50000},"site":{"block":1,"line":1,"code":"x"}}`,
      `{"type":"model_replied","seq":${String(number)},"call_id":"${id}","turn":1,"text":"done","model":"m","mode":"live","seconds":1,"request_hash":"","usage":{"requests":1,"input_tokens":3,"output_tokens":4,"cost":0.1}}`,
      `{"type":"call_finished","seq":${String(number)},"call_id":"${id}","status":"finished","how":"reply"}`
    );
  }
  const text = `${lines.join('\n')}\n`;
  const before = performance.now();

  expect(readTrace(text).events).toHaveLength(150_002);
  // About a second on a slow machine; a reader with a square in it would take minutes.
  expect(performance.now() - before).toBeLessThan(15_000);
});
