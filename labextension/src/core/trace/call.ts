/**
 * The tree of a run, built from flat events in one forward scan: the same scan as `rlm_kernel/trace/call.py`, pinned
 * by the same golden traces. Roll-ups are kept up to date with each event, so that a row never walks its subtree.
 */

import { Rollup, Total } from './total';
import type {
  BatchPlace,
  CallFinished,
  CallKind,
  CallStarted,
  CodeExecuted,
  ErrorInfo,
  Message,
  ModelAsked,
  ModelReplied,
  RunFinished,
  RunStarted,
  Site,
  Status,
  TraceEvent
} from './wire';

const ID = /^0(?:\.[1-9][0-9]{0,8}\.[1-9][0-9]{0,8})*$/;
const BAD: readonly Status[] = ['failed', 'interrupted', 'cut off'];

/** Whether a call with that status gave nothing back. */
export function isBad(status: Status): boolean {
  return BAD.includes(status);
}

/** One code block of a turn and the sub-calls it issued, in the order they were submitted. */
export class Block {
  executed: CodeExecuted | null = null;
  readonly calls: Call[] = [];
  private groupsNow: Call[][] | null = null;
  private groupNow = new Map<Call, readonly Call[]>();

  constructor(readonly number: number) {}

  /** Its calls in order, those of one batch together. */
  get groups(): readonly (readonly Call[])[] {
    if (!this.groupsNow) {
      this.groupsNow = grouped(this.calls);
      this.groupNow = new Map(this.groupsNow.flatMap(group => group.map(call => [call, group])));
    }
    return this.groupsNow;
  }

  /** The calls that were issued together with one, itself among them. */
  group(call: Call): readonly Call[] {
    return this.groups.length ? (this.groupNow.get(call) ?? [call]) : [call];
  }

  /** Adds a call at its place. */
  insert(call: Call): void {
    // Calls come in order but for damaged traces, so looking from the end takes one step.
    const at = this.calls.findLastIndex(each => place(each) <= place(call));
    this.calls.splice(at + 1, 0, call);
    this.groupsNow = null;
  }
}

/** One ask-the-model-and-run-its-code round. */
export class Turn {
  readonly asked: ModelAsked[] = [];
  reply: ModelReplied | null = null;
  readonly blocks: Block[] = [];

  constructor(readonly number: number) {}

  /** Whether its request or one of its blocks failed. */
  get failed(): boolean {
    return this.reply?.error != null || this.blocks.some(block => block.executed?.error);
  }

  /** The messages added since the turn before. */
  get messages(): readonly Message[] {
    return this.asked.flatMap(asked => asked.messages);
  }

  /** The block of that number, made when it is new. */
  block(number: number): Block {
    let found = this.blocks.find(block => block.number === number);
    if (!found) {
      found = new Block(number);
      this.blocks.push(found);
    }
    return found;
  }
}

/** A node of the tree: an rlm call with its turns, or one plain llm request. */
export class Call {
  readonly turns: Turn[] = [];
  readonly below = new Rollup();
  /** What its own requests used. */
  readonly usage = new Total();
  finished: CallFinished | null = null;
  alive = true;

  constructor(
    readonly started: CallStarted,
    readonly parent: Call | null
  ) {}

  get id(): string {
    return this.started.callId;
  }

  get kind(): CallKind {
    return this.started.kind;
  }

  get depth(): number {
    return this.started.depth;
  }

  get prompt(): string {
    return this.started.prompt;
  }

  get batch(): BatchPlace | null {
    return this.started.batch;
  }

  get site(): Site | null {
    return this.started.site;
  }

  get status(): Status {
    return this.finished ? this.finished.status : this.alive ? 'running' : 'cut off';
  }

  get error(): ErrorInfo | null {
    return this.finished?.error ?? null;
  }

  /** What it gave back to whoever asked. */
  get answer(): string | null {
    if (this.finished?.answer != null) {
      return this.finished.answer;
    }
    return this.kind === 'llm' && this.status === 'finished' ? (this.reply?.text ?? null) : null;
  }

  /** The last reply of its model. */
  get reply(): ModelReplied | null {
    return this.turns.findLast(turn => turn.reply)?.reply ?? null;
  }

  /** The model that answered, or the one asked for while none has. */
  get model(): string {
    return this.reply?.model ?? this.started.model;
  }

  /** How often its own requests were tried again. */
  get retries(): number {
    return this.turns.reduce((sum, turn) => sum + (turn.reply?.retries ?? 0), 0);
  }

  get start(): number {
    return this.started.t;
  }

  get end(): number | null {
    return this.finished?.t ?? null;
  }

  /** How long it took, or null while it has no end. */
  get seconds(): number | null {
    return this.end === null ? null : this.end - this.start;
  }

  /** Its sub-calls, in the order they were submitted. */
  get calls(): Call[] {
    return this.turns.flatMap(turn => turn.blocks.flatMap(block => block.calls));
  }

