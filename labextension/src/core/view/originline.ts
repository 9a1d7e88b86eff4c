/** Below the figures of a run that was made from another one: from which, at what step and with what changed. */

import { thousands } from '../format';
import { editTold, originTold, readEdit } from '../model/edit';
import { DIFFERS, repliesTold } from '../model/provenance';
import type { ViewState } from '../model/state';
import { firstLine, visible } from '../text';
import type { Origin } from '../trace/wire';
import { button, h, setText } from './dom';
import type { Host } from './host';

const NAME = 80;
/** Stands in a sentence for the button that is put there. */
const HERE = '\u0000';
const DIFFERING = 'status:differs';

export class OriginLine {
  readonly node: HTMLElement;
  private readonly told = h('span', { class: 'rlm-origin-told' });
  private readonly replies = h('span', { class: 'rlm-origin-replies' });
  private readonly differs: HTMLButtonElement;
  private readonly compare: HTMLButtonElement | null;
  private shown = '';

  constructor(
    private readonly state: ViewState,
    private readonly host: Host
  ) {
    const { words } = state;
    this.differs = button('', {
      class: 'rlm-link rlm-differs',
      attrs: { title: words.__('Show only these') },
      on: {
        click: () => {
          state.search = state.search === DIFFERING ? '' : DIFFERING;
        }
      }
    });
    this.compare = this.compareButton();
    this.node = h(
      'div',
      { class: 'rlm-head-line rlm-origin' },
      this.told,
      this.replies,
      this.differs,
      this.compare
    );
  }

  update(): void {
    const { store, words } = this.state;
    const { tree } = store;
    const origin = tree.run?.origin ?? null;
    this.draw(origin, tree.run?.cut ?? 0);
    const replies = repliesTold(tree, words);
    setText(this.replies, replies);
    this.replies.hidden = !replies;
    setText(this.differs, differing(tree.differing, this.state));
    this.differs.hidden = !tree.differing;
    if (this.compare) {
      // One call asked again has no steps in common with the run that it is of.
      this.compare.hidden = !origin || origin.kind === 'rerun';
    }
    this.node.hidden = !origin && !replies && !tree.differing;
  }

  private compareButton(): HTMLButtonElement | null {
    const { words, whole } = this.state;
    const open = this.host.openCompare?.bind(this.host);
    if (!open) {
      return null;
    }
    return button(words.__('Compare'), {
      class: 'rlm-link',
      attrs: { title: words.__('Both runs side by side, step by step') },
      on: {
        click: () => {
          const origin = this.state.whole.tree.run?.origin;
          if (origin) {
            open(origin.run, whole.id);
          }
        }
      }
    });
  }

  private draw(origin: Origin | null, cut: number): void {
    const key = JSON.stringify([origin?.kind, origin?.run, origin?.at, cut]);
    if (key === this.shown) {
      return;
    }
    this.shown = key;
    this.told.hidden = !origin;
    this.told.replaceChildren(...(origin ? this.parts(origin) : []));
  }

  private parts(origin: Origin): (Node | string)[] {
    const { words } = this.state;
    const changed = editTold(readEdit(origin.edit), words);
    const [before = '', after = ''] = originTold(origin, HERE, words).split(HERE);
    return [before, this.link(origin.run), changed ? `${after}: ${changed}` : after];
  }

  private link(run: string): HTMLElement {
    const { words } = this.state;
    const name = visible(firstLine(run, NAME));
    const open = this.host.openRun?.bind(this.host);
    if (!open) {
      return h('span', { class: 'rlm-origin-run' }, name);
    }
    return button(name, {
      class: 'rlm-link rlm-origin-run',
      attrs: { title: words.__('Open that run in a tab') },
      on: {
        click: () => {
          open(run);
        }
      }
    });
  }
}

function differing(count: number, { words }: ViewState): string {
  return words._n(
    '%2 %3 step differs from the record',
    '%2 %3 steps differ from the record',
    count,
    DIFFERS,
    thousands(count)
  );
}
