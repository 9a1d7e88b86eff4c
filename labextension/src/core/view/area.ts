/** How many went on at once, as an area with steps: one element, however many there were. */

import type { Span } from '../model/axis';
import type { Bar } from '../model/concurrency';
import { setAttribute } from './dom';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 1000;
const HEIGHT = 100;
/** The least height of what is not nothing. */
const LEAST = 5;

export class Area {
  readonly node = document.createElementNS(SVG, 'svg');
  private readonly layers: readonly SVGPathElement[];

  /** Layers have these classes, the lowest first. */
  constructor(classes: string, layers: readonly string[]) {
    this.layers = layers.map(name => {
      const path = document.createElementNS(SVG, 'path');
      path.setAttribute('class', name);
      return path;
    });
    this.node.setAttribute('class', classes);
    this.node.setAttribute('viewBox', `0 0 ${String(WIDTH)} ${String(HEIGHT)}`);
    this.node.setAttribute('preserveAspectRatio', 'none');
    this.node.setAttribute('aria-hidden', 'true');
    this.node.append(...this.layers);
  }

  /** Draws the bars of each layer over the window, as high as their share of `most`. */
  draw(layers: readonly (readonly Bar[])[], window: Span, most: number): void {
    this.layers.forEach((path, at) => {
      setAttribute(path, 'd', outline(layers[at] ?? [], window, most));
    });
  }
}

function outline(bars: readonly Bar[], window: Span, most: number): string {
  const across = (at: number) => (((at - window.start) / (window.end - window.start)) * WIDTH).toFixed(1);
  const up = (level: number) =>
    (HEIGHT - Math.max(LEAST, (Math.min(level, most) / Math.max(1, most)) * HEIGHT)).toFixed(1);
  const parts: string[] = [];
  bars.forEach((bar, at) => {
    // Bars that touch are one outline: two would show a seam.
    const joined = bars[at - 1]?.end === bar.start;
    parts.push(
      joined ? '' : `M${across(bar.start)} ${String(HEIGHT)}`,
      `V${up(bar.level)}H${across(bar.end)}`
    );
    if (bars[at + 1]?.start !== bar.end) {
      parts.push(`V${String(HEIGHT)}Z`);
    }
  });
  return parts.join('');
}
