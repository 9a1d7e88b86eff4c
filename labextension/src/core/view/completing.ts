/** Completes the shortened texts of runs that are compared, and says so while what is here is not all of them. */

import { thousands } from '../format';
import type { Link, RunStore } from '../model/store';
import { shorten, visible } from '../text';
import type { Words } from '../words';
import { h, setText } from './dom';

/** So many events are asked for at once. */
const AT_ONCE = 200;
const REASON = 300;

/** `node` is empty where the runs are here as a whole. */
export class Completing {
  readonly node = h('div', { class: 'rlm-detail-whole', attrs: { role: 'status' } });
  private readonly asked = new WeakMap<RunStore, Link>();
  private stores: readonly RunStore[] = [];
  private loading = 0;
  private problem = '';

  /** `done` is told when texts have come. */
  constructor(
    private readonly words: Words,
    private readonly done: () => void
  ) {}

  update(stores: readonly RunStore[]): void {
    this.stores = stores;
    for (const store of stores) {
      const { link } = store;
      if (link && store.cutTexts > 0 && !store.live && this.asked.get(store) !== link) {
        this.asked.set(store, link);
        void this.complete(store);
      }
    }
    this.draw();
  }

  private async complete(store: RunStore): Promise<void> {
    const cut = store.events.filter(event => event.cut > 0);
    this.loading += 1;
    try {
      for (let at = 0; at < cut.length; at += AT_ONCE) {
        await store.wholeEvents(cut.slice(at, at + AT_ONCE));
      }
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.loading -= 1;
      this.draw();
      this.done();
    }
  }

  private draw(): void {
    setText(this.node, this.told());
  }

  private told(): string {
    const { words } = this;
    if (this.loading) {
      return words.__('loading the whole texts…');
    }
    const [texts, calls] = [this.sum('cutTexts'), this.sum('omittedCalls')];
    const told = [
      texts
        ? words._n('%2 text is shortened here', '%2 texts are shortened here', texts, thousands(texts))
        : '',
      calls ? words._n('%2 call is left out here', '%2 calls are left out here', calls, thousands(calls)) : ''
    ]
      .filter(Boolean)
      .join(', ');
    if (!told) {
      return '';
    }
    const why = this.problem ? ` (${visible(shorten(this.problem, REASON))})` : '';
    return words.__('%1%2: what differs there is not seen.', told, why);
  }

  private sum(of: 'cutTexts' | 'omittedCalls'): number {
    return [...new Set(this.stores)].reduce((all, store) => all + store[of], 0);
  }
}
