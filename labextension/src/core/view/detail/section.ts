/**
 * Sections: the parts a tab is made of. One that is drawn stays in the document while its sign stays the same, so that
 * a selection of text, a fold or the place of the keyboard outlives the events of a live run.
 */

import type { ViewState } from '../../model/state';
import type { Host } from '../host';
import type { Memory } from './memory';

/** What every part of the detail needs to draw itself. */
export interface Pane {
  readonly state: ViewState;
  readonly host: Host;
  readonly memory: Memory;
  /** Draws again after something that a person chose. */
  redraw(): void;
}

export interface Section {
  /** Names it among its siblings. */
  readonly key: string;
  /** Differs when it must be drawn anew. */
  readonly sign: string;
  draw(): HTMLElement;
  /** Brings up to date one that is there already. */
  refresh?(node: HTMLElement): void;
}

interface Drawn {
  readonly sign: string;
  readonly node: HTMLElement;
}

const drawn = new WeakMap<Element, Map<string, Drawn>>();

/** Makes an element hold exactly these sections, in order, drawing only those that are new or different. */
export function reconcile(place: HTMLElement, sections: readonly Section[]): void {
  const before = drawn.get(place) ?? new Map<string, Drawn>();
  const after = new Map<string, Drawn>();
  for (const section of sections) {
    const held = before.get(section.key);
    if (held?.sign === section.sign) {
      after.set(section.key, held);
      section.refresh?.(held.node);
    } else {
      after.set(section.key, { sign: section.sign, node: section.draw() });
    }
  }
  for (const [key, { node }] of before) {
    if (after.get(key)?.node !== node) {
      node.remove();
    }
  }
  let at = place.firstElementChild;
  for (const { node } of after.values()) {
    if (node === at) {
      at = at.nextElementSibling;
    } else {
      place.insertBefore(node, at);
    }
  }
  drawn.set(place, after);
}
