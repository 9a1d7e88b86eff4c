/** Runs made from others, as a kernel would tell of them. */

import type { Made, RunSource, WatchedRun } from '../../src/core/model/relatives';
import { RunStore } from '../../src/core/model/store';
import { Signal } from '../../src/core/signal';
import type { Derived } from '../../src/core/trace/wire';

export class FakeRuns implements RunSource {
  readonly stores = new Map<string, RunStore>();
  watched: string[] = [];
  private made: Made[] = [];
  private readonly told = new Signal();

  /** There is a run that was made from the one that is looked at. */
  add(run: string, kind: Derived, at: string, store = new RunStore(run, true)): this {
    this.made.push({ run, kind, at });
    this.stores.set(run, store);
    return this;
  }

  tell(): this {
    this.told.emit();
    return this;
  }

  /** The kernel is gone. */
  forget(): void {
    this.made = [];
    this.stores.clear();
  }

  listen(listener: () => void): () => void {
    return this.told.connect(listener);
  }

  madeFrom(): readonly Made[] {
    return this.made;
  }

  watch(run: string): WatchedRun | null {
    const store = this.stores.get(run);
    if (!store) {
      return null;
    }
    this.watched.push(run);
    return {
      store,
      dispose: () => {
        this.watched = this.watched.filter(each => each !== run);
      }
    };
  }
}
