/** `ViewState`: what a person has chosen to see of a run. One for all lenses, so that they share it. */

import { Signal } from '../signal';
import { isBad } from '../trace/call';
import { ENGLISH } from '../words';
import type { Words } from '../words';
import { NOTHING, search } from './filter';
import type { Found } from './filter';
import { Playback } from './playback';
import { NO_RUNS, Relatives } from './relatives';
import type { RunSource } from './relatives';
import { childItems, findItem, itemsAbove, opensByItself, parentItem, visibleRows } from './rows';
import type { Item, Row } from './rows';
import type { RunStore } from './store';

export const LENSES = ['tree', 'timeline', 'table'] as const;
export type LensName = (typeof LENSES)[number];

export const TABS = ['prompt', 'reply', 'code', 'output', 'variables', 'variants', 'usage', 'raw'] as const;
export type TabName = (typeof TABS)[number];

/** Rows, selection, search, lens, tab. Free of the DOM; `changed` says that something must be drawn again. */
export class ViewState {
  readonly changed = new Signal();
  lens: LensName = 'tree';
  /** The tab a person chose last; a node without it shows its first. */
  tab: TabName = 'reply';
  /** Whether the newest step is kept in view while the run goes on. */
  follow = true;
  /** Whether the selected item's detail is shown. */
  detail = false;
  /** The runs made from this one. */
  readonly relatives: Relatives;
  private readonly opened = new Map<string, boolean>();
  private query = '';
  private cachedRows: Row[] | null = null;
  private cachedFound: Found | null = null;
  private key = '0';
  private disconnect: () => void;
  private played: Playback | null = null;
  private unplay: () => void = () => undefined;

  constructor(
    private run: RunStore,
    readonly words: Words = ENGLISH,
    source: RunSource = NO_RUNS
  ) {
    this.relatives = new Relatives(run.id, source);
    this.relatives.changed.connect(() => {
      this.changed.emit();
    });
    this.disconnect = this.listen();
  }

  /** What is drawn: the run, or, while it is played back, what there was of it at that moment. */
  get store(): RunStore {
    return this.played?.store ?? this.run;
  }

  /** Another store for the same run (a kernel's, fuller than the notebook's); what is open and selected stays. */
  set store(store: RunStore) {
    this.disconnect();
    this.run = store;
    this.disconnect = this.listen();
    if (this.played) {
      this.played.whole = store;
    }
    this.refresh();
  }

  /** The run itself, also while it is played back. */
  get whole(): RunStore {
    return this.run;
  }

  /** The run is being played back; null while it is not. */
  get playback(): Playback | null {
    return this.played;
  }

  /** Plays the run back from its start. */
  playBack(): void {
    this.unplay();
    const played = new Playback(this.run);
    let shown = played.store;
    let count = shown.events.length;
    this.played = played;
    this.unplay = played.changed.connect(() => {
      if (played.store !== shown || played.store.events.length !== count) {
        shown = played.store;
        count = shown.events.length;
        this.refresh();
      } else {
        this.changed.emit();
      }
    });
    this.follow = true;
    played.play();
    this.refresh();
  }

  /** Shows the run itself again. */
  leavePlayback(): void {
    if (this.played) {
      this.unplay();
      this.played = null;
      this.refresh();
    }
  }

  dispose(): void {
    this.disconnect();
    this.relatives.dispose();
    this.unplay();
  }

  get rows(): readonly Row[] {
    this.cachedRows ??= visibleRows(this.store.tree, this.opened, this.searching ? this.found.kept : null);
    return this.cachedRows;
  }

  /** What the search found; everything is found by no search. */
  get found(): Found {
    this.cachedFound ??= this.searching ? search(this.store.tree, this.query) : NOTHING;
    return this.cachedFound;
  }

  get searching(): boolean {
    return this.query.trim() !== '';
  }

  get search(): string {
    return this.query;
  }

  set search(query: string) {
    if (query === this.query) {
      return;
    }
    this.query = query;
    const item = this.searching ? null : this.selectedItem;
    if (item) {
      this.openAbove(item);
    }
    this.refresh();
  }

  /** The key of the selected item. */
  get selected(): string {
    return this.key;
  }

  get selectedItem(): Item | null {
    return findItem(this.store.tree, this.key);
  }

  /** Selects an item and opens what is above it. */
  select(key: string): void {
    const item = findItem(this.store.tree, key);
    if (!item) {
      return;
    }
    this.key = key;
    this.openAbove(item);
    this.refresh();
  }

  /** Opens or closes a row. */
  open(key: string, open: boolean): void {
    this.opened.set(key, open);
    this.refresh();
  }

  /** The next (or previous) of what the search found, from the selected one on; the key selected then. */
  step(by: 1 | -1): string {
    const hits = this.found.hits;
    if (hits.length) {
      const at = hits.indexOf(this.key);
      const next = at < 0 ? (by === 1 ? 0 : hits.length - 1) : (at + by + hits.length) % hits.length;
      this.select(hits[next] ?? this.key);
    }
    return this.key;
  }

  /** The key of the next failed item below the selected one, from the top again after the last; null without any. */
  nextFailure(): string | null {
    const failed = search(this.store.tree, 'status:failed').hits;
    return failed[failed.indexOf(this.key) + 1] ?? failed[0] ?? null;
  }

  /** How many calls and turns failed. */
  get failures(): number {
    const { tree } = this.store;
    const root = tree.root;
    return root ? tree.failedTurns + root.below.failed + Number(isBad(root.status)) : 0;
  }

  /** The key of the selected item's next or previous sibling, or null at the end. */
  sibling(by: 1 | -1): string | null {
    const item = this.selectedItem;
    const above = item && parentItem(item);
    const siblings = above ? childItems(above).map(each => each.key) : [];
    return siblings[siblings.indexOf(this.key) + by] ?? null;
  }

  setLens(lens: LensName): void {
    this.lens = lens;
    this.changed.emit();
  }

  setDetail(shown: boolean): void {
    if (shown !== this.detail) {
      this.detail = shown;
      this.changed.emit();
    }
  }

  setFollow(follow: boolean): void {
    if (follow !== this.follow) {
      this.follow = follow;
      this.changed.emit();
    }
  }

  /** Something else (lens, tab, follow) was set: draw it. */
  redraw(): void {
    this.changed.emit();
  }

  private openAbove(item: Item): void {
    for (const above of itemsAbove(item)) {
      if (!(this.opened.get(above.key) ?? (this.searching || opensByItself(above)))) {
        this.opened.set(above.key, true);
      }
    }
  }

  private listen(): () => void {
    return this.run.changed.connect(() => {
      this.played?.grown();
      this.refresh();
    });
  }

  private refresh(): void {
    this.cachedRows = null;
    this.cachedFound = null;
    this.changed.emit();
  }
}
