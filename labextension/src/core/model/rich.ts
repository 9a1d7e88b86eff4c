/** The rich outputs of a block, checked: an image that is one, a table of texts, or only the size of anything else. */

import { isFields } from '../trace/read';
import type { RichOutput } from '../trace/wire';

export const TABLE = 'application/vnd.rlm.table+json';

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly index: readonly string[] | null;
  readonly totalRows: number;
  readonly totalColumns: number;
}

export type Rich =
  | { readonly kind: 'image'; readonly url: string }
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'other'; readonly mime: string; readonly chars: number };

const MOST_CHARS = 4_000_000;
const MOST_ROWS = 1_000;
const MOST_COLUMNS = 100;
// A picture far larger than its file would take the page's memory when it is drawn.
const MOST_PIXELS = 64_000_000;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const SIGNATURES: Readonly<Record<string, string>> = {
  'image/png': '\x89PNG\r\n\x1a\n',
  'image/jpeg': '\xff\xd8\xff'
};

/** The best shape of an output. */
export function decodeRich(output: RichOutput): Rich {
  for (const [mime, text] of Object.entries(output.data)) {
    if (Object.hasOwn(SIGNATURES, mime) && isImage(mime, text)) {
      return { kind: 'image', url: `data:${mime};base64,${text}` };
    }
    const table = mime === TABLE ? decodeTable(text) : null;
    if (table) {
      return { kind: 'table', table };
    }
  }
  const [mime = '', text = ''] = Object.entries(output.data)[0] ?? [];
  return { kind: 'other', mime, chars: text.length };
}

function isImage(mime: string, text: string): boolean {
  if (!text || text.length > MOST_CHARS || text.length % 4 !== 0 || !BASE64.test(text)) {
    return false;
  }
  const head = atob(text.slice(0, 64));
  const signature = SIGNATURES[mime];
  return signature !== undefined && head.startsWith(signature) && pixels(mime, head) <= MOST_PIXELS;
}

// The width and height of a PNG stand at a fixed place behind its signature.
function pixels(mime: string, head: string): number {
  if (mime !== 'image/png' || head.length < 24) {
    return mime === 'image/png' ? Infinity : 0;
  }
  const big = (at: number) =>
    [0, 1, 2, 3].reduce((value, offset) => value * 256 + head.charCodeAt(at + offset), 0);
  return big(16) * big(20);
}

/** The table in a text, or null when it is none. */
export function decodeTable(text: string): Table | null {
  const from = parsed(text);
  if (!isFields(from)) {
    return null;
  }
  const columns = texts(from['columns'], MOST_COLUMNS);
  const rows = list(from['rows'], MOST_ROWS)?.map(row => texts(row, MOST_COLUMNS)) ?? null;
  const labels = from['index'] ?? null;
  const index = labels === null ? null : texts(labels, MOST_ROWS);
  if (!columns || !rows || (labels !== null && index?.length !== rows.length)) {
    return null;
  }
  const whole = rows.filter(row => row !== null && row.length === columns.length);
  if (whole.length !== rows.length) {
    return null;
  }
  return {
    columns,
    rows: whole.flatMap(row => (row ? [row] : [])),
    index,
    totalRows: count(from['total_rows'], rows.length),
    totalColumns: count(from['total_columns'], columns.length)
  };
}

function parsed(text: string): unknown {
  if (text.length > MOST_CHARS) {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      return null;
    }
    throw error;
  }
}

function list(value: unknown, most: number): readonly unknown[] | null {
  return Array.isArray(value) && value.length <= most ? value : null;
}

function texts(value: unknown, most: number): string[] | null {
  const items = list(value, most);
  const found = items?.flatMap(item => (typeof item === 'string' ? [item] : [])) ?? null;
  return found?.length === items?.length ? found : null;
}

function count(value: unknown, least: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least ? value : least;
}
