import { describe, expect, test } from 'vitest';

import { runFile } from '../../src/core/export/files';
import type { FileKind } from '../../src/core/export/files';
import { RunStore } from '../../src/core/model/store';
import type { Link } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { readTrace } from '../../src/core/trace/file';
import { goldenFile } from '../golden';
import { threeTurns } from './story';

const viewer = () => Promise.resolve({ script: '"draw";', style: '' });
const KINDS: readonly FileKind[] = ['jsonl', 'html', 'notebook'];

function shortened(): RunStore {
  const events = threeTurns().events.map((event, at) => (at === 1 ? { ...event, cut: 2 } : event));
  return RunStore.fromBundle(decodeBundle({ run: 'papers-1', events, cut_texts: 2, omitted_calls: 1 }));
}

function linked(file: () => Promise<string>): RunStore {
  const nothing = () => Promise.resolve();
  const none = () => Promise.resolve([]);
  const more = { whole: none, file, derive: none, decide: nothing };
  const link: Link = { stop: nothing, answerNow: nothing, tryNow: nothing, ...more };
  const store = shortened();
  store.link = link;
  return store;
}

test('a run that is all here is a file of its name', async () => {
  const store = RunStore.fromBundle(readTrace(goldenFile('batch')));
  const files = await Promise.all(KINDS.map(kind => runFile(store, kind, viewer)));

  expect(files.map(file => file.name)).toEqual(['papers-1.rlm.jsonl', 'papers-1.html', 'papers-1.ipynb']);
  expect(files.map(file => file.missing)).toEqual(KINDS.map(() => ({ texts: 0, calls: 0 })));
  expect(readTrace(files[0]?.content ?? '').events).toEqual(store.events);
  expect(files[1]?.content).toContain('<script>"draw";</script>');
  expect(JSON.parse(files[2]?.content ?? '')).toMatchObject({ nbformat: 4 });
});

test('a run that a notebook keeps short says so in the name of the file', async () => {
  const file = await runFile(shortened(), 'jsonl', viewer);

  expect(file.name).toBe('papers-1-partial.rlm.jsonl');
  expect(file.missing).toEqual({ texts: 2, calls: 1 });
});

describe('the kernel that holds the run', () => {
  test('is asked for what is not here', async () => {
    const file = await runFile(
      linked(() => Promise.resolve(goldenFile('batch'))),
      'jsonl',
      viewer
    );

    expect(file.name).toBe('papers-1.rlm.jsonl');
    expect(readTrace(file.content).events).toEqual(readTrace(goldenFile('batch')).events);
  });

  test('may be gone: then the file is partial', async () => {
    const file = await runFile(
      linked(() => Promise.reject(new Error('gone'))),
      'html',
      viewer
    );

    expect(file.name).toBe('papers-1-partial.html');
  });
});

test('a page needs its viewer', async () => {
  const file = runFile(shortened(), 'html', () => Promise.reject(new Error('not to be had')));

  await expect(file).rejects.toThrow('not to be had');
});

test.each([
  ['../../etc/pass\u202ewd', 'etc-pass-wd.ipynb'],
  ['<script>', 'script-.ipynb'],
  ['論文 1', '論文-1.ipynb'],
  ['', 'run.ipynb'],
  ['a'.repeat(500), `${'a'.repeat(80)}.ipynb`]
])('a run called %j becomes the file %s', async (id, name) => {
  const store = RunStore.fromBundle(decodeBundle({ run: id, events: [] }));

  expect((await runFile(store, 'notebook', viewer)).name).toBe(name);
});
