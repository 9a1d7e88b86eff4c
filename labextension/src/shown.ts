/** `ShownRun`: which store to draw for a run, of what a notebook holds of it and what kernels tell. */

import type { Control } from './control';
import { RunStore } from './core/model/store';
import type { Bundle } from './core/trace/wire';
import type { Registry, Watching } from './registry';

/** What the place of a view knows of it. Asked again whenever something changes. */
export interface Place {
  /** The kernel that the run is likely in. */
  kernel(): Control | null;
  /** Whether the cell around it is being run by this page, so that the notebook will be told of more. */
  underWay(): boolean;
  /** Puts a cell below the one around it; null where there is none. */
  readonly insertCell: ((source: string) => void) | null;
}

/** A place without a notebook. */
export const NOWHERE: Place = { kernel: () => null, underWay: () => false, insertCell: null };

/** Calls `put` with a store, and again when another one is better: the same run, fuller or alive. */
export class ShownRun {
  private bundle: Bundle | null = null;
  private own: RunStore | null = null;
  private watching: Watching | null = null;
  private shown: RunStore | null = null;
  private wanted = false;
  private readonly asked = new Set<Control>();
  private readonly disconnect: () => void;
  private unlisten: () => void = () => undefined;

  constructor(
    readonly run: string,
    private readonly registry: Registry,
    private readonly place: Place,
    private readonly put: (store: RunStore) => void
  ) {
    this.disconnect = registry.changed.connect(run => {
      if (run === this.run || run === '') {
        this.choose();
      }
    });
  }

  /** What the notebook holds now. */
  get held(): Bundle | null {
    return this.bundle;
  }

  /** Takes what the notebook holds now. */
  offer(bundle: Bundle): void {
    this.bundle = bundle;
    this.own = null;
    this.choose();
  }

  /** Looks for a kernel that has the run, also where what the notebook holds is all of it. */
  findKernel(): void {
    this.wanted = true;
    this.choose();
  }

  /** Looks again at what there is. */
  choose(): void {
    this.attach();
    const store = this.best();
    if (store && store !== this.shown) {
      this.shown = store;
      this.put(store);
    }
  }

  dispose(): void {
    this.disconnect();
    this.leave();
  }

  private attach(): void {
    if (this.watching?.lost) {
      this.leave();
    }
    if (this.watching || !this.wantsKernel()) {
      return;
    }
    const watching = this.registry.watch(this.run);
    if (watching) {
      this.watching = watching;
      this.unlisten = watching.store.changed.connect(() => {
        this.choose();
      });
    } else {
      void this.askKernel();
    }
  }

  // A whole tree in the notebook needs no kernel but to be gone on from, nor does one with only its texts shortened.
  private wantsKernel(): boolean {
    const { bundle } = this;
    if (!bundle || bundle.live || bundle.omittedCalls > 0) {
      return true;
    }
    if (bundle.cutTexts > 0 || this.wanted || this.registry.holder(this.run)) {
      this.linkOwn();
    }
    return this.registry.card(this.run)?.live ?? false;
  }

  private linkOwn(): void {
    const holder = this.registry.holder(this.run);
    const store = this.ownStore();
    if (!holder) {
      void this.askKernel();
      if (store?.link) {
        store.link = null;
      }
    } else if (store && !store.link) {
      store.link = holder.link(this.run);
    }
  }

  private async askKernel(): Promise<void> {
    const kernel = this.place.kernel();
    if (!kernel || kernel.isClosed || this.asked.has(kernel)) {
      return;
    }
    this.asked.add(kernel);
    if ((await kernel.holds(this.run)) && !kernel.cards.has(this.run)) {
      kernel.note([{ run: this.run, cell: '', status: 'finished', live: false, origin: null }]);
    }
  }

  private leave(): void {
    this.unlisten();
    this.watching?.dispose();
    this.watching = null;
  }

  private best(): RunStore | null {
    const theirs = this.watching?.store;
    if (!theirs) {
      return this.ownStore();
    }
    const own = this.bundle ? this.bundle.events.length : 0;
    const ended = this.bundle?.events.at(-1)?.type === 'run_finished';
    const poorer = theirs.events.length < own || (ended && !theirs.tree.end);
    // Until it has caught up, a kernel's store would show less than there was.
    return poorer && (!theirs.live || theirs.events.length < own) ? this.ownStore() : theirs;
  }

  private ownStore(): RunStore | null {
    const { bundle } = this;
    if (!bundle) {
      return null;
    }
    if (this.own?.live && !this.place.underWay()) {
      this.own = null;
    }
    this.own ??= bundle.live && this.place.underWay() ? snapshot(bundle) : RunStore.fromBundle(bundle);
    return this.own;
  }
}

function snapshot(bundle: Bundle): RunStore {
  const store = new RunStore(bundle.run, true);
  store.cutTexts = bundle.cutTexts;
  store.omittedCalls = bundle.omittedCalls;
  store.receive({
    since: 0,
    events: bundle.events.map(event => event.source),
    live: true,
    now: bundle.events.at(-1)?.t ?? 0,
    path: bundle.path,
    warning: bundle.warning
  });
  return store;
}
