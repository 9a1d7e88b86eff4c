/** Puts new cells into a notebook. */

import type { Cell } from '@jupyterlab/cells';
import { NotebookActions } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';

/** Puts a code cell below that one, or below the active one, and the keyboard at the end of its first line. */
export function insertCell(panel: NotebookPanel, source: string, below: Cell | null = null): void {
  const notebook = panel.content;
  const at = below ? notebook.widgets.indexOf(below) : -1;
  if (at >= 0) {
    notebook.activeCellIndex = at;
  }
  NotebookActions.insertBelow(notebook);
  const cell = notebook.activeCell;
  if (!cell) {
    return;
  }
  cell.model.sharedModel.setSource(source);
  const [line = ''] = source.split('\n', 1);
  // The palette gives the keyboard back to where it was, so it is put into the cell after that.
  requestAnimationFrame(() => {
    notebook.mode = 'edit';
    cell.editor?.focus();
    cell.editor?.setCursorPosition({ line: 0, column: line.length });
  });
}
