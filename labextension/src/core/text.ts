/* eslint-disable no-control-regex -- control characters are what is looked for here */
/** Text as it is shown: with nothing hidden in it, the same rules as `rlm_kernel/text.py`. */

// C0 and C1 controls but tab and newline; zero-width, bidirectional and tag characters; line separators; lone
// surrogates.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e007f}]/gu;
const ANSI = /\u001b\[[0-9;:?]*[A-Za-z]/g;
const LINES = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;
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

/** The first line that says something, made visible and cut to `limit` characters. */
export function firstLine(text: string, limit = 90): string {
  // Far more than is shown, and still little of a text of ten megabytes.
  const told = text
    .slice(0, 20_000)
    .split(LINES)
    .map(part => part.trim())
    .filter(part => !DECORATION.test(part));
  const first = told.find(part => !FENCE.test(part)) ?? text.slice(0, limit + 1).trim();
  return shorten(visible(first.slice(0, limit + 1)), limit);
}

/** The text, or its beginning with an ellipsis. Never splits a pair of surrogates. */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) {
    return text;
  }
  const head = text.slice(0, limit - 1);
  return `${/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head}…`;
}
