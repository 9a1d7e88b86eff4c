/** The rows of the timeline, and what each call did when. */

import { isReplayed, waitedFor } from '../trace/call';
import type { Call, Turn } from '../trace/call';
import type { Tree } from '../trace/tree';
import type { Status } from '../trace/wire';
import type { Span } from './axis';
import type { Item, Row } from './rows';

export type Phase = 'waiting' | 'model' | 'code';

/** A part of a call's time. */
export interface Segment extends Span {
  readonly phase: Phase;
  readonly turn: number;
  /** The number of the block, for code. */
  readonly block: number;
  readonly running: boolean;
  readonly failed: boolean;
}

export type LaneItem = Extract<Item, { kind: 'call' | 'batch' }>;

/** A row: one call, or one batch. */
export interface Lane {
  readonly item: LaneItem;
  readonly level: number;
  /** Null where there are no calls below. */
  readonly open: boolean | null;
  /** What must be opened for all calls below to be seen. */
  readonly closed: readonly string[];
}

/** The calls and batches among the rows of the tree. Turns and blocks are parts of their call's bar, not rows. */
export function lanes(rows: readonly Row[]): Lane[] {
  const out: { item: LaneItem; level: number; open: boolean | null; closed: string[] }[] = [];
  const above: { treeLevel: number; lane: (typeof out)[number] }[] = [];
  for (const { item, level, open } of rows) {
    while ((above.at(-1)?.treeLevel ?? 0) >= level) {
      above.pop();
    }
    if (item.kind === 'call' || item.kind === 'batch') {
      const below = item.kind === 'batch' || item.call.below.calls > 0;
      const lane = {
        item,
        level: above.length + 1,
        open: below ? open : null,
        closed: open ? [] : [item.key]
      };
      out.push(lane);
      above.push({ treeLevel: level, lane });
    } else if (open === false) {
      above.at(-1)?.lane.closed.push(item.key);
    }
  }
  return out.map((lane, at) => ({ ...lane, open: openness(lane, out[at + 1]?.level) }));
}

// A call whose turns are closed looks closed here; one that a search left without calls below it is a leaf.
function openness(lane: Lane, next: number | undefined): boolean | null {
  if (lane.open && lane.closed.length) {
    return false;
  }
  return lane.open && (next ?? 0) <= lane.level ? null : lane.open;
}

/** From when to when a call was under way; until now where it has no end. */
export function spanOf(call: Call, now: number): Span {
  return { start: call.start, end: Math.max(call.start, call.end ?? now) };
}

/** From the first beginning to the last end of what a row stands for. */
export function laneSpan(item: LaneItem, now: number): Span {
  if (item.kind === 'call') {
    return spanOf(item.call, now);
  }
  let [start, end] = [Infinity, -Infinity];
  for (const call of item.calls) {
    start = Math.min(start, call.start);
    end = Math.max(end, call.end ?? now);
  }
  return { start, end };
}

/** How it ended: a batch runs while one of its calls does, and failed where one did. */
export function laneStatus(item: LaneItem): Status {
  if (item.kind === 'call') {
    return item.call.status;
  }
  let worst: Status = 'finished';
  for (const { status } of item.calls) {
    if (status === 'running') {
      return status;
    }
    worst = worst === 'finished' ? status : worst;
  }
  return worst;
}

/** What a call did, in order: waited for a slot, asked the model, ran code. */
export function segments(call: Call, now: number): Segment[] {
  const { start, end } = spanOf(call, now);
  if (call.kind === 'llm' && !call.turns.length && call.status === 'running') {
    return [{ phase: 'model', turn: 1, block: 0, start, end, running: true, failed: false }];
  }
  return call.turns.flatMap((turn, at) => {
    const last = at === call.turns.length - 1;
    const asking = request(call, turn, last, end);
    return call.kind === 'llm' ? asking : [...asking, ...code(call, turn, last, end)];
  });
}

