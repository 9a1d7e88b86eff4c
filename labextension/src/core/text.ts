/* eslint-disable no-control-regex -- control characters are what is looked for here */
/** Text as it is shown: with nothing hidden in it, the same rules as `rlm_kernel/text.py`. */

// C0 and C1 controls but tab and newline; zero-width, bidirectional and tag characters; line separators; lone
// surrogates.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e007f}]/gu;
const ANSI = /\u001b\[[0-9;:?]*[A-Za-z]/g;
// What Python takes for a line's end and for white space; a browser's `trim` takes other characters.
const LINE = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;
export const SPACE = '[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const BEFORE = new RegExp(`^${SPACE}+`);
const AFTER = new RegExp(`${SPACE}+$`);
const CRLF = /\r\n/g;
const FENCE = /^(?:```|~~~)/;
const DECORATION = /^[ \t`#*\-=]*$/;

/** The text with every character that hides or reorders others spelt out, so that what is read is what is there. */
export function visible(text: string): string {
  return text.replace(UNSEEN, found => {
    const code = found.codePointAt(0) ?? 0;
    return code > 0xffff
      ? `\\U${code.toString(16).padStart(8, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** What a program wrote to a terminal, as readable text: without colour codes, line ends as newlines. */
export function plain(text: string): string {
  return visible(text.replace(ANSI, '').replace(CRLF, '\n'));
}

/** The first line that says something, made visible and cut to `limit` characters, as Python counts them. */
export function firstLine(text: string, limit = 90): string {
  let fallback = '';
  for (const part of lines(text)) {
    const told = strip(part);
    fallback ||= told;
    if (!DECORATION.test(part) && !FENCE.test(told)) {
      fallback = told;
      break;
    }
  }
  const first = visible(head(fallback, limit + 1));
  return chars(first) <= limit ? first : `${head(first, limit - 1)}…`;
}

/** The text without white space around it, as Python strips it. */
export function strip(text: string): string {
  return text.replace(BEFORE, '').replace(AFTER, '');
}

/** The text, or its beginning with an ellipsis. Never splits a pair of surrogates. */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) {
    return text;
  }
  const head = text.slice(0, limit - 1);
  return `${/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head}…`;
}

function* lines(text: string): Generator<string> {
  let start = 0;
  for (const end of text.matchAll(LINE)) {
    yield text.slice(start, end.index);
    start = end.index + end[0].length;
  }
  yield text.slice(start);
}

function chars(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

function head(text: string, limit: number): string {
  return Array.from(text.slice(0, 2 * limit))
    .slice(0, limit)
    .join('');
}
