/** `Relatives`: the runs that were made from one, by the step they were made at. */

import { Signal } from '../signal';
import type { Derived } from '../trace/wire';
import type { RunStore } from './store';

/** A run made from another one; `at` is the step, empty for the whole run. */
export interface Made {
  readonly run: string;
  readonly kind: Derived;
  readonly at: string;
}

/** A run that is watched; `dispose` ends that. */
export interface WatchedRun {
  readonly store: RunStore;
  dispose(): void;
}

/** Whoever knows of other runs than the one that is shown: in JupyterLab the kernels of the page. */
export interface RunSource {
  /** Tells the listener when it knows more; what is returned ends that. */
  listen(listener: () => void): () => void;
  /** The runs made from that one, the oldest first. */
  madeFrom(run: string): readonly Made[];
  /** The run as it fills; null where nobody has it. */
  watch(run: string): WatchedRun | null;
}

/** A place with one run. */
export const NO_RUNS: RunSource = {
  listen: () => () => undefined,
  madeFrom: () => [],
  watch: () => null
};

/** Only grows: a run that was seen once stays, also when its kernel goes. */
export class Relatives {
  /** There is another one, or one of those that are looked at has moved on. */
  readonly changed = new Signal();
  private readonly known = new Map<string, Made>();
  /** Those that the source has told of, and so can be watched. */
  private readonly told = new Set<string>();
  private readonly watched = new Map<string, WatchedRun>();
  private readonly ends: (() => void)[] = [];

  constructor(
    readonly run: string,
    private readonly source: RunSource
  ) {
    this.ends.push(
      source.listen(() => {
        if (this.look()) {
          this.changed.emit();
        }
      })
    );
    this.look();
  }

  /** All of them, the newest first. */
  get all(): readonly Made[] {
    return [...this.known.values()].reverse();
  }

  /** Those made at a step, the newest first. */
  at(step: string): readonly Made[] {
    return this.all.filter(made => made.at === step);
  }

  /** The run itself, which is watched from now on; null where nobody has it. */
  store(run: string): RunStore | null {
    const held = this.watched.get(run);
    if (held) {
      return held.store;
    }
    const watched = this.source.watch(run);
    if (!watched) {
      return null;
    }
    this.watched.set(run, watched);
    this.ends.push(
      watched.store.changed.connect(() => {
        this.changed.emit();
      })
    );
    return watched.store;
  }

  /** Takes runs that were just started, of which their kernel has yet to tell. */
  expect(made: readonly Made[]): void {
    for (const each of made) {
      this.known.set(each.run, each);
    }
    this.changed.emit();
  }

  /** Whether one of those that are looked at is under way. */
  get live(): boolean {
    return [...this.watched.values()].some(({ store }) => store.live);
  }

  dispose(): void {
    for (const end of this.ends) {
      end();
    }
    for (const watched of this.watched.values()) {
      watched.dispose();
    }
    this.watched.clear();
  }

  private look(): boolean {
    const before = this.told.size;
    for (const made of this.source.madeFrom(this.run)) {
      if (made.run !== this.run) {
        this.told.add(made.run);
        this.known.set(made.run, made);
      }
    }
    return this.told.size > before;
  }
}
