/** What JupyterLab does for a view of a run. */

import type { Host } from './core/view/host';
import { loadViewer } from './viewer';

/** How long a browser may need to take a file, in milliseconds. */
const TAKEN_AFTER = 60_000;

/** What a place in JupyterLab can do beside the rest; null where it cannot. */
export interface Abilities {
  readonly openTab: (() => void) | null;
  readonly openRun: ((run: string) => void) | null;
  readonly openCompare: ((left: string, right: string) => void) | null;
  readonly insertCell: ((source: string) => void) | null;
  readonly findKernel: () => void;
}

/** The host of a view in JupyterLab. */
export function labHost({ openTab, openRun, openCompare, insertCell, findKernel }: Abilities): Host {
  return {
    download,
    copy,
    viewer: loadViewer,
    findKernel,
    ...(openTab ? { openTab } : {}),
    ...(openRun ? { openRun } : {}),
    ...(openCompare ? { openCompare } : {}),
    ...(insertCell ? { insertCell } : {})
  };
}

function download(name: string, mime: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: mime }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.hidden = true;
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, TAKEN_AFTER);
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not there without HTTPS, as on many JupyterHubs, and refused in some frames.
    copySelected(text);
  }
}

function copySelected(text: string): void {
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  // The only way to the clipboard that needs no permission.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const copied = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) {
    focused.focus({ preventScroll: true });
  }
  if (!copied) {
    throw new Error('the browser does not allow it');
  }
}
