/** Two texts in one: what is gone struck through, what is new underlined, long stretches of the same left out. */

import { thousands } from '../../format';
import { lengthOf } from '../../model/sent';
import { isDifferent, wordDiff } from '../../model/worddiff';
import type { Piece } from '../../model/worddiff';
import { shorten, visible } from '../../text';
import type { Words } from '../../words';
import { h } from '../dom';

/** How much of the same is shown beside a change. */
const NEAR = 160;
const MOST_PIECES = 2_000;
const MOST_CHARS = 20_000;

/** The difference, or a sentence where there is none. */
export function diffBody(before: string, after: string, words: Words): HTMLElement {
  const pieces = wordDiff(before, after);
  if (before === after) {
    return h('p', { class: 'rlm-detail-remark' }, words.__('The same text.'));
  }
  const shown = pieces.slice(0, MOST_PIECES);
  const left = pieces.length - shown.length;
  return h(
    'div',
    { class: 'rlm-diff' },
    !isDifferent(pieces) && h('p', { class: 'rlm-detail-remark' }, words.__('Only white space differs.')),
    h(
      'pre',
      { class: 'rlm-detail-pre', attrs: { tabindex: -1 } },
      ...shown.flatMap((piece, at) => drawn(piece, at, shown, words))
    ),
    left > 0 && h('p', { class: 'rlm-detail-remark' }, words.__('… and %1 more pieces', thousands(left)))
  );
}

/** The two texts beside each other, in each what the other has not is marked. `names` says whose they are. */
export function sidesBody(
  before: string,
  after: string,
  names: readonly [string, string],
  words: Words
): HTMLElement {
  const pieces = wordDiff(before, after);
  return h(
    'div',
    { class: 'rlm-diff rlm-sides' },
    side(names[0], before && pieces.filter(({ kind }) => kind !== 'added'), words),
    side(names[1], after && pieces.filter(({ kind }) => kind !== 'removed'), words)
  );
}

function side(name: string, pieces: readonly Piece[] | '', words: Words): HTMLElement {
  const left = pieces.length - MOST_PIECES;
  return h(
    'div',
    { class: 'rlm-side' },
    h('div', { class: 'rlm-detail-size' }, name),
    pieces === ''
      ? h('p', { class: 'rlm-detail-empty' }, words.__('nothing'))
      : h(
          'pre',
          { class: 'rlm-detail-pre', attrs: { tabindex: -1 } },
          ...pieces.slice(0, MOST_PIECES).flatMap((piece, at, all) => drawn(piece, at, all, words))
        ),
    left > 0 && h('p', { class: 'rlm-detail-remark' }, words.__('… and %1 more pieces', thousands(left)))
  );
}

function drawn({ kind, text }: Piece, at: number, all: readonly Piece[], words: Words): (Node | string)[] {
  switch (kind) {
    case 'same':
      return same(text, at > 0, at < all.length - 1, words);
    case 'removed':
      return [h('del', { class: 'rlm-diff-old' }, said(words.__('removed: '), text))];
    case 'added':
      return [
        // A line may end between what was and what is, before it has to end inside a word.
        ...(all[at - 1]?.kind === 'removed' ? [h('wbr')] : []),
        h('ins', { class: 'rlm-diff-new' }, said(words.__('added: '), text))
      ];
  }
}

function said(what: string, text: string): DocumentFragment {
  const out = document.createDocumentFragment();
  out.append(h('span', { class: 'rlm-unseen' }, what), visible(shorten(text, MOST_CHARS)));
  return out;
}

function same(text: string, after: boolean, before: boolean, words: Words): (Node | string)[] {
  const head = after ? NEAR : 0;
  const tail = before ? NEAR : 0;
  if (text.length <= head + tail + NEAR) {
    return [visible(text)];
  }
  const start = shorten(text, head + 1).slice(0, head);
  const end = tail ? text.slice(text.length - tail).replace(/^[\udc00-\udfff]/, '') : '';
  const left = lengthOf(text) - lengthOf(start) - lengthOf(end);
  return [
    visible(start),
    h('span', { class: 'rlm-diff-left' }, words.__(' … %1 characters are the same … ', thousands(left))),
    visible(end)
  ];
}
