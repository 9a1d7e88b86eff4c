/** What can be done with runs from the palette, the cell toolbar and by key. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';
import { NotebookActions } from '@jupyterlab/notebook';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { stopIcon } from '@jupyterlab/ui-components';

import { insertCell } from './cells';
import { startsWithMagic } from './core/magic';
import { actionsAt } from './core/model/draft';
import { findItem } from './core/model/rows';
import type { ViewState } from './core/model/state';
import type { Derived } from './core/trace/wire';
import { exportRun } from './exporting';
import type { ExportFormat } from './exporting';
import type { Lab } from './lab';
import { isUnderWay } from './notebooks';
import { runsIn } from './outputs';
import type { RunPanel } from './panel';

const CATEGORY = 'RLM';

/** The ids of the commands. */
export const COMMANDS = {
  stop: 'rlm:stop',
  answerNow: 'rlm:answer-now',
  openTab: 'rlm:open-tab',
  replay: 'rlm:replay',
  rerun: 'rlm:rerun',
  fork: 'rlm:fork',
  resume: 'rlm:resume',
  exportJsonl: 'rlm:export-jsonl',
  exportHtml: 'rlm:export-html',
  exportNotebook: 'rlm:export-notebook',
  toggleFollow: 'rlm:toggle-follow',
  insertCell: 'rlm:insert-cell',
  doctor: 'rlm:doctor'
} as const;

/** Adds the commands, and what shows them. */
export function addCommands(
  app: JupyterFrontEnd,
  lab: Lab,
  tracker: INotebookTracker | null,
  palette: ICommandPalette | null
): void {
  const current = new Current(app, lab, tracker);
  const { commands } = app;
  const { words } = lab;

  const attempt = (what: string, act: () => Promise<void>) => async (): Promise<void> => {
    try {
      await act();
    } catch (error) {
      await showErrorMessage(what, error instanceof Error ? error.message : String(error));
    }
  };

  commands.addCommand(COMMANDS.stop, {
    label: words.__('Stop the Run'),
    caption: words.__('End the run now and keep all it did'),
    icon: args => (args['toolbar'] ? stopIcon : undefined),
    isEnabled: () => current.canStop,
    isVisible: args => !args['toolbar'] || current.canStop,
    execute: attempt(words.__('The run was not stopped'), () => current.stop())
  });
  commands.addCommand(COMMANDS.answerNow, {
    label: words.__('Answer Now'),
    caption: words.__('Give the run one last turn with what it has'),
    isEnabled: () => current.liveRun !== null,
    execute: attempt(words.__('The run cannot answer now'), () => current.answerNow())
  });
  commands.addCommand(COMMANDS.openTab, {
    label: words.__('Open the Run in a Tab'),
    isEnabled: () => lab.openTab !== null && current.run !== null,
    isVisible: () => lab.openTab !== null,
    execute: () => {
      if (current.run !== null) {
        lab.openTab?.(current.run, current.panel?.held ?? null);
      }
    }
  });
  const actions: readonly [string, Derived, string][] = [
    [COMMANDS.replay, 'replay', words.__('Replay the Run…')],
    [COMMANDS.resume, 'resume', words.__('Resume the Run…')],
    [COMMANDS.rerun, 'rerun', words.__('Rerun the Selected Call…')],
    [COMMANDS.fork, 'fork', words.__('Fork the Run at the Selected Step…')]
  ];
  for (const [id, kind, label] of actions) {
    commands.addCommand(id, {
      label,
      isEnabled: () => current.canAct(kind),
      execute: () => {
        const { panel } = current;
        // The palette gives the keyboard back to where it was; the form takes it after that.
        requestAnimationFrame(() => {
          panel?.act(kind);
        });
      }
    });
  }
  const exports: readonly [string, ExportFormat, string][] = [
    [COMMANDS.exportJsonl, 'jsonl', words.__('Export the Run as JSONL')],
    [COMMANDS.exportHtml, 'html', words.__('Export the Run as a Web Page')],
    [COMMANDS.exportNotebook, 'notebook', words.__('Export the Run as a Notebook')]
  ];
  for (const [id, format, label] of exports) {
    commands.addCommand(id, {
      label,
      isEnabled: () => current.state !== null,
      execute: attempt(words.__('The run was not exported'), async () => {
        if (current.state && current.panel) {
          await exportRun(format, current.state, current.panel.host);
        }
      })
    });
  }
  commands.addCommand(COMMANDS.toggleFollow, {
    label: words.__('Follow the Newest Step'),
    isToggleable: true,
    isToggled: () => current.state?.follow ?? lab.settings.values.follow,
    execute: async () => {
      const { state } = current;
      if (state) {
        state.setFollow(!state.follow);
      } else {
        await lab.settings.setFollow(!lab.settings.values.follow);
      }
      commands.notifyCommandChanged(COMMANDS.toggleFollow);
    }
  });
  commands.addCommand(COMMANDS.insertCell, {
    label: words.__('Ask About a Variable'),
    caption: words.__('Insert a %%rlm cell below'),
    isEnabled: () => current.notebook !== null,
    execute: () => {
      if (current.notebook) {
        insertCell(current.notebook, '%%rlm ');
      }
    }
  });
  commands.addCommand(COMMANDS.doctor, {
    label: words.__('Check the Installation'),
    caption: words.__('Run %rlm doctor in a new cell'),
    isEnabled: () => current.notebook !== null,
    execute: async () => {
      const { notebook } = current;
      if (notebook) {
        const loaded = lab.notebooks?.of(notebook)?.control ?? null;
        insertCell(notebook, loaded ? '%rlm doctor' : '%load_ext rlm_kernel\n%rlm doctor');
        await NotebookActions.run(notebook.content, notebook.sessionContext);
      }
    }
  });

  const ids = Object.values(COMMANDS);
  const changed = () => {
    ids.forEach(id => {
      commands.notifyCommandChanged(id);
    });
  };
  lab.registry.changed.connect(changed);
  tracker?.activeCellChanged.connect(changed);
  NotebookActions.executionScheduled.connect(changed);
  NotebookActions.executed.connect(changed);
  if (palette) {
    ids.forEach(command => {
      palette.addItem({ command, category: CATEGORY });
    });
  }
}

