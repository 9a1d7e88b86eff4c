/** The bar of a call in the timeline: its time, and in it what it waited for, asked and ran. */

import { MARKS, seconds, statusWord } from '../format';
import type { Span } from '../model/axis';
import { blockKey, turnKey } from '../model/rows';
import { drawable, segments, spanOf } from '../model/timeline';
import type { Segment } from '../model/timeline';
import type { Call } from '../trace/call';
import type { Status } from '../trace/wire';
import type { Words } from '../words';
import { name, note, phaseWord, placeOf, spanText, stretch } from './bar';
import type { Frame } from './bar';
import { h } from './dom';

const SEGMENTS = 40;

interface Part {
  readonly segment: Segment;
  readonly place: { left: number; width: number };
  /** What is selected by a click on it. */
  readonly key: string | null;
}

export class CallBar {
  private readonly shown = new WeakMap<HTMLElement, string>();

  constructor(private readonly words: Words) {}

  /** Draws a call into a cell, which is touched only where something is different. */
  draw(cell: HTMLElement, call: Call, frame: Frame, chosen: string): void {
    const { window, now } = frame;
    const all = segments(call, now);
    const parts = drawable(all, window, SEGMENTS).map(segment => ({
      segment,
      place: placeOf(segment, window),
      key: keyOf(call, segment)
    }));
    const span = spanOf(call, now);
    const label = this.label(call, span, all);
    const shown = look([label, window, placeOf(span, window), parts, chosen]);
    if (this.shown.get(cell) === shown) {
      return;
    }
    this.shown.set(cell, shown);
    cell.replaceChildren(
      name(cell, label),
      rail(span, window, call.status),
      ...parts.map(part => this.part(part, part.key === chosen)),
      note(span, window, call.status)
    );
  }

  private part({ segment, place, key }: Part, chosen: boolean): HTMLElement {
    const { words } = this;
    const told = [
      key === null ? '' : words.__('turn %1', segment.turn),
      segment.block ? words.__('block %1', segment.block) : '',
      phaseWord(segment.phase, words)
    ];
    const failed = segment.failed ? ` ${MARKS.failed} ${statusWord('failed', words)}` : '';
    const node = h('div', {
      class: 'rlm-tl-seg',
      attrs: {
        'data-phase': segment.phase,
        'data-running': segment.running,
        'data-bad': segment.failed,
        'data-chosen': chosen,
        'data-part': key,
        title: `${told.filter(Boolean).join(' · ')}: ${spanText(segment, words)}${failed}`
      }
    });
    stretch(node, place);
    return node;
  }

  private label(call: Call, span: Span, all: readonly Segment[]): string {
    const { words } = this;
    const sums = (['waiting', 'model', 'code'] as const).map(phase => {
      const sum = all.reduce((total, part) => total + (part.phase === phase ? part.end - part.start : 0), 0);
      return sum > 0 ? `${phaseWord(phase, words)} ${seconds(sum)}` : '';
    });
    return [spanText(span, words), statusWord(call.status, words), ...sums].filter(Boolean).join(', ');
  }
}

// Two bars that look the same have the same one.
function look(what: unknown): string {
  return JSON.stringify(what, (_, value: unknown) =>
    typeof value === 'number' ? Number(value.toFixed(4)) : value
  );
}

// The turn of a part; its block where the turn has several. An llm call has no turns to choose.
function keyOf(call: Call, part: Segment): string | null {
  const turn = call.kind === 'rlm' ? call.turns.find(each => each.number === part.turn) : undefined;
  if (!turn) {
    return null;
  }
  const block = turn.blocks.length > 1 ? turn.blocks.find(each => each.number === part.block) : undefined;
  return block ? blockKey(call, turn, block) : turnKey(call, turn);
}

function rail(span: Span, window: Span, status: Status): HTMLElement {
  const node = h('div', { class: 'rlm-tl-rail', attrs: { 'data-status': status } });
  stretch(node, placeOf(span, window));
  return node;
}
