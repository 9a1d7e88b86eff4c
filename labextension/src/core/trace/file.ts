/**
 * A `.rlm.jsonl` file: one JSON object a line, long texts once under their hash. The same rules as
 * `rlm_kernel/trace/reader.py`, so that a file opens in both as the same run, or in neither.
 */

import { decodeEvent } from './decode';
import { DecodeError } from './read';
import { hexDigest } from './sha256';
import type { Bundle, TraceEvent } from './wire';

export const SUFFIX = '.rlm.jsonl';

const TEXT_KEY = '$text';
const TORN = 'the last line was cut off while it was written and is left out';
// As Python's reader has it. Nothing of ours is deeper than ten.
const DEEPEST = 100;
const MOST_BAD = 10_000;
const NAMED = 3;

/**
 * The trace in a file. A torn last line, as a crash leaves it, a damaged line and a missing event are told in `warning`.
 * Throws `DecodeError` for what does not begin with a run, and for what a newer version wrote; its message names the line.
 */
export function readTrace(text: string): Bundle {
  const reader = new Reader();
  let start = 0;
  // Only a newline ends a line, and what follows the last one is torn.
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    reader.line(text.slice(start, end));
    start = end + 1;
  }
  const { events } = reader;
  const first = events[0];
  if (first?.type !== 'run_started') {
    throw new DecodeError('this is not a trace: it does not begin with a run');
  }
  return {
    run: first.runId,
    live: false,
    events,
    path: '',
    warning: [start < text.length ? TORN : '', ...reader.warnings()].filter(Boolean).join('; '),
    cutTexts: events.reduce((sum, event) => sum + event.cut, 0),
    omittedCalls: 0
  };
}

type Json = Record<string, unknown>;

class Reader {
  readonly events: TraceEvent[] = [];
  private readonly texts = new Map<string, string>();
  private readonly bad: number[] = [];
  private number = 0;
  private good = 0;
  private counted = 0;
  private last = -1;
  private disordered = false;
  private unknown = 0;

  line(line: string): void {
    this.number += 1;
    try {
      this.take(parsed(line));
      this.good = this.number;
    } catch (error) {
      if (!(error instanceof DecodeError)) {
        throw error;
      }
      if (error.newer || this.events.length === 0) {
        throw new DecodeError(`line ${String(this.number)}: ${error.message}`, error.newer);
      }
      this.bad.push(this.number);
      if (this.bad.length > MOST_BAD) {
        throw new DecodeError(
          `line ${String(this.number)} and 10,000 before it cannot be read: this is no trace`
        );
      }
    }
  }

  /** What is wrong with the lines, in sentences. */
  warnings(): string[] {
    const missing = this.last + 1 - this.counted - this.bad.length;
    return [
      this.bad.length ? this.told() : '',
      missing > 0
        ? `${count(missing, 'event')} of the run ${missing === 1 ? 'is' : 'are'} not in the file`
        : '',
      this.disordered ? 'the events are not in the order in which they were recorded' : '',
      this.unknown
        ? `${count(this.unknown, 'event')} of a kind that this version does not know ${this.unknown === 1 ? 'is' : 'are'} left out`
        : ''
    ];
  }

  private told(): string {
    const { bad, good } = this;
    const [lines, are] = [count(bad.length, 'line'), bad.length === 1 ? 'is' : 'are'];
    if (bad.every(number => number > good)) {
      return `the last ${lines} cannot be read, as after a power cut, and ${are} left out`;
    }
    const named = bad.slice(0, NAMED).join(', ') + (bad.length > NAMED ? ', …' : '');
    return `${lines} cannot be read (${named}) and ${are} left out: steps may be missing or look unfinished`;
  }

  private countIn(seq: unknown): void {
    if (typeof seq === 'number' && Number.isInteger(seq) && seq >= 0) {
      this.counted += 1;
      this.disordered ||= seq <= this.last;
      this.last = Math.max(this.last, seq);
    }
  }

  private take(data: Json): void {
    if (data['type'] === 'text') {
      this.keep(data);
      return;
    }
    const event = decodeEvent(this.object(data, 0));
    this.countIn(data['seq']);
    if (event) {
      if ((event.type === 'run_started') !== (this.events.length === 0)) {
        throw new DecodeError(
          event.type === 'run_started' ? 'it begins a run again' : 'it does not begin a run'
        );
      }
      this.events.push(event);
    } else {
      this.unknown += 1;
    }
  }

  private keep(data: Json): void {
    const { hash, text } = data;
    if (typeof hash !== 'string' || typeof text !== 'string' || hash !== hexDigest(text)) {
      throw new DecodeError('it is not the text of its hash');
    }
    this.texts.set(hash, text);
  }

  private resolve(value: unknown, depth: number): unknown {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw new DecodeError('it has a number that is not finite');
    }
    if (typeof value !== 'object' || value === null) {
      return value;
    }
    if (depth > DEEPEST) {
      throw new DecodeError('it is nested too deeply');
    }
    if (Array.isArray(value)) {
      return value.map(item => this.resolve(item, depth + 1));
    }
    if (!isJson(value)) {
      return value;
    }
    return TEXT_KEY in value ? this.text(value[TEXT_KEY]) : this.object(value, depth);
  }

  // In place where it can be: most lines have nothing to resolve, and there may be hundreds of thousands.
  private object(from: Json, depth: number): Json {
    const keys = Object.keys(from);
    for (const key of keys) {
      const value = from[key];
      const resolved = this.resolve(value, depth + 1);
      if (resolved !== value) {
        from[key] = resolved;
      }
    }
    // Not by assignment: `$__proto__` must become a key like any other.
    return keys.some(key => key.startsWith('$'))
      ? Object.fromEntries(keys.map(key => [key.startsWith('$') ? key.slice(1) : key, from[key]]))
      : from;
  }

  private text(hash: unknown): string {
    const found = typeof hash === 'string' ? this.texts.get(hash) : undefined;
    if (found === undefined) {
      throw new DecodeError('a text that it refers to is missing');
    }
    return found;
  }
}

function count(number: number, what: string): string {
  return `${number.toLocaleString('en-US')} ${what}${number === 1 ? '' : 's'}`;
}

function parsed(line: string): Json {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) {
      throw new DecodeError('it is not JSON');
    }
    throw error;
  }
  if (!isJson(data)) {
    throw new DecodeError('it is not a JSON object');
  }
  return data;
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
