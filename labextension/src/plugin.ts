import { ILabShell } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';

import { addCommands } from './commands';
import { ComparePanel } from './compare';
import { TraceFactory, fileType, runTab } from './document';
import { wordsOf } from './lab';
import type { Lab } from './lab';
import { Notebooks } from './notebooks';
import { keepOutputs } from './outputs';
import { proseCells } from './prose';
import { Registry } from './registry';
import { rendererFactory } from './renderer';
import { PLUGIN_ID, Settings } from './settings';
import { VERSION } from './version';

/** The tree of a run in outputs, tabs and widgets, and the channel to the kernels behind it. */
export const runs: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows the runs of rlm_kernel.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [INotebookTracker, ISettingRegistry, ITranslator, ICommandPalette, ILabShell],
  activate: async (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    tracker: INotebookTracker | null,
    stored: ISettingRegistry | null,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    shell: ILabShell | null
  ) => {
    const words = wordsOf(translator);
    const registry = new Registry(VERSION, words);
    const notebooks = tracker && new Notebooks(tracker, registry, VERSION);
    const settings = new Settings();
    const lab: Lab = {
      registry,
      notebooks,
      settings,
      words,
      rendermime,
      panels: new Set(),
      openTab:
        shell &&
        ((run, held, insertCell = null) => {
          shell.add(new MainAreaWidget({ content: runTab(lab, run, held, insertCell) }), 'main');
        }),
      openCompare:
        shell &&
        ((left, right, held, insertCell = null) => {
          const content = new ComparePanel(lab, left, right, held, insertCell);
          shell.add(new MainAreaWidget({ content }), 'main');
        })
    };
    // Before any notebook is opened: each takes a copy of the renderers that there are.
    rendermime.addFactory(rendererFactory(lab));
    app.docRegistry.addFileType(fileType(lab));
    const files = new TraceFactory(lab, app.serviceManager.contents);
    // JupyterLab's own class does not fit its interface where an optional field must not be undefined.
    app.docRegistry.addWidgetFactory(files as DocumentRegistry.WidgetFactory);
    addCommands(app, lab, tracker, palette);
    if (stored) {
      settings.load(stored).catch((error: unknown) => {
        console.warn('rlm_kernel goes by its default settings:', error);
      });
    }
    if (tracker && notebooks) {
      keepOutputs(notebooks);
      proseCells(tracker, settings);
      NotebookActions.executed.connect((_actions, { notebook, cell }) => {
        // The cell may have loaded the package.
        if (cell.model.sharedModel.getSource().includes('rlm')) {
          notebooks.around(notebook.node)?.kernel.open();
        }
      });
    }
    // Loaded apart: where JupyterLab has no widgets, there is nothing to load it with, and all the rest works.
    try {
      const { registerWidget } = await import('./widget');
      await registerWidget(app, lab);
    } catch (error) {
      console.warn('rlm_kernel has no widgets here:', error);
    }
  }
};
