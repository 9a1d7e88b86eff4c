/** How a step, done again, differs from the record that it was done again from. */

import { DIFFERS } from '../../model/provenance';
import { visible } from '../../text';
import type { Divergence } from '../../trace/wire';
import type { Words } from '../../words';
import { h } from '../dom';
import { diffBody } from './diff';
import type { Pane } from './section';

/** Each difference with what was recorded and what was found now, in one. */
export function differences(all: readonly Divergence[], { state: { words } }: Pane): HTMLElement {
  return h(
    'section',
    { class: 'rlm-differences' },
    h('h3', { class: 'rlm-detail-heading rlm-differs' }, words.__('%1 Differs from the record', DIFFERS)),
    ...all.flatMap(({ what, recorded, found }) => [
      h(
        'p',
        { class: 'rlm-detail-remark' },
        h('b', {}, nameOf(what, words)),
        ` ${words.__('recorded, then found now:')}`
      ),
      diffBody(recorded, found, words)
    ])
  );
}

function nameOf(what: string, words: Words): string {
  switch (what) {
    case 'output':
      return words.__('Output');
    case 'error':
      return words.__('Error');
    case 'variables':
      return words.__('Variables');
    case 'sub-calls':
      return words.__('Sub-calls');
    case 'code':
      return words.__('Code');
    case 'prompt':
      return words.__('Prompt');
    case 'reply':
      return words.__('Reply');
    default:
      return visible(what);
  }
}
