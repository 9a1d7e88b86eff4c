/** `Notebooks`: which notebook, cell and kernel a place in the page belongs to. */

import { CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { insertCell } from './cells';
import { Signal } from './core/signal';
import { NotebookKernel } from './kernels';
import type { Registry } from './registry';
import type { Place } from './shown';

/** A notebook with the kernel it has at the moment. */
export interface Open {
  readonly panel: NotebookPanel;
  readonly kernel: NotebookKernel;
}

/** The notebooks that are open, each with a channel to its kernel. */
export class Notebooks {
  /** A notebook was opened. */
  readonly added = new Signal<Open>();
  private readonly open = new Map<NotebookPanel, Open>();

  constructor(
    tracker: INotebookTracker,
    private readonly registry: Registry,
    private readonly version: string
  ) {
    tracker.forEach(panel => {
      this.add(panel);
    });
    tracker.widgetAdded.connect((_tracker, panel) => {
      this.add(panel);
    });
  }

  get all(): readonly Open[] {
    return [...this.open.values()];
  }

  /** The kernel of that notebook. */
  of(panel: NotebookPanel): NotebookKernel | null {
    return this.open.get(panel)?.kernel ?? null;
  }

  /** The notebook around a node of the page. */
  around(node: Node): Open | null {
    return this.all.find(({ panel }) => panel.node.contains(node)) ?? null;
  }

  /** What a view at this node knows of its place. */
  place(node: Node): Place {
    return {
      kernel: () => this.around(node)?.kernel.control ?? null,
      underWay: () => {
        const cell = this.cellAround(node);
        return cell !== null && isUnderWay(cell);
      },
      insertCell: source => {
        const panel = this.around(node)?.panel;
        if (panel) {
          insertCell(panel, source, this.cellAround(node));
        }
      }
    };
  }

  private cellAround(node: Node): CodeCell | null {
    const cells = this.around(node)?.panel.content.widgets ?? [];
    const cell = cells.find(each => each.node.contains(node));
    return cell instanceof CodeCell ? cell : null;
  }

  private add(panel: NotebookPanel): void {
    if (this.open.has(panel)) {
      return;
    }
    const open = { panel, kernel: new NotebookKernel(panel.sessionContext, this.registry, this.version) };
    this.open.set(panel, open);
    panel.disposed.connect(() => {
      this.open.delete(panel);
    });
    this.added.emit(open);
  }
}

/** Whether this page runs the cell, and so is told of its outputs. */
export function isUnderWay(cell: CodeCell): boolean {
  // There is no future before a cell is first run, whatever its type says, and it stays when the cell has run.
  const area: { readonly future?: { readonly isDisposed: boolean } | null } = cell.outputArea;
  return area.future?.isDisposed === false && (cell.promptNode?.textContent.includes('*') ?? false);
}
