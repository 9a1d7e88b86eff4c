/** `RunStore`: the events of one run in the page, the tree they make, and the kernel that may hold more. */

import { Signal } from '../signal';
import { Tree } from '../trace/tree';
import { decodeEvents } from '../trace/decode';
import type { Bundle, Derived, Status, TraceEvent } from '../trace/wire';
import type { Edit } from './edit';

/** A kernel that holds the run: what can be asked of it. Every promise rejects with an `Error` that says why. */
export interface Link {
  readonly stop: () => Promise<void>;
  readonly answerNow: () => Promise<void>;
  /** Tries the server that the run waits for. */
  readonly tryNow: () => Promise<void>;
  /** The events of these numbers with nothing cut, as JSON. */
  readonly whole: (seqs: readonly number[]) => Promise<readonly unknown[]>;
  /** The whole trace as JSONL. */
  readonly file: () => Promise<string>;
  /** Starts runs made from this one at a step (empty for the whole run); their ids. */
  readonly derive: (kind: Derived, at: string, edit: Edit) => Promise<readonly string[]>;
  /** Says what becomes of a block that waits for a person; `code` is what runs instead where it is edited. */
  readonly decide: (held: HeldAt, what: Choice, code?: string) => Promise<void>;
}

/** The place of a block that waits for a person. */
export interface HeldAt {
  readonly callId: string;
  readonly turn: number;
  readonly block: number;
}

export type Choice = 'run' | 'edit' | 'skip';

/** A message of the kernel with the next events; `since` is the number of its first. */
export interface Feed {
  readonly since: number;
  readonly events: readonly unknown[];
  readonly live: boolean;
  readonly now: number;
  readonly path: string;
  readonly warning: string;
}

/** One run. It only grows; views listen to `changed` and read. */
export class RunStore {
  readonly tree = new Tree();
  readonly events: TraceEvent[] = [];
  /** Something is different: events came, texts were completed, the run ended, a kernel came or went. */
  readonly changed = new Signal();
  path = '';
  warning = '';
  cutTexts = 0;
  omittedCalls = 0;
  private alive: boolean;
  private kernel: Link | null = null;
  private clock: { readonly now: number; readonly at: number } | null = null;

  constructor(
    readonly id: string,
    live: boolean,
    private readonly time: () => number = () => performance.now()
  ) {
    this.alive = live;
  }

  /** The run of a bundle that no kernel answers for: what has no end in it is cut off. */
  static fromBundle(bundle: Bundle): RunStore {
    const store = new RunStore(bundle.run, true);
    store.path = bundle.path;
    store.warning = bundle.warning;
    store.cutTexts = bundle.cutTexts;
    store.omittedCalls = bundle.omittedCalls;
    store.take(bundle.events);
    store.end();
    return store;
  }

  /** Whether more events may come. */
  get live(): boolean {
    return this.alive;
  }

  get status(): Status {
    return this.tree.end ? this.tree.end.status : this.alive ? 'running' : 'cut off';
  }

  /** Whether all of the run is here, with nothing shortened or left out. */
  get complete(): boolean {
    return this.cutTexts === 0 && this.omittedCalls === 0;
  }

  /** Seconds since the run began, on the kernel's clock while it runs; how long it took when it has ended. */
  get now(): number {
    if (!this.alive || !this.clock) {
      return this.tree.seconds;
    }
    return Math.max(this.tree.seconds, this.clock.now + (this.time() - this.clock.at) / 1000);
  }

  /** The kernel that holds the run, if one does. */
  get link(): Link | null {
    return this.kernel;
  }

  set link(link: Link | null) {
    this.kernel = link;
    this.changed.emit();
  }

  /** Takes the next events from a kernel; false when some before them are missing. Throws `DecodeError`. */
  receive(feed: Feed): boolean {
    if (feed.since > this.events.length) {
      return false;
    }
    const fresh = decodeEvents(feed.events.slice(this.events.length - feed.since));
    this.take(fresh);
    this.cutTexts += fresh.reduce((sum, event) => sum + event.cut, 0);
    this.path = feed.path;
    this.warning = feed.warning;
    this.clock = { now: feed.now, at: this.time() };
    if (!feed.live) {
      this.end();
    }
    this.changed.emit();
    return true;
  }

  /** Completes shortened events: asks the kernel that holds the run. Rejects where none does. */
  async wholeEvents(events: readonly TraceEvent[]): Promise<void> {
    const cut = events.filter(event => event.cut > 0);
    if (!cut.length) {
      return;
    }
    if (!this.kernel) {
      throw new Error('no kernel holds this run');
    }
    const asked = new Map(cut.map(event => [event.seq, event]));
    const whole = decodeEvents(await this.kernel.whole([...asked.keys()]));
    for (const event of whole) {
      const held = asked.get(event.seq);
      if (held?.type === event.type) {
        this.cutTexts = Math.max(0, this.cutTexts - held.cut);
        // In place: the tree and everything drawn from it hold this very event.
        Object.assign(held, event);
      }
    }
    this.changed.emit();
  }

  /** Says that no more events will come. */
  end(): void {
    this.alive = false;
    this.tree.cut();
    this.changed.emit();
  }

  protected take(events: readonly TraceEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      this.tree.apply(event);
    }
  }
}
