/** A run as a `.rlm.jsonl` file, which `rlm_kernel.load` and `readTrace` open. */

import { isFields } from '../trace/read';
import type { Fields, TraceEvent } from '../trace/wire';

/** The events as they came, one a line. Long texts stand in them: a reader takes both ways. */
export function toJsonl(events: readonly TraceEvent[]): string {
  return events.map(event => `${JSON.stringify(line(event.source))}\n`).join('');
}

function line(source: Fields): Fields {
  // How many of its texts are shortened is said of what a notebook holds, not of a file.
  return escaped(Object.fromEntries(Object.entries(source).filter(([key]) => key !== 'cut')));
}

// In a file a key that begins with `$` is the file's own; one of the data gets another in front.
function escaped(from: Fields): Fields {
  return Object.fromEntries(
    Object.entries(from).map(([key, value]) => [key.startsWith('$') ? `$${key}` : key, plain(value)])
  );
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  return isFields(value) ? escaped(value) : value;
}
