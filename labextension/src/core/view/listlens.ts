/** What the lenses that are a list of rows have in common: one list, one selected row, a keyboard that goes from row to row. */

import type { ViewState } from '../model/state';
import type { Lens } from './lens';
import type { VirtualList } from './virtual';

export abstract class ListLens<T> implements Lens {
  abstract readonly node: HTMLElement;
  protected abstract readonly list: VirtualList<T>;

  constructor(protected readonly state: ViewState) {}

  abstract update(): void;

  /** The number of the row of what is selected, or of the nearest above it that has one; -1 without any. */
  protected abstract at(): number;

  /** The key of the row of that number. */
  protected abstract keyAt(index: number): string | undefined;

  reveal(): void {
    const at = this.at();
    if (at >= 0) {
      this.list.reveal(at);
    }
  }

  focus(): void {
    this.list.node.focus({ preventScroll: true });
  }

  dispose(): void {
    this.list.dispose();
  }

  /** Selects the row of that number and brings it into sight. */
  protected go(to: number): void {
    const key = this.keyAt(to);
    if (key !== undefined) {
      this.state.setFollow(false);
      this.state.select(key);
      this.update();
      this.reveal();
      this.update();
    }
  }
}
