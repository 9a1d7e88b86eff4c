/** `ComparePage`: two runs side by side in a place of their own, brought up to date while one of them goes on. */

import type { RunStore } from '../model/store';
import { CompareView } from './compare';
import type { CompareOptions } from './compare';
import { h } from './dom';

/** How often a run under way ticks, in milliseconds. */
const TICK = 200;

/** `node` is to be put somewhere; `dispose` lets everything go. */
export class ComparePage {
  readonly node: HTMLElement;
  private readonly panel = h('div', {
    class: 'rlm-detail-panel',
    attrs: { 'data-wrap': true, role: 'group', tabindex: 0 }
  });
  private readonly waiting: HTMLElement;
  private readonly ticking: ReturnType<typeof setInterval>;
  private readonly ends = new Map<RunStore, () => void>();
  private left: RunStore | null = null;
  private right: RunStore | null = null;
  private view: CompareView | null = null;
  private frame = 0;

  constructor(private readonly options: CompareOptions) {
    const { words } = options;
    this.waiting = h(
      'p',
      { class: 'rlm-detail-empty' },
      words.__('Looking for a kernel that has both runs…')
    );
    this.panel.setAttribute('aria-label', words.__('Two runs side by side'));
    this.panel.append(this.waiting);
    this.node = h(
      'section',
      {
        class: 'rlm-run rlm-fill',
        attrs: { 'data-lm-suppress-shortcuts': 'true', 'aria-label': words.__('Two runs') }
      },
      h('div', { class: 'rlm-detail' }, this.panel)
    );
    this.ticking = setInterval(() => {
      if ((this.left?.live || this.right?.live) && this.node.isConnected) {
        this.later();
      }
    }, TICK);
  }

  /** Shows these; null for one that nobody has yet. */
  show(left: RunStore | null, right: RunStore | null): void {
    for (const end of this.ends.values()) {
      end();
    }
    this.ends.clear();
    [this.left, this.right] = [left, right];
    for (const store of [left, right]) {
      if (store && !this.ends.has(store)) {
        const later = () => {
          this.later();
        };
        this.ends.set(store, store.changed.connect(later));
      }
    }
    this.draw();
  }

  focus(): void {
    this.panel.focus();
  }

  dispose(): void {
    clearInterval(this.ticking);
    cancelAnimationFrame(this.frame);
    for (const end of this.ends.values()) {
      end();
    }
    this.view?.dispose();
    this.node.remove();
  }

  private later(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { left, right } = this;
    if (!left || !right) {
      return;
    }
    if (this.view) {
      this.view.update(left, right);
    } else {
      this.view = new CompareView(left, right, this.options);
      this.waiting.replaceWith(this.view.node);
    }
  }
}
