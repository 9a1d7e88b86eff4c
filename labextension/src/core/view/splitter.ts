/** The bar between lens and detail: dragged, or moved with the arrow keys. */

import type { Words } from '../words';
import { h, setAttribute } from './dom';

const STEP = 4;
const LEAST = 20;
const MOST = 80;

export class Splitter {
  readonly node: HTMLElement;
  private share = 50;

  constructor(
    words: Words,
    private readonly sized: HTMLElement
  ) {
    this.node = h('div', {
      class: 'rlm-splitter',
      attrs: {
        role: 'separator',
        tabindex: 0,
        'aria-orientation': 'vertical',
        'aria-label': words.__('Width of the tree'),
        'aria-valuemin': LEAST,
        'aria-valuemax': MOST
      },
      on: {
        pointerdown: event => {
          this.node.setPointerCapture(event.pointerId);
          event.preventDefault();
        },
        pointermove: event => {
          if (this.node.hasPointerCapture(event.pointerId)) {
            this.moveTo(event.clientX);
          }
        },
        keydown: event => {
          const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
          if (by !== undefined) {
            this.set(this.share + by);
            event.preventDefault();
            event.stopPropagation();
          }
        }
      }
    });
    this.set(this.share);
  }

  dispose(): void {
    this.node.remove();
  }

  private moveTo(x: number): void {
    const box = this.node.parentElement?.getBoundingClientRect();
    if (box?.width) {
      this.set(((x - box.left) / box.width) * 100);
    }
  }

  private set(share: number): void {
    this.share = Math.min(MOST, Math.max(LEAST, share));
    this.sized.style.setProperty('--rlm-share', `${this.share.toFixed(1)}%`);
    setAttribute(this.node, 'aria-valuenow', Math.round(this.share));
  }
}