  /** The calls above it, the nearest first. */
  *ancestors(): Generator<Call> {
    for (let call = this.parent; call; call = call.parent) {
      yield call;
    }
  }

  /** The turn of that number, made when it is new. */
  turn(number: number): Turn {
    const at = this.turns.findLastIndex(turn => turn.number <= number);
    const before = this.turns[at];
    if (before?.number === number) {
      return before;
    }
    const made = new Turn(number);
    this.turns.splice(at + 1, 0, made);
    return made;
  }

  /** The exact messages its model was sent at that turn (the last one by default). */
  messages(turn = Infinity): Message[] {
    if (this.kind === 'llm') {
      return [{ role: 'user', content: this.prompt }];
    }
    const turns = this.turns.filter(each => each.number <= turn);
    return turns.flatMap((each, at) => [
      ...each.messages,
      ...(each.reply && at < turns.length - 1
        ? [{ role: 'assistant' as const, content: each.reply.text }]
        : [])
    ]);
  }
}

/** The calls of a run so far, fed by `apply`. */
export class Tree {
  run: RunStarted | null = null;
  end: RunFinished | null = null;
  /** Every call by id, in the order they were submitted. */
  readonly calls = new Map<string, Call>();
  /** Seconds from the start of the run to its last event. */
  seconds = 0;
  /** How many turns of rlm calls failed: their request, or one of their blocks. */
  failedTurns = 0;

  /** The call at depth 0, once it has started. */
  get root(): Call | null {
    return this.calls.get('0') ?? null;
  }

  /** Takes the next event. One that names an unknown call is dropped: a damaged trace still opens. */
  apply(event: TraceEvent): void {
    this.seconds = Math.max(this.seconds, event.t);
    switch (event.type) {
      case 'run_started':
        this.run = event;
        break;
      case 'run_finished':
        this.end = event;
        break;
      case 'call_started':
        this.start(event);
        break;
      case 'model_asked':
        this.calls.get(event.callId)?.turn(event.turn).asked.push(event);
        break;
      case 'model_replied':
        this.replied(event);
        break;
      case 'code_executed':
        this.changeTurn(event, turn => {
          turn.block(event.block).executed = event;
        });
        break;
      case 'call_finished':
        this.restated(this.calls.get(event.callId), call => {
          call.finished = event;
        });
        break;
      default:
        event satisfies never;
    }
  }

  /** Says that no more events will come: calls without an end are cut off. */
  cut(): void {
    for (const call of this.calls.values()) {
      this.restated(call, each => {
        each.alive = false;
      });
    }
  }

  private start(event: CallStarted): void {
    if (this.calls.has(event.callId) || !ID.test(event.callId)) {
      return;
    }
    const parts = event.callId.split('.');
    const parent = this.calls.get(parts.slice(0, -2).join('.')) ?? null;
    const call = new Call(event, parent);
    this.calls.set(call.id, call);
    if (parent) {
      const block = parent.turn(Number(parts.at(-2))).block(event.site?.block ?? 1);
      block.insert(call);
      for (const above of call.ancestors()) {
        above.below.calls += 1;
        above.below.running += 1;
      }
    }
  }

  private replied(event: ModelReplied): void {
    const call = this.calls.get(event.callId);
    if (!call) {
      return;
    }
    const turn = call.turn(event.turn);
    const before = turn.reply;
    this.changeTurn(event, each => {
      each.reply = event;
    });
    const totals = [call.usage, call.below.usage, ...[...call.ancestors()].map(above => above.below.usage)];
    for (const total of totals) {
      if (before) {
        total.add(before.usage, -1);
      }
      total.add(event.usage);
    }
  }

  private changeTurn(place: { callId: string; turn: number }, change: (turn: Turn) => void): void {
    const call = this.calls.get(place.callId);
    const turn = call?.turn(place.turn);
    if (call && turn) {
      const before = turn.failed;
      change(turn);
      // The one turn of a plain request is the request, which is counted as a call.
      this.failedTurns += call.kind === 'rlm' ? Number(turn.failed) - Number(before) : 0;
    }
  }

  private restated(call: Call | undefined, change: (call: Call) => void): void {
    if (!call) {
      return;
    }
    const before = call.status;
    change(call);
    const after = call.status;
    if (before === after) {
      return;
    }
    const failed = Number(isBad(after)) - Number(isBad(before));
    const running = Number(after === 'running') - Number(before === 'running');
    for (const above of call.ancestors()) {
      above.below.failed += failed;
      above.below.running += running;
    }
  }
}

/** The calls in order, those of one batch together. */
function grouped(calls: readonly Call[]): Call[][] {
  const out: Call[][] = [];
  for (const call of calls) {
    const last = out.at(-1);
    const batch = last?.[0]?.batch?.id;
    if (last && batch !== undefined && batch === call.batch?.id) {
      last.push(call);
    } else {
      out.push([call]);
    }
  }
  return out;
}

function place(call: Call): number {
  return Number(call.id.slice(call.id.lastIndexOf('.') + 1));
}
