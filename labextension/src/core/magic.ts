/** The MIME type JupyterLab edits Markdown cells with; CodeMirror colours it as prose. */
export const PROSE = 'text/x-ipythongfm';

// IPython drops blank lines and the indentation above a cell magic, and reads `%%rlm?` as a request for help.
const MAGIC = /^\s*%%rlm(?=\s|$)/;

// The one command whose body is code again.
const CODE = /^\s*%%rlm[ \t]+fork[ \t](?:[^\n]*[ \t])?--code(?=\s|$)/;

/** Whether a cell with this source is run by `%%rlm`, so that its body is, for all but one command, a text. */
export function startsWithMagic(source: string): boolean {
  return MAGIC.test(source);
}

/** The MIME type a code cell is to be edited with, given the one it has and the one of the notebook's language. */
export function cellMimeType(cell: { source: string; current: string; code: string }): string {
  if (startsWithMagic(cell.source) && !CODE.test(cell.source)) {
    return PROSE;
  }
  // Any other type was set by someone else, and is theirs to change.
  return cell.current === PROSE ? cell.code : cell.current;
}
