/** Texts of a model inside Markdown: as code, which nothing in them can end, as `rlm_kernel/views/markdown.py` does. */

import { visible } from '../text';

/** The text as a block of its own, fenced by more backticks than it has in a row. */
export function fenced(text: string): string {
  const shown = visible(text).replace(/\n+$/, '');
  const fence = '`'.repeat(Math.max(3, longest(shown) + 1));
  return `${fence}text\n${shown}\n${fence}`;
}

/** A line of text as code inside a sentence; a dash for an empty one. */
export function span(text: string): string {
  const shown = visible(text).replaceAll('\n', ' ');
  if (/^ *$/.test(shown)) {
    return '—';
  }
  const fence = '`'.repeat(longest(shown) + 1);
  const pad = /^[` ]|[` ]$/.test(shown) ? ' ' : '';
  return `${fence}${pad}${shown}${pad}${fence}`;
}

function longest(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((most, found) => Math.max(most, found.length), 0);
}
