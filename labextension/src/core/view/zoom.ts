/** The part of the time axis that is shown, and the gestures over the rows that change it. */

import { moved, scaled } from '../model/axis';
import type { Span } from '../model/axis';

export const CLOSER = 1 / 1.5;
export const FARTHER = 1.5;

export class Zoom {
  /** The whole axis, in seconds. */
  total = 1;
  private chosen: Span | null = null;

  /** `changed` is told when another part is shown. */
  constructor(private readonly changed: () => void) {}

  /** What a person chose to see, or null for all. */
  get choice(): Span | null {
    return this.chosen;
  }

  /** What is shown. */
  get window(): Span {
    return this.chosen ?? { start: 0, end: this.total };
  }

  /** Shows a part. All of the axis is no choice: it grows with a run that goes on. */
  show(window: Span | null): void {
    // Less than a thousandth of a pixel is missing: that comes from rounding.
    const all = window && window.end - window.start >= this.total * (1 - 1e-6);
    this.chosen = all ? null : window;
    this.changed();
  }

  /** Comes closer to a moment, or goes farther from it. */
  by(factor: number, around: number): void {
    this.show(scaled(this.window, factor, around, this.total));
  }

  /** Zooms with Ctrl (what pinching a touchpad sends too), and moves sideways; says whether it did. */
  wheel(event: WheelEvent, axis: DOMRect): boolean {
    if (!axis.width) {
      return false;
    }
    const { window } = this;
    const length = window.end - window.start;
    if (event.ctrlKey && event.deltaY) {
      const share = Math.min(1, Math.max(0, (event.clientX - axis.left) / axis.width));
      this.by(event.deltaY > 0 ? FARTHER : CLOSER, window.start + share * length);
      return true;
    }
    if (this.chosen && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.show(moved(window, (event.deltaX / axis.width) * length, this.total));
      return true;
    }
    return false;
  }
}
