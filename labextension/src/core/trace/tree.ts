/**
 * The tree of a run, built from flat events in one forward scan: the same scan as `rlm_kernel/trace/call.py`, pinned
 * by the same golden traces. Roll-ups are kept up to date with each event, so that a row never walks its subtree.
 */

import { Call, isBad, isMissing, isReplayed } from './call';
import type { Turn } from './call';
import type {
  BlockHeld,
  CallStarted,
  Mode,
  ModelReplied,
  RunFinished,
  RunPaused,
  RunStarted,
  TraceEvent
} from './wire';

const ID = /^0(?:\.[1-9][0-9]{0,8}\.[1-9][0-9]{0,8})*$/;

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
  /** How many turns and calls, done again, were not what the record has. */
  differing = 0;
  /** How many replies there are by where they came from; those of a record by where they came from at first too. */
  readonly replies = new Map<Mode, number>();
  readonly firstModes = new Set<Mode>();
  /** How many of those of a record it should have had and has not. */
  missingReplies = 0;
  /** The pause that the run is in, or ended in. */
  paused: RunPaused | null = null;
  /** How many seconds it waited for its server in pauses that are over. */
  stood = 0;
  /** The blocks that wait for a person, the longest first. */
  readonly held = new Map<string, BlockHeld>();

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
      case 'block_held':
        this.hold(event);
        break;
      case 'code_executed':
        this.held.delete(heldKey(event));
        this.changeTurn(event, turn => {
          turn.block(event.block).executed = event;
        });
        break;
      case 'run_paused':
        this.paused = event;
        break;
      case 'run_continued':
        this.paused = null;
        this.stood += Math.max(0, event.seconds);
        break;
      case 'call_finished':
        this.letGo(event.callId);
        this.restated(this.calls.get(event.callId), call => {
          const before = call.missing;
          call.finished = event;
          this.differing += Number(call.missing) - Number(before);
        });
        break;
      default:
        event satisfies never;
    }
  }

  /** Says that no more events will come: calls without an end are cut off. */
  cut(): void {
    this.held.clear();
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

  private hold(event: BlockHeld): void {
    const call = this.calls.get(event.callId);
    const block = call?.turn(event.turn).block(event.block);
    if (call && block) {
      block.held = event;
      if (!block.executed && call.status === 'running') {
        this.held.set(heldKey(event), event);
      }
    }
  }

  private letGo(callId: string): void {
    for (const [key, held] of this.held) {
      if (held.callId === callId) {
        this.held.delete(key);
      }
    }
  }

  private count(reply: ModelReplied, by: 1 | -1): void {
    this.replies.set(reply.mode, (this.replies.get(reply.mode) ?? 0) + by);
    if (reply.mode === 'replayed' && isMissing(reply)) {
      this.missingReplies += by;
    }
    if (isReplayed(reply) && reply.firstMode) {
      this.firstModes.add(reply.firstMode);
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
    if (before) {
      this.count(before, -1);
    }
    this.count(event, 1);
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
      const [before, differed] = [turn.failed, turn.differs];
      change(turn);
      this.differing += Number(turn.differs) - Number(differed);
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

/** The key of the row of a block that was held or ran. */
function heldKey({ callId, turn, block }: { callId: string; turn: number; block: number }): string {
  return `${callId}@${String(turn)}.${String(block)}`;
}
