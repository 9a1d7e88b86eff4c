/**
 * Two runs side by side: the same places of both (calls and turns, by their path) and what is not the same there. By
 * the rules of `rlm_kernel/views/aligned.py`, so that the page and `run.diff` tell the same.
 */

import { count, errorText, said } from '../export/summary';
import { thousands } from '../format';
import { firstLine } from '../text';
import { isReplayed } from '../trace/call';
import type { Call, Turn } from '../trace/call';
import type { RichOutput, Status } from '../trace/wire';
import { callFigures, turnFigures } from './figures';
import type { Figures } from './figures';
import { decodeRich } from './rich';
import type { RunStore } from './store';
import { codeLine } from './titles';

export const ASPECTS = ['status', 'prompt', 'model', 'reply', 'code', 'output', 'answer', 'error'] as const;
export type Aspect = (typeof ASPECTS)[number];
export const VERDICTS = ['same', 'changed', 'only left', 'only right'] as const;
export type Verdict = (typeof VERDICTS)[number];
export type StepKind = 'rlm' | 'llm' | 'turn';

/** What one aspect of a place was on the left and is on the right. An empty text: nothing. */
export interface Change {
  readonly aspect: Aspect;
  readonly left: string;
  readonly right: string;
}

/** Rows in one, which have the same verdict and nothing more to tell. */
export interface Fold {
  readonly rows: readonly Row[];
  /** From where to where. */
  readonly place: string;
  readonly verdict: Verdict;
}

type Told = Partial<Record<Aspect, string>>;

const TITLE = 60;
const FEW = 3;

/** A place as it is in one of the runs: a call, or a turn of one. */
export class Side {
  private toldNow: Told | null = null;

  constructor(
    readonly call: Call,
    readonly turn: Turn | null
  ) {}

  get kind(): StepKind {
    return this.turn ? 'turn' : this.call.kind;
  }

  get status(): Status {
    const { call, turn } = this;
    if (!turn) {
      return call.status;
    }
    if (!turn.reply || turn.blocks.some(block => !block.executed)) {
      return call.status === 'finished' ? 'cut off' : call.status;
    }
    return turn.failed ? 'failed' : 'finished';
  }

  get figures(): Figures {
    return this.turn ? turnFigures(this.turn) : callFigures(this.call);
  }

  /** Whether it came from a record. */
  get replayed(): boolean {
    const { call, turn } = this;
    return turn ? turn.reply !== null && isReplayed(turn.reply) : call.replayed;
  }

  /** A line that tells it. */
  get title(): string {
    const { call, turn } = this;
    if (!turn) {
      return firstLine(call.prompt, TITLE);
    }
    const code = codeLine(
      turn.blocks.flatMap(({ executed }) => executed?.code ?? []),
      TITLE
    );
    return code || firstLine(turn.reply?.text ?? '', TITLE);
  }

  /** What it says, each aspect as one text. What a call below it says is told there. */
  get told(): Told {
    this.toldNow ??= this.turn ? turnTold(this.turn, this.status) : callTold(this.call);
    return this.toldNow;
  }
}

/** A call (`0.3.2`) or a turn (`0.3`) and what is not the same there. */
export class Row {
  readonly changes: readonly Change[];

  constructor(
    readonly place: string,
    readonly left: Side | null,
    readonly right: Side | null
  ) {
    this.changes = left && right ? changesOf(left, right) : [];
  }

  get kind(): StepKind {
    return (this.right ?? this.left)?.kind ?? 'turn';
  }

  get replayed(): boolean {
    return this.right?.replayed ?? false;
  }

  get verdict(): Verdict {
    if (!this.left) {
      return 'only right';
    }
    if (!this.right) {
      return 'only left';
    }
    return this.changes.length ? 'changed' : 'same';
  }

  /** Its texts where only one run has it. */
  get alone(): readonly Change[] {
    const { left, right } = this;
    if (left && right) {
      return [];
    }
    return ASPECTS.flatMap(aspect => {
      const [mine, theirs] = [left?.told[aspect] ?? '', right?.told[aspect] ?? ''];
      return aspect !== 'status' && (mine || theirs) ? [{ aspect, left: mine, right: theirs }] : [];
    });
  }
}

/** The places of both runs, parents first, in the order of their paths. */
export function align(left: RunStore, right: RunStore): Row[] {
  const [mine, theirs] = [steps(left), steps(right)];
  const places = new Set([...mine.keys(), ...theirs.keys()]);
  return [...places]
    .map(place => ({ place, path: place.split('.').map(Number) }))
    .sort((one, other) => ordered(one.path, other.path))
    .map(({ place }) => new Row(place, mine.get(place) ?? null, theirs.get(place) ?? null));
}

