/** A run as a file, on command. */

import { Notification } from '@jupyterlab/apputils';

import type { FileKind } from './core/export/files';
import type { ViewState } from './core/model/state';
import { saveRun } from './core/view/exporting';
import type { Host } from './core/view/host';

export type ExportFormat = FileKind;

/** Hands the person the file, and says what of the run is not in it. Rejects with an `Error` that says why there is none. */
export async function exportRun(format: ExportFormat, state: ViewState, host: Host): Promise<void> {
  const told = await saveRun(format, state, host);
  if (told) {
    Notification.warning(told);
  }
}
