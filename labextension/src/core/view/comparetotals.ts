/** The head of two runs side by side: what they are and took, and by how much the right one took more. */

import { MARKS, statusWord, thousands, ticking } from '../format';
import { seconds } from '../export/summary';
import { editTold, originTold, readEdit } from '../model/edit';
import { costDelta, costTold, delta, runFigures, timeDelta, tokenDelta, tokensTold } from '../model/figures';
import { DIFFERS, repliesTold, runLabel } from '../model/provenance';
import type { RunStore } from '../model/store';
import { firstLine, visible } from '../text';
import type { Words } from '../words';
import type { Section } from './detail/section';
import { h, setText } from './dom';

const NAME = 80;

/** The runs at a glance: which they are, how they stand, and what they took. */
export function totalsSection(left: RunStore, right: RunStore, words: Words): Section {
  const lines = totals(left, right, words);
  return {
    key: 'runs',
    sign: JSON.stringify(lines.map(([name]) => name)),
    draw: () =>
      h(
        'table',
        { class: 'rlm-compare-runs' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('td'),
            ...[words.__('Left'), words.__('Right'), words.__('Difference')].map(columnHead)
          )
        ),
        h(
          'tbody',
          {},
          ...lines.map(([name, ...cells]) =>
            h('tr', {}, h('th', { attrs: { scope: 'row' } }, name), ...cells.map(text => h('td', {}, text)))
          )
        )
      ),
    refresh: node => {
      node.querySelectorAll('tbody tr').forEach((line, row) => {
        line.querySelectorAll('td').forEach((cell, at) => {
          setText(cell, lines[row]?.[at + 1] ?? '');
        });
      });
    }
  };
}

/** What the runs are and took: a name, left, right, by how much the right one took more. */
function totals(
  left: RunStore,
  right: RunStore,
  words: Words
): (readonly [string, string, string, string])[] {
  const [mine, theirs] = [runFigures(left), runFigures(right)];
  const more = delta(mine, theirs);
  const both = (name: string, told: (store: RunStore) => string) =>
    [name, told(left), told(right), ''] as const;
  return [
    both(words.__('Run'), ({ id }) => visible(firstLine(id, NAME))),
    both(words.__('Made'), store => madeTold(store, words)),
    both(words.__('Status'), ({ status }) => `${MARKS[status]} ${statusWord(status, words)}`),
    both(words.__('Replies'), store => repliesOf(store, words)),
    both(words.__('Source'), ({ tree }) => runLabel(tree, words)),
    [
      words.__('Tokens'),
      tokensTold(mine, words),
      tokensTold(theirs, words),
      tokenDelta(more, words)
    ] as const,
    [words.__('Cost'), costTold(mine, words), costTold(theirs, words), costDelta(more, words)] as const,
    [words.__('Time'), timeTold(left), timeTold(right), timeDelta(more, words)] as const
  ].filter(([, ...cells]) => cells.some(Boolean));
}

function madeTold({ tree: { run } }: RunStore, words: Words): string {
  const origin = run?.origin;
  if (!origin) {
    return '';
  }
  const changed = editTold(readEdit(origin.edit), words);
  const told = originTold(origin, visible(firstLine(origin.run, NAME)), words);
  return changed ? `${told}: ${changed}` : told;
}

function repliesOf({ tree }: RunStore, words: Words): string {
  const differing = words._n(
    '%2 %3 step differs from the record',
    '%2 %3 steps differ from the record',
    tree.differing,
    DIFFERS,
    thousands(tree.differing)
  );
  return [repliesTold(tree, words), tree.differing ? differing : ''].filter(Boolean).join(' · ');
}

function timeTold({ live, now, tree }: RunStore): string {
  return live ? ticking(now) : seconds(tree.seconds);
}

/** The head of a column. */
export function columnHead(name: string): HTMLElement {
  return h('th', { attrs: { scope: 'col' } }, name);
}
