/** `RunPanel`: a run as a Lumino widget, wherever it is shown: below a cell, in a tab, in somebody's layout. */

import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { ViewState } from './core/model/state';
import type { RunStore } from './core/model/store';
import type { Bundle, Derived } from './core/trace/wire';
import { RunView } from './core/view/app';
import type { Host } from './core/view/host';
import { labHost } from './host';
import type { Lab } from './lab';
import { runSource } from './related';
import { NOWHERE, ShownRun } from './shown';
import type { Place } from './shown';

export interface PanelOptions {
  /** Fills the place it is in. */
  readonly fill?: boolean;
  /** The most it takes, in pixels; as it is set for all otherwise. */
  readonly height?: number;
  /** Whether it offers a tab; where it is one already it does not. */
  readonly tab?: boolean;
  readonly place?: Place;
}

/** Draws nothing until there is something to draw: a bundle was offered, or a kernel has the run. */
export class RunPanel extends Widget {
  readonly host: Host;
  private readonly shown: ShownRun;
  private drawn: RunView | null = null;

  constructor(
    private readonly lab: Lab,
    readonly run: string,
    private readonly options: PanelOptions = {}
  ) {
    super();
    this.addClass('rlm-panel');
    const { openTab, openCompare } = lab;
    const insertCell = options.place?.insertCell ?? null;
    this.host = labHost({
      openTab:
        openTab && options.tab !== false
          ? () => {
              openTab(this.run, this.held, insertCell);
            }
          : null,
      openRun:
        openTab &&
        (other => {
          openTab(other, null, insertCell);
        }),
      openCompare:
        openCompare &&
        ((left, right) => {
          openCompare(left, right, this.held, insertCell);
        }),
      insertCell,
      findKernel: () => {
        this.shown.findKernel();
      }
    });
    this.shown = new ShownRun(run, lab.registry, options.place ?? NOWHERE, store => {
      this.put(store);
    });
    lab.panels.add(this);
  }

  /** What a person sees of the run; null before anything is there. */
  get state(): ViewState | null {
    return this.drawn?.state ?? null;
  }

  /** Opens the form of an action on the run, or on its selected step. */
  act(kind: Derived): void {
    this.drawn?.act(kind);
  }

  /** What the notebook holds of the run. */
  get held(): Bundle | null {
    return this.shown.held;
  }

  /** Takes what the notebook, or a file, holds of the run now. */
  offer(bundle: Bundle): void {
    this.shown.offer(bundle);
  }

  /** Looks for a kernel that has the run. */
  seek(): void {
    this.shown.choose();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.lab.panels.delete(this);
    this.shown.dispose();
    this.drawn?.dispose();
    this.drawn = null;
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.seek();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.drawn?.focus();
  }

  private put(store: RunStore): void {
    if (this.drawn) {
      this.drawn.state.store = store;
      return;
    }
    const { lab, options } = this;
    const { follow, height, lens } = lab.settings.values;
    const state = new ViewState(store, lab.words, runSource(lab.registry));
    state.follow = follow;
    state.lens = lens;
    this.drawn = new RunView(state, this.host, {
      fill: options.fill ?? false,
      height: options.height ?? height
    });
    this.node.append(this.drawn.node);
  }
}
