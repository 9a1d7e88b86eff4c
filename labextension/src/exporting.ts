/** A run as a file, on command. */

import type { ViewState } from './core/model/state';
import { exportItems } from './core/view/exporting';
import type { Host } from './core/view/host';

export type ExportFormat = 'jsonl' | 'html' | 'notebook';
const ORDER: readonly ExportFormat[] = ['jsonl', 'html', 'notebook'];

export async function exportRun(format: ExportFormat, state: ViewState, host: Host): Promise<void> {
  await Promise.resolve(exportItems(state, host)[ORDER.indexOf(format)]?.run());
}
