// @vitest-environment jsdom
import { describe, expect, test } from 'vitest';

import { toNotebook } from '../../src/core/export/notebook';
import { toPage } from '../../src/core/export/page';
import { RunStore } from '../../src/core/model/store';
import { decodeBundle } from '../../src/core/trace/decode';
import { find, showSaved } from './page';
import { CARD, Story, threeTurns } from './story';
import type { Json } from './story';

const WARNING = "isolation: inline – no protection: the model's code ran in this process";

function obtained(more: Json): Story {
  const story = threeTurns();
  Object.assign(story.events[0] ?? {}, more);
  return story;
}

function stored(story: Story): RunStore {
  return RunStore.fromBundle(decodeBundle({ run: 'papers-1', events: story.events }));
}

describe('the head of a run', () => {
  test('says quietly how its code was kept apart, and why not better', () => {
    const { view } = showSaved(obtained({ isolation_why: 'this kernel has no landlock' }));
    const label = find(view.node, '.rlm-head .rlm-isolation');
    expect(label.textContent).toBe('isolation: worker');
    expect(label.title).toBe('this kernel has no landlock');
    expect(label.dataset['unprotected']).toBeUndefined();
    view.dispose();
  });

  test('warns where it was not kept apart at all', () => {
    const { view } = showSaved(obtained({ isolation: 'inline' }));
    const label = find(view.node, '.rlm-head .rlm-isolation');
    expect(label.textContent).toBe(`⚠ ${WARNING}`);
    expect(label.dataset['unprotected']).toBe('');
    view.dispose();
  });

  test('has no place for it before the run has begun', () => {
    const { view } = showSaved(obtained({ isolation: '' }));
    expect(find(view.node, '.rlm-head .rlm-isolation').hidden).toBe(true);
    view.dispose();
  });
});

test('what is exported warns too', () => {
  const inline = stored(obtained({ isolation: 'inline' }));
  expect(toNotebook(inline)).toContain(`**⚠ ${WARNING}**`);
  expect(toPage(inline, { script: '', style: '' })).toContain('no protection');
  expect(toNotebook(stored(threeTurns()))).not.toContain('no protection');
  expect(toPage(stored(threeTurns()), { script: '', style: '' })).not.toContain('no protection');
});

test.each([
  ['inline', 'the very object'],
  ['guarded', 'a copy of']
])('a notebook of code that ran %s calls the context %s', (isolation, what) => {
  const story = new Story().rlm('0', 'What?', { context: CARD }).end();
  Object.assign(story.events[0] ?? {}, { isolation });
  expect(toNotebook(stored(story))).toContain(`${what} \`papers\``);
});
