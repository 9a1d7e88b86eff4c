/** The nodes of a run's tree: calls, their turns, and the blocks of those. */

import { Rollup, Total } from './total';
import type {
  BatchPlace,
  BlockHeld,
  CallFinished,
  CallKind,
  CallStarted,
  CodeExecuted,
  ErrorInfo,
  Message,
  ModelAsked,
  ModelReplied,
  Site,
  Status
} from './wire';

const BAD: readonly Status[] = ['failed', 'interrupted', 'cut off'];

/** Whether a call with that status gave nothing back. */
export function isBad(status: Status): boolean {
  return BAD.includes(status);
}

/** Whether a reply was to come from a record, and there is none for its request. */
export function isMissing({ error }: { readonly error: ErrorInfo | null }): boolean {
  return error?.type === 'MissingReply';
}

/** Whether a reply came from a record, not only should have, and so cost neither time nor money here. */
export function isReplayed(reply: ModelReplied): boolean {
  return reply.mode === 'replayed' && !isMissing(reply);
}

/** How long a model worked on a reply in this run, in seconds. */
export function waitedFor(reply: ModelReplied): number {
  return isReplayed(reply) ? 0 : reply.seconds;
}

/** One code block of a turn and the sub-calls it issued, in the order they were submitted. */
export class Block {
  /** It was put before a person. */
  held: BlockHeld | null = null;
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

  /** Whether one of its blocks, done again, was not what the record has. */
  get differs(): boolean {
    return this.blocks.some(block => block.executed?.divergences.length);
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

  /** Whether there was no reply for it in the record that it should have come from. */
  get missing(): boolean {
    return isMissing(this);
  }

  /** Whether its own replies all came from a record. */
  get replayed(): boolean {
    const replies = this.turns.flatMap(turn => turn.reply ?? []);
    return replies.length > 0 && replies.every(isReplayed);
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
