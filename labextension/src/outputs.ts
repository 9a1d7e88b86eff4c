/** `Outputs`: keeps a run's output in its cell where this page did not start the run, as after a reload. */

import { CodeCell } from '@jupyterlab/cells';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { IDisplayData } from '@jupyterlab/nbformat';
import type { JSONObject, JSONValue } from '@lumino/coreutils';

import type { Control } from './control';
import { isFields } from './core/trace/read';
import type { Fields } from './core/trace/wire';
import { isUnderWay } from './notebooks';
import type { Notebooks, Open } from './notebooks';
import type { Card } from './protocol';
import { MIME } from './renderer';

/** Watches every notebook from now on. A cell that this page runs is left alone: its outputs come by themselves. */
export function keepOutputs(notebooks: Notebooks): void {
  const watch = ({ panel, kernel }: Open) => {
    kernel.opened.connect(control => {
      const keeper = new Keeper(panel, control);
      control.told.connect(cards => {
        keeper.take(cards);
      });
      control.closed.connect(() => {
        keeper.leave();
      });
    });
  };
  notebooks.all.forEach(watch);
  notebooks.added.connect(watch);
}

/** The id of the run in an output's data, or null where that is no run. */
export function runIn(data: Readonly<Record<string, unknown>>): string | null {
  const bundle = data[MIME];
  return isFields(bundle) && typeof bundle['run'] === 'string' ? bundle['run'] : null;
}

/** The ids of the runs in a cell's outputs, in order. */
export function runsIn(model: ICodeCellModel): string[] {
  const found = Array.from({ length: model.outputs.length }, (_, at) => runIn(model.outputs.get(at).data));
  return found.filter(run => run !== null);
}

class Keeper {
  // By run: the cell that shows it for us.
  private readonly adopted = new Map<string, CodeCell>();
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly panel: Open['panel'],
    private readonly control: Control
  ) {}

  take(cards: readonly Card[]): void {
    for (const card of cards.filter(each => each.cell !== '')) {
      this.work = this.work
        .then(() => this.keep(card))
        .catch((error: unknown) => {
          // The run goes on, and its tree is in the kernel and on disk; only this page could not put it into the cell.
          console.warn('rlm_kernel: the output of a run was not kept', error);
        });
    }
  }

  leave(): void {
    for (const cell of this.adopted.values()) {
      mark(cell, false);
    }
    this.adopted.clear();
  }

  private async keep(card: Card): Promise<void> {
    await this.panel.context.ready;
    const cell = this.cell(card.cell);
    if (!cell || isUnderWay(cell)) {
      return;
    }
    const at = placeOf(cell, card.run);
    if (card.live) {
      this.adopted.set(card.run, cell);
      mark(cell, true);
      if (at < 0) {
        await this.put(cell, card.run);
      }
    } else if (this.adopted.has(card.run) || (at >= 0 && isLive(cell, at))) {
      await this.put(cell, card.run);
      mark(cell, false);
      this.adopted.delete(card.run);
    }
  }

  private cell(id: string): CodeCell | null {
    const cell = this.panel.content.widgets.find(each => each.model.id === id);
    return cell instanceof CodeCell ? cell : null;
  }

  private async put(cell: CodeCell, run: string): Promise<void> {
    const bundle = await this.control.bundle(run);
    if (cell.isDisposed || isUnderWay(cell)) {
      return;
    }
    const output = displayData(bundle);
    const at = placeOf(cell, run);
    if (at < 0) {
      cell.model.outputs.add(output);
    } else {
      cell.model.outputs.set(at, output);
    }
  }
}

function placeOf(cell: CodeCell, run: string): number {
  const { outputs } = cell.model;
  return Array.from({ length: outputs.length }, (_, at) => runIn(outputs.get(at).data)).indexOf(run);
}

function isLive(cell: CodeCell, at: number): boolean {
  const bundle: unknown = cell.model.outputs.get(at).data[MIME];
  return isFields(bundle) && bundle['live'] === true;
}

function mark(cell: CodeCell, running: boolean): void {
  if (cell.isDisposed) {
    return;
  }
  if ('executionState' in cell.model) {
    cell.model.executionState = running ? 'running' : 'idle';
  } else {
    // JupyterLab before 4.2 has only the prompt.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    CodeCell.prototype.setPrompt.call(cell, running ? '*' : '');
  }
}

function displayData(bundle: Fields): IDisplayData {
  const data: IDisplayData['data'] = {};
  for (const [mime, content] of Object.entries(bundle)) {
    if (typeof content === 'string') {
      data[mime] = content;
    } else if (isFields(content)) {
      data[mime] = jsonObject(content);
    }
  }
  return { output_type: 'display_data', data, metadata: {} };
}

/** A copy of the object with only what JSON can hold. */
function jsonObject(value: Fields): JSONObject {
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, json(item)]));
}

function json(value: unknown): JSONValue {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(json);
  }
  return isFields(value) ? jsonObject(value) : null;
}
