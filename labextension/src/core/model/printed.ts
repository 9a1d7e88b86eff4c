/** What of a printed text went back to the model: the same cut as `rlm_kernel/engine/prompts.py` makes. */

import { indexAfter, lengthOf } from './sent';

/** A stretch of a text: seen by the model, left out for it, or a note that stands for text that is not here. */
export interface Part {
  readonly kind: 'seen' | 'left out' | 'note';
  readonly text: string;
}

// One line by itself, as prompts and the record write it.
const NOTE = /^… [0-9,]{1,20} (?:characters|bytes) left out …$/gm;
const MOST_NOTES = 20;

/**
 * The parts of a printed text, given how many characters of it go to the model; null for a text of which that is
 * not known, as one that is shortened here.
 */
export function printedParts(text: string, limit: number | null): Part[] {
  const all = lengthOf(text.slice(0, withoutNewlines(text)));
  if (limit === null || all <= limit) {
    return notedParts(text, 'seen');
  }
  const half = Math.floor(limit / 2);
  const head = indexAfter(text, half);
  const tail = indexAfter(text, all - 2 * half, head);
  return [
    ...notedParts(text.slice(0, head), 'seen'),
    ...notedParts(text.slice(head, tail), 'left out'),
    ...notedParts(text.slice(tail), 'seen')
  ];
}

/** The text with its notes of what is left out told apart. */
export function notedParts(text: string, kind: Part['kind'] = 'seen'): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const found of text.matchAll(NOTE)) {
    if (parts.length >= 2 * MOST_NOTES) {
      break;
    }
    if (found.index > at) {
      parts.push({ kind, text: text.slice(at, found.index) });
    }
    parts.push({ kind: 'note', text: found[0] });
    at = found.index + found[0].length;
    // The line's own end says nothing once the note stands by itself.
    at += text[at] === '\n' ? 1 : 0;
  }
  if (at < text.length) {
    parts.push({ kind, text: text.slice(at) });
  }
  return parts;
}

// By hand: the pattern that says the same takes quadratic time on a text of newlines.
function withoutNewlines(text: string): number {
  let end = text.length;
  while (text[end - 1] === '\n') {
    end -= 1;
  }
  return end;
}
