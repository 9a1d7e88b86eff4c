import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ICellModel } from '@jupyterlab/cells';
import { INotebookTracker, type Notebook } from '@jupyterlab/notebook';

import { cellMimeType } from './core/magic';

type Cleanup = () => void;

/** Edits cells that start with `%%rlm` as prose: coloured as Python, one apostrophe in a question is an open string. */
export const proseCells: JupyterFrontEndPlugin<void> = {
  id: 'rlm-kernel:prose-cells',
  description: 'Edits %%rlm cells as Markdown.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_app, tracker: INotebookTracker) => {
    tracker.forEach(panel => {
      watchNotebook(panel.content);
    });
    tracker.widgetAdded.connect((_tracker, panel) => {
      watchNotebook(panel.content);
    });
  }
};

function watchNotebook(notebook: Notebook): void {
  let stop = watchCells(notebook);
  notebook.modelChanged.connect(() => {
    stop();
    stop = watchCells(notebook);
  });
  notebook.disposed.connect(() => {
    stop();
  });
}

function watchCells(notebook: Notebook): Cleanup {
  const cells = notebook.model?.cells;
  if (!cells) {
    return () => undefined;
  }
  const watched = new Map<ICellModel, Cleanup>();
  const follow = () => {
    const present = new Set(cells);
    for (const [cell, stop] of watched) {
      if (!present.has(cell)) {
        stop();
        watched.delete(cell);
      }
    }
    for (const cell of present) {
      if (cell.type === 'code' && !watched.has(cell)) {
        watched.set(cell, watchCell(cell, notebook));
      }
    }
  };
  cells.changed.connect(follow);
  follow();
  return () => {
    cells.changed.disconnect(follow);
    watched.forEach(stop => {
      stop();
    });
    watched.clear();
  };
}

function watchCell(cell: ICellModel, notebook: Notebook): Cleanup {
  const apply = () => {
    cell.mimeType = cellMimeType({
      source: cell.sharedModel.getSource(),
      current: cell.mimeType,
      code: notebook.codeMimetype
    });
  };
  cell.contentChanged.connect(apply);
  // The notebook gives every code cell its language's type again when the kernel says what that language is.
  cell.mimeTypeChanged.connect(apply);
  apply();
  return () => {
    cell.contentChanged.disconnect(apply);
    cell.mimeTypeChanged.disconnect(apply);
  };
}