/** The run a command is about: of the tree with the keyboard, of the tab in front, or of the active cell. */
class Current {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly lab: Lab,
    private readonly tracker: INotebookTracker | null
  ) {}

  get notebook(): NotebookPanel | null {
    const panel = this.tracker?.currentWidget ?? null;
    return panel && panel === this.app.shell.currentWidget ? panel : null;
  }

  get panel(): RunPanel | null {
    const panels = [...this.lab.panels];
    const focused = panels.find(panel => panel.node.contains(document.activeElement));
    const { notebook } = this;
    const place = notebook ? this.cell?.node : this.app.shell.currentWidget?.node;
    const run = this.cellRun;
    const inPlace = panels.filter(panel => place?.contains(panel.node));
    return focused ?? inPlace.find(panel => panel.run === run) ?? inPlace.at(-1) ?? null;
  }

  get state(): ViewState | null {
    return this.panel?.state ?? null;
  }

  get run(): string | null {
    return this.panel?.run ?? this.cellRun;
  }

  get liveRun(): string | null {
    const { run } = this;
    return run !== null && this.lab.registry.card(run)?.live ? run : null;
  }

  /** Whether there is a run to stop, or a cell that runs one in a kernel without the channel. */
  get canStop(): boolean {
    return this.liveRun !== null || this.asksKernel;
  }

  /** Whether the action fits the run, or its selected step. */
  canAct(kind: Derived): boolean {
    const { state } = this;
    const whole = kind === 'replay' || kind === 'resume';
    const item = state && (whole ? findItem(state.whole.tree, '0') : state.selectedItem);
    return state !== null && item !== null && actionsAt(item, state.whole).includes(kind);
  }

  async stop(): Promise<void> {
    const { liveRun } = this;
    if (liveRun !== null) {
      await this.lab.registry.holder(liveRun)?.link(liveRun).stop();
    } else if (this.asksKernel) {
      await this.notebook?.sessionContext.session?.kernel?.interrupt();
    }
  }

  async answerNow(): Promise<void> {
    const { liveRun } = this;
    if (liveRun !== null) {
      await this.lab.registry.holder(liveRun)?.link(liveRun).answerNow();
    }
  }

  private get cell(): CodeCell | null {
    const cell = this.notebook?.content.activeCell;
    return cell instanceof CodeCell ? cell : null;
  }

  // The one under way, else the last.
  private get cellRun(): string | null {
    const { cell } = this;
    if (!cell) {
      return null;
    }
    const live = this.lab.registry.live.find(card => card.cell === cell.model.id);
    return live?.run ?? runsIn(cell.model).at(-1) ?? null;
  }

  private get asksKernel(): boolean {
    const { cell } = this;
    return cell !== null && isUnderWay(cell) && startsWithMagic(cell.model.sharedModel.getSource());
  }
}
