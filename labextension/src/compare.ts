/** Two runs side by side in a tab. */

import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { Memory } from './core/view/detail/memory';
import type { RunStore } from './core/model/store';
import type { Bundle } from './core/trace/wire';
import { ComparePage } from './core/view/comparepage';
import { labHost } from './host';
import { traceIcon } from './icon';
import type { InsertCell, Lab } from './lab';
import { NOWHERE, ShownRun } from './shown';

/** Draws nothing until both runs are there: `held` of one of them, or in a kernel. */
export class ComparePanel extends Widget {
  private readonly page: ComparePage;
  private readonly shown: readonly ShownRun[];
  private left: RunStore | null = null;
  private right: RunStore | null = null;

  constructor(lab: Lab, left: string, right: string, held: Bundle | null, insertCell: InsertCell) {
    super();
    this.addClass('rlm-panel');
    const { openTab, words } = lab;
    const findKernel = () => {
      this.seek();
    };
    const host = labHost({
      openTab: null,
      openRun:
        openTab &&
        (run => {
          openTab(run, null, insertCell);
        }),
      openCompare: null,
      insertCell,
      findKernel
    });
    this.page = new ComparePage({ words, host, memory: new Memory() });
    this.node.append(this.page.node);
    const shownLeft = new ShownRun(left, lab.registry, NOWHERE, store => {
      this.left = store;
      this.page.show(this.left, this.right);
    });
    const shownRight = new ShownRun(right, lab.registry, NOWHERE, store => {
      this.right = store;
      this.page.show(this.left, this.right);
    });
    this.shown = [shownLeft, shownRight];
    if (held) {
      this.shown.find(({ run }) => run === held.run)?.offer(held);
    }
    this.title.icon = traceIcon;
    this.title.label = words.__('%1 and %2', left, right);
    this.title.caption = words.__('Two runs side by side');
    this.title.closable = true;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    for (const run of this.shown) {
      run.dispose();
    }
    this.page.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.seek();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.page.focus();
  }

  private seek(): void {
    for (const run of this.shown) {
      run.choose();
    }
  }
}