/** The rows, those without anything to tell together: what is the same, and many sub-calls that only one run has. */
export function folded(rows: readonly Row[]): (Row | Fold)[] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last?.[0] && groupOf(last[0]) === groupOf(row)) {
      last.push(row);
    } else {
      groups.push([row]);
    }
  }
  return groups.flatMap((group): readonly (Row | Fold)[] => {
    const verdict = group[0]?.verdict ?? 'same';
    return group.length === 1 || (verdict !== 'same' && group.length <= FEW) ? group : [fold(group, verdict)];
  });
}

/** How many rows have each verdict. */
export function tally(rows: readonly Row[]): ReadonlyMap<Verdict, number> {
  const found = new Map<Verdict, number>();
  for (const { verdict } of rows) {
    found.set(verdict, (found.get(verdict) ?? 0) + 1);
  }
  return found;
}

/** What the runs came to, where one of them has any: answer and error of the left and the right one. */
export function ends(left: RunStore, right: RunStore): readonly Change[] {
  const [mine, theirs] = [left.tree.end, right.tree.end];
  const error = (end: typeof mine) => (end?.error ? errorText(end.error) : '');
  return (
    [
      { aspect: 'answer', left: mine?.answer ?? '', right: theirs?.answer ?? '' },
      { aspect: 'error', left: error(mine), right: error(theirs) }
    ] as const
  ).filter(each => each.left || each.right);
}

// A row that is told by itself has a group of its own.
function groupOf({ place, kind, verdict }: Row): string {
  return verdict === 'changed' || (verdict !== 'same' && kind === 'turn') ? place : verdict;
}

function fold(rows: readonly Row[], verdict: Verdict): Fold {
  return { rows, verdict, place: `${rows[0]?.place ?? ''}…${rows.at(-1)?.place ?? ''}` };
}

function steps({ tree }: RunStore): Map<string, Side> {
  const out = new Map<string, Side>();
  for (const call of tree.calls.values()) {
    out.set(call.id, new Side(call, null));
    // The one turn of a plain request is the request.
    for (const turn of call.kind === 'rlm' ? call.turns : []) {
      out.set(`${call.id}.${String(turn.number)}`, new Side(call, turn));
    }
  }
  return out;
}

function ordered(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < one.length && at < other.length; at += 1) {
    const by = (one[at] ?? 0) - (other[at] ?? 0);
    if (by) {
      return by;
    }
  }
  return one.length - other.length;
}

function changesOf(left: Side, right: Side): Change[] {
  const [mine, theirs] = [left.told, right.told];
  const differing = ASPECTS.filter(aspect => (mine[aspect] ?? '') !== (theirs[aspect] ?? ''));
  const changes: Change[] = differing.map(aspect => ({
    aspect,
    left: mine[aspect] ?? '',
    right: theirs[aspect] ?? ''
  }));
  const [raw, rawNow] = [left.turn?.reply?.text ?? '', right.turn?.reply?.text ?? ''];
  // The fences around the code are other ones, say: what it did is the same, what was said is not.
  const fences = raw !== rawNow && !differing.includes('reply') && !differing.includes('code');
  return fences ? [{ aspect: 'reply', left: raw, right: rawNow }, ...changes] : changes;
}

function callTold(call: Call): Told {
  const own = { status: call.status, prompt: call.prompt, error: call.error ? errorText(call.error) : '' };
  return call.kind === 'llm'
    ? { ...own, reply: call.reply?.text ?? '', model: call.model }
    : { ...own, answer: call.answer ?? '' };
}

function turnTold(turn: Turn, status: Status): Told {
  const done = turn.blocks.flatMap(block => block.executed ?? []);
  const errors = [turn.reply?.error, ...done.map(({ error }) => error)];
  return {
    status,
    prompt: turn.messages.map(({ content }) => content).join('\n\n'),
    model: turn.reply?.model ?? '',
    reply: said(turn),
    code: done.map(({ code }) => code).join('\n\n'),
    output: [
      ...done.map(({ stdout, stderr }) => stdout + stderr),
      ...done.flatMap(({ outputs }) => outputs.map(output => `${outputLine(output)}\n`))
    ].join(''),
    error: errors.flatMap(error => (error ? errorText(error) : [])).join('\n')
  };
}

/** The output in a few words: `table, 12,345 × 4`, `figure (png, 34 KB)`. */
function outputLine(output: RichOutput): string {
  const rich = decodeRich(output);
  switch (rich.kind) {
    case 'table':
      return `table, ${thousands(rich.table.totalRows)} × ${thousands(rich.table.totalColumns)}`;
    case 'image': {
      const [head = '', data = ''] = rich.url.split(';base64,');
      return `figure (${head.replace('data:image/', '')}, ${size(Math.floor((data.length * 3) / 4))})`;
    }
    case 'other':
      return `output (${firstLine(rich.mime, TITLE) || 'of no type'}, ${size(rich.chars)})`;
  }
}

function size(bytes: number): string {
  return bytes >= 1024 ? `${thousands(bytes / 1024)} KB` : count(bytes, 'byte');
}
