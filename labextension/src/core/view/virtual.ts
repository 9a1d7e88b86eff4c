/** A scrolled list of which only what is in sight is in the document: fifty thousand rows cost what forty do. */

import { h } from './dom';

export interface RowDrawing<T> {
  /** What names a row for good. */
  key(item: T): string;
  /** The row's element, made or, when there is one for that key already, brought up to date. */
  draw(item: T, index: number, before: HTMLElement | null): HTMLElement;
}

const SPARE = 6;

/**
 * `node` scrolls; `rows` is the element the rows are in, below a head that stays in sight. Every row is `rowHeight`
 * pixels high.
 */
export class VirtualList<T> {
  readonly node: HTMLElement;
  readonly rows: HTMLElement;
  private items: readonly T[] = [];
  private readonly drawn = new Map<string, HTMLElement>();
  private readonly sized: ResizeObserver;
  private waiting = 0;

  constructor(
    readonly rowHeight: number,
    private readonly drawing: RowDrawing<T>,
    classes: string,
    private readonly head: HTMLElement
  ) {
    head.classList.add('rlm-virtual-head');
    this.rows = h('div', { class: 'rlm-virtual-rows', attrs: { role: 'presentation' } });
    this.node = h(
      'div',
      {
        class: `rlm-virtual ${classes}`,
        on: {
          scroll: () => {
            this.later();
          }
        }
      },
      head,
      this.rows
    );
    this.sized = new ResizeObserver(() => {
      this.later();
    });
    this.sized.observe(this.node);
  }

  /** Shows these items, drawing those in sight anew. */
  update(items: readonly T[]): void {
    this.items = items;
    this.rows.style.height = `${String(items.length * this.rowHeight)}px`;
    this.drawNow();
  }

  /** Scrolls as little as shows the item of that number whole. */
  reveal(index: number): void {
    const top = index * this.rowHeight;
    const room = this.room;
    if (top < this.node.scrollTop) {
      this.node.scrollTop = top;
    } else if (top + this.rowHeight > this.node.scrollTop + room) {
      this.node.scrollTop = top + this.rowHeight - room;
    }
    this.drawNow();
  }

  /** How many rows are whole in sight: a page for the keyboard. */
  get page(): number {
    return Math.max(1, Math.floor(this.room / this.rowHeight) - 1);
  }

  private get room(): number {
    return this.node.clientHeight - this.head.offsetHeight;
  }

  /** The row's element, where it is in the document. */
  element(key: string): HTMLElement | null {
    return this.drawn.get(key) ?? null;
  }

  dispose(): void {
    this.sized.disconnect();
    cancelAnimationFrame(this.waiting);
  }

  private later(): void {
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => {
      this.drawNow();
    });
  }

  private drawNow(): void {
    const first = Math.max(0, Math.floor(this.node.scrollTop / this.rowHeight) - SPARE);
    const count = Math.ceil((this.node.clientHeight || 400) / this.rowHeight) + 2 * SPARE;
    const wanted = new Set<string>();
    this.items.slice(first, first + count).forEach((item, at) => {
      const key = this.drawing.key(item);
      wanted.add(key);
      this.place(key, this.drawing.draw(item, first + at, this.drawn.get(key) ?? null), first + at);
    });
    for (const [key, element] of this.drawn) {
      if (!wanted.has(key)) {
        element.remove();
        this.drawn.delete(key);
      }
    }
  }

  private place(key: string, element: HTMLElement, index: number): void {
    const before = this.drawn.get(key);
    if (before !== element) {
      before?.remove();
      this.drawn.set(key, element);
      this.rows.append(element);
    }
    element.style.top = `${String(index * this.rowHeight)}px`;
  }
}
