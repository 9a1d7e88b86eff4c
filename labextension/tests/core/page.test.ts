import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { toPage } from '../../src/core/export/page';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { readTrace } from '../../src/core/trace/file';
import { base64Digest } from '../../src/core/trace/sha256';
import { NAMES, goldenFile } from '../golden';
import { threeTurns } from './story';

const FOLDER = fileURLToPath(new URL('../../../tests/trace/golden/', import.meta.url));
const VIEWER = { script: '"draw";', style: 'body { margin: 0 }' };
const TWIN = /<noscript>.*<\/noscript>/s;
const TRACE = /(?<=<script type="application\/json" id="rlm-trace">).*(?=<\/script>\n<script>)/s;

function page(text: string): string {
  return toPage(RunStore.fromBundle(readTrace(text)), VIEWER);
}

function traceIn(html: string): Record<string, unknown> {
  return JSON.parse(TRACE.exec(html)?.[0] ?? '') as Record<string, unknown>;
}

test.each(NAMES)('the page of %s is the one that Python makes, but for its static tree', name => {
  const [ours, theirs] = [page(goldenFile(name)), readFileSync(`${FOLDER}${name}.html`, 'utf-8')];
  const rest = (html: string) => html.replace(TWIN, '').replace(TRACE, '');

  expect(rest(ours)).toBe(rest(theirs));
  expect(traceIn(ours)).toEqual({ ...traceIn(theirs), path: '' });
  expect(TWIN.test(ours)).toBe(true);
});

test.each(NAMES)('the page of %s has the whole run', name => {
  const bundle = decodeBundle(traceIn(page(goldenFile(name))));

  expect(bundle.events).toEqual(readTrace(goldenFile(name)).events);
});

test('nothing in a run can end the element it is in', () => {
  const html = page(goldenFile('rich'));
  const inside = TRACE.exec(html)?.[0] ?? '';

  expect(inside).not.toMatch(/[<\u2028\u2029]/);
  expect(html.match(/<script/g)).toHaveLength(2);
  expect(html.match(/<img/g)).toBeNull();
});

test('one script may run and nothing may be loaded', () => {
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page(goldenFile('rich')))?.[1];

  expect(policy).toBe(
    `default-src 'none'; script-src 'sha256-${base64Digest(VIEWER.script)}'; style-src 'unsafe-inline'; ` +
      "img-src data:; base-uri 'none'; form-action 'none'"
  );
});

test('without scripts the question and the answer are there, and where the answer is from', () => {
  const twin = TWIN.exec(page(goldenFile('rich')))?.[0] ?? '';

  expect(twin).toContain('<b>Question</b> # Which?<br>&lt;/script&gt;&lt;img');
  expect(twin).toContain('<b>Answer</b> <i>(demo rules, not a language model)</i> &lt;/script&gt;');
  expect(TWIN.exec(page(goldenFile('error')))?.[0]).toContain(
    '<b>Error</b> ServerUnreachable: no connection'
  );
});

test('a page says what a notebook had left out of its run', () => {
  const events = threeTurns().events.map((event, at) => (at === 3 ? { ...event, cut: 2 } : event));
  const store = RunStore.fromBundle(decodeBundle({ events, omitted_calls: 3 }));

  expect(traceIn(toPage(store, VIEWER))).toMatchObject({ cut_texts: 2, omitted_calls: 3 });
});
