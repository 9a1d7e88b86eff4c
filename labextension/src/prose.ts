/** Edits cells that start with `%%rlm` as prose: coloured as Python, one apostrophe in a question is an open string. */

import type { ICellModel } from '@jupyterlab/cells';
import type { INotebookTracker, Notebook } from '@jupyterlab/notebook';

import { PROSE, cellMimeType } from './core/magic';
import type { Settings } from './settings';

type Cleanup = () => void;

/** Does so in every notebook, as long as the setting says so. */
export function proseCells(tracker: INotebookTracker, settings: Settings): void {
  tracker.forEach(panel => {
    watchNotebook(panel.content, settings);
  });
  tracker.widgetAdded.connect((_tracker, panel) => {
    watchNotebook(panel.content, settings);
  });
}

function watchNotebook(notebook: Notebook, settings: Settings): void {
  let stop = watchCells(notebook, settings);
  notebook.modelChanged.connect(() => {
    stop();
    stop = watchCells(notebook, settings);
  });
  notebook.disposed.connect(() => {
    stop();
  });
}

function watchCells(notebook: Notebook, settings: Settings): Cleanup {
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
        watched.set(cell, watchCell(cell, notebook, settings));
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

function watchCell(cell: ICellModel, notebook: Notebook, settings: Settings): Cleanup {
  const apply = () => {
    const { mimeType: current } = cell;
    const code = notebook.codeMimetype;
    if (settings.values.prose) {
      cell.mimeType = cellMimeType({ source: cell.sharedModel.getSource(), current, code });
    } else if (current === PROSE) {
      cell.mimeType = code;
    }
  };
  cell.contentChanged.connect(apply);
  // The notebook gives every code cell its language's type again when the kernel says what that language is.
  cell.mimeTypeChanged.connect(apply);
  const forget = settings.changed.connect(apply);
  apply();
  return () => {
    forget();
    cell.contentChanged.disconnect(apply);
    cell.mimeTypeChanged.disconnect(apply);
  };
}
