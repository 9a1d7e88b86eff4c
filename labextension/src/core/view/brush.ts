/** Chooses a part of the time axis: drawn, moved and resized with the pointer, or with two sliders. */

import { moment, moved, resized, within } from '../model/axis';
import type { Span } from '../model/axis';
import type { Words } from '../words';
import { h, setAttribute } from './dom';
import { pressed } from './keys';

type Edge = 'start' | 'end';
const EDGES: readonly Edge[] = ['start', 'end'];
/** Pixels that the pointer must move for it to be a drag. */
const DRAG = 4;

interface Drag {
  readonly mode: 'draw' | 'move' | Edge;
  readonly x: number;
  readonly at: number;
  readonly from: Span;
  begun: boolean;
}

export class Brush {
  readonly node: HTMLElement;
  private readonly frame: HTMLElement;
  private readonly sliders: Readonly<Record<Edge, HTMLElement>>;
  private total = 1;
  private window: Span | null = null;
  private drag: Drag | null = null;

  /** `choose` is told the window, or null for all. */
  constructor(
    words: Words,
    private readonly choose: (window: Span | null) => void
  ) {
    this.sliders = {
      start: this.slider('start', words.__('Shown from')),
      end: this.slider('end', words.__('Shown until'))
    };
    this.frame = h('div', { class: 'rlm-tl-frame' }, this.sliders.start, this.sliders.end);
    this.node = h(
      'div',
      {
        class: 'rlm-tl-brush',
        attrs: { title: words.__('Drag to zoom; double-click or Escape to see all') },
        on: {
          pointerdown: event => {
            this.begin(event);
          },
          pointermove: event => {
            this.move(event);
          },
          pointerup: () => {
            this.drag = null;
          },
          pointercancel: () => {
            this.drag = null;
          },
          dblclick: () => {
            choose(null);
          }
        }
      },
      this.frame
    );
  }

  /** Shows a window on an axis of that many seconds. */
  update(total: number, window: Span | null): void {
    this.total = total;
    this.window = window;
    const { start, end } = this.shown;
    const [from, to] = [(start / total) * 100, (end / total) * 100];
    this.node.style.setProperty('--rlm-from', `${from.toFixed(3)}%`);
    this.node.style.setProperty('--rlm-to', `${(100 - to).toFixed(3)}%`);
    setAttribute(this.node, 'data-zoomed', window !== null);
    for (const edge of EDGES) {
      const slider = this.sliders[edge];
      setAttribute(slider, 'aria-valuemax', total.toFixed(3));
      setAttribute(slider, 'aria-valuenow', this.shown[edge].toFixed(3));
      setAttribute(slider, 'aria-valuetext', moment(this.shown[edge]));
    }
  }

  private get shown(): Span {
    return this.window ?? { start: 0, end: this.total };
  }

  private slider(edge: Edge, label: string): HTMLElement {
    return h('div', {
      class: 'rlm-tl-grip',
      attrs: { role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': 0, 'data-edge': edge },
      on: {
        keydown: event => {
          this.onKey(event, edge);
        }
      }
    });
  }

  private onKey(event: KeyboardEvent, edge: Edge): void {
    const step = this.total / 100;
    const at = this.shown[edge];
    const places: Readonly<Record<string, number>> = {
      ArrowLeft: at - step,
      ArrowDown: at - step,
      ArrowRight: at + step,
      ArrowUp: at + step,
      PageDown: at - 10 * step,
      PageUp: at + 10 * step,
      Home: 0,
      End: this.total
    };
    const to = places[pressed(event)];
    if (to === undefined) {
      return;
    }
    this.set(resized(this.shown, edge, to, this.total));
    event.preventDefault();
    event.stopPropagation();
  }

  private begin(event: PointerEvent): void {
    if (event.button !== 0 || !(event.target instanceof Element)) {
      return;
    }
    const edge = EDGES.find(each => this.sliders[each] === event.target);
    const mode = edge ?? (this.window && event.target === this.frame ? 'move' : 'draw');
    this.drag = { mode, x: event.clientX, at: this.at(event), from: this.shown, begun: false };
    this.node.setPointerCapture(event.pointerId);
    if (!edge) {
      event.preventDefault();
    }
  }

  private move(event: PointerEvent): void {
    const { drag } = this;
    if (!drag || (!drag.begun && Math.abs(event.clientX - drag.x) < DRAG)) {
      return;
    }
    drag.begun = true;
    const at = this.at(event);
    switch (drag.mode) {
      case 'draw':
        this.set(within({ start: Math.min(drag.at, at), end: Math.max(drag.at, at) }, this.total));
        break;
      case 'move':
        this.set(moved(drag.from, at - drag.at, this.total));
        break;
      case 'start':
      case 'end':
        this.set(resized(drag.from, drag.mode, at, this.total));
        break;
    }
  }

  private at(event: PointerEvent): number {
    const box = this.node.getBoundingClientRect();
    const share = box.width ? (event.clientX - box.left) / box.width : 0;
    return Math.min(1, Math.max(0, share)) * this.total;
  }

  // All of the axis is no zoom: it grows with a run that goes on.
  private set(window: Span): void {
    const all = window.start <= 0 && window.end >= this.total;
    this.choose(all ? null : window);
  }
}