const UNSEEN_WAIT = 0.001;

function request(call: Call, turn: Turn, last: boolean, end: number): Segment[] {
  const { reply } = turn;
  const asked = turn.asked[0]?.t ?? (call.kind === 'llm' ? call.start : null);
  const base = { turn: turn.number, block: 0, running: false, failed: false };
  if (!reply) {
    const running = last && call.status === 'running';
    // Where something came after it, the request was given up, and nobody knows when.
    return asked !== null && last ? [{ ...base, phase: 'model', start: asked, end, running }] : [];
  }
  // A record answers at once: nobody waited for a slot.
  const sent = isReplayed(reply)
    ? (asked ?? reply.t)
    : Math.max(asked ?? call.start, reply.t - reply.seconds);
  const out: Segment[] = [];
  if (asked !== null && sent - asked > UNSEEN_WAIT) {
    out.push({ ...base, phase: 'waiting', start: asked, end: sent });
  }
  out.push({
    ...base,
    phase: 'model',
    start: Math.min(sent, reply.t),
    end: reply.t,
    failed: reply.error !== null
  });
  return out;
}

function code(call: Call, turn: Turn, last: boolean, end: number): Segment[] {
  const out: Segment[] = [];
  let from = turn.reply?.t ?? call.start;
  for (const { number, executed } of turn.blocks) {
    const segment = { phase: 'code' as const, turn: turn.number, block: number };
    if (executed) {
      const start = Math.min(executed.t, Math.max(from, executed.t - executed.seconds));
      out.push({ ...segment, start, end: executed.t, running: false, failed: executed.error !== null });
      from = executed.t;
    } else if (last) {
      out.push({ ...segment, start: from, end, running: call.status === 'running', failed: false });
    }
  }
  if (last && !turn.blocks.length && turn.reply && !turn.reply.error && call.status === 'running') {
    // A block tells of itself when it is done, or asks a sub-call; until then it can only be its code.
    out.push({ phase: 'code', turn: turn.number, block: 1, start: from, end, running: true, failed: false });
  }
  return out;
}

/** Those segments of which something is in the window; where they are too many to draw, the longest of each part. */
export function drawable(all: readonly Segment[], window: Span, most: number): Segment[] {
  const seen = all.filter(each => each.end >= window.start && each.start <= window.end);
  if (seen.length <= most) {
    return seen;
  }
  const width = (window.end - window.start) / most;
  const chosen = new Map<number, Segment>();
  for (const each of seen) {
    const column = Math.floor(((each.start + each.end) / 2 - window.start) / width);
    const held = chosen.get(column);
    if (!held || each.end - each.start > held.end - held.start) {
      chosen.set(column, each);
    }
  }
  return [...chosen.values()];
}

/** Every call of a run as spans: how long it was under way, and its requests while a model worked on them. */
export interface Load {
  readonly calls: readonly Span[];
  readonly requests: readonly Span[];
}

/** What went on in these calls. */
export function load(calls: Iterable<Call>, now: number): Load {
  const out: { calls: Span[]; requests: Span[] } = { calls: [], requests: [] };
  for (const call of calls) {
    out.calls.push(spanOf(call, now));
    const last = call.turns.at(-1);
    for (const { asked, reply } of call.turns) {
      if (reply) {
        out.requests.push({ start: reply.t - waitedFor(reply), end: reply.t });
      } else if (call.status === 'running' && asked === last?.asked) {
        out.requests.push({ start: asked[0]?.t ?? call.start, end: now });
      }
    }
    if (!last && call.kind === 'llm' && call.status === 'running') {
      out.requests.push({ start: call.start, end: now });
    }
  }
  return out;
}

/** How many requests the run may have under way at once: those beyond wait. Infinite where the trace does not say. */
export function slots(tree: Tree): number {
  const found = tree.run?.settings['concurrency'];
  return typeof found === 'number' && found > 0 ? found : Infinity;
}
