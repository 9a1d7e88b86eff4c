/** `Registry`: the runs that kernels of this page hold, and the stores that views of them share. */

import type { Control } from './control';
import { RunStore } from './core/model/store';
import type { Feed } from './core/model/store';
import { Signal } from './core/signal';
import { ENGLISH } from './core/words';
import type { Words } from './core/words';
import type { Card } from './protocol';

/** A share in the store of a watched run. */
export interface Watching {
  readonly store: RunStore;
  /** Whether the kernel has gone: nothing will come, and another kernel may have the run. */
  readonly lost: boolean;
  dispose(): void;
}

/** By the id of a run, whichever kernel holds it. */
export class Registry {
  /** A kernel told of this run; empty when a kernel came or went. */
  readonly changed = new Signal<string>();
  private readonly controls = new Set<Control>();
  private readonly watched = new Map<string, Watched>();

  constructor(
    private readonly version: string,
    private readonly words: Words = ENGLISH
  ) {}

  /** Lets views see the runs of a kernel, until it closes. */
  add(control: Control): void {
    this.controls.add(control);
    control.told.connect(cards => {
      for (const card of cards) {
        this.changed.emit(card.run);
      }
      this.changed.emit('');
    });
    control.resumed.connect(() => {
      for (const watched of this.watched.values()) {
        if (watched.control === control && watched.store.live) {
          watched.watch();
        }
      }
    });
    control.closed.connect(() => {
      this.controls.delete(control);
      for (const [run, watched] of this.watched) {
        if (watched.control === control) {
          this.watched.delete(run);
          watched.lose();
        }
      }
      this.changed.emit('');
    });
    this.changed.emit('');
  }

  /** How the run stands, where a kernel told of it. */
  card(run: string): Card | null {
    return this.holder(run)?.cards.get(run) ?? null;
  }

  /** The runs under way. */
  get live(): readonly Card[] {
    return [...this.controls].flatMap(control => [...control.cards.values()].filter(card => card.live));
  }

  /** How the runs stand that were made from that one, the oldest first. */
  relatives(run: string): readonly Card[] {
    const found = new Map<string, Card>();
    for (const control of this.controls) {
      for (const card of control.cards.values()) {
        if (card.origin?.run === run && !found.has(card.run)) {
          found.set(card.run, card);
        }
      }
    }
    return [...found.values()];
  }

  /** The kernel that holds the run, rather one in which it is under way. */
  holder(run: string): Control | null {
    const holders = [...this.controls].filter(control => control.cards.has(run));
    return holders.find(control => control.cards.get(run)?.live) ?? holders[0] ?? null;
  }

  /** A store that fills with the run from its first event on; null where no kernel holds it. */
  watch(run: string): Watching | null {
    let watched = this.watched.get(run);
    if (!watched) {
      const control = this.holder(run);
      if (!control) {
        return null;
      }
      watched = new Watched(run, control, this.mismatch(control));
      this.watched.set(run, watched);
    }
    return this.share(watched);
  }

  /** What is wrong with the versions of the two sides, and what to do; empty when nothing is. */
  mismatch(control: Control): string {
    // Run from its sources and not installed, the package has no version to compare.
    if (!control.version || control.version === this.version || control.version.startsWith('0+')) {
      return '';
    }
    return this.words.__(
      'The JupyterLab extension is version %1 and the kernel has rlm_kernel %2: run pip install -U rlm-kernel on both sides, restart the kernel and reload the page.',
      this.version,
      control.version
    );
  }

  private share(watched: Watched): Watching {
    watched.shares += 1;
    let held = true;
    return {
      store: watched.store,
      get lost() {
        return watched.lost;
      },
      dispose: () => {
        if (held) {
          held = false;
          this.release(watched);
        }
      }
    };
  }

  private release(watched: Watched): void {
    watched.shares -= 1;
    if (watched.shares === 0 && !watched.lost) {
      this.watched.delete(watched.store.id);
      watched.control.unwatch(watched.store.id);
    }
  }
}

class Watched {
  readonly store: RunStore;
  shares = 0;
  lost = false;
  private again = false;

  constructor(
    run: string,
    readonly control: Control,
    private readonly notice: string
  ) {
    this.store = new RunStore(run, true);
    this.store.link = control.link(run);
    this.watch();
  }

  lose(): void {
    this.lost = true;
    this.store.link = null;
    this.store.end();
  }

  /** Asks for what comes after the events that are here. */
  watch(): void {
    this.control.watch(this.store.id, this.store.events.length, feed => {
      this.take(feed);
    });
  }

  private take(feed: Feed): void {
    const warning = [feed.warning, this.notice].filter(Boolean).join(' ');
    try {
      const gapless = this.store.receive({ ...feed, warning });
      if (!gapless && !this.again) {
        this.watch();
      }
      // Messages under way when the gap was seen have the same gap.
      this.again = !gapless;
    } catch (error) {
      this.control.unwatch(this.store.id);
      this.store.warning = error instanceof Error ? error.message : String(error);
      this.store.end();
    }
  }
}
