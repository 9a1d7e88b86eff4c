/** Python code as lines of coloured words. Only names of classes come from the highlighter; the words are text nodes. */

import { classHighlighter, highlightCode } from '@lezer/highlight';
import { parser } from '@lezer/python';

export interface Word {
  readonly text: string;
  /** What kind of word it is, as `tok-…` classes; empty for an ordinary one. */
  readonly classes: string;
}

/** Code beyond this is shown without colours. */
export const MOST_CODE = 100_000;

/** The lines of the code, coloured where that is quickly done. */
export function codeLines(code: string): Word[][] {
  if (code.length > MOST_CODE) {
    return code.split('\n').map(text => [{ text, classes: '' }]);
  }
  const lines: Word[][] = [[]];
  highlightCode(
    code,
    parser.parse(code),
    classHighlighter,
    (text, classes) => lines.at(-1)?.push({ text, classes }),
    () => lines.push([])
  );
  return lines;
}
