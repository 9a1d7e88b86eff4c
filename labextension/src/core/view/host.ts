import type { Viewer } from '../export/page';

/** What the place around the core does for it: a notebook, a tab, a page of its own each answer differently. */
export interface Host {
  /** Hands a person a file. */
  download(name: string, mime: string, content: string): void;
  /** Puts text on the clipboard; rejects where the browser does not allow it. */
  copy(text: string): Promise<void>;
  /** Opens the run in a tab of its own; absent where there are none. */
  openTab?(): void;
  /** Opens another run in a tab; absent where there are none. */
  openRun?(run: string): void;
  /** Opens two runs side by side in a tab; absent where there are none. */
  openCompare?(left: string, right: string): void;
  /** Looks for a kernel that has the run, which is then its link; absent where there are none. */
  findKernel?(): void;
  /** Puts a cell with that source below the one that shows the run; absent where there are no cells. */
  insertCell?(source: string): void;
  /** The viewer for a page that works offline; absent where there is none. */
  viewer?(): Promise<Viewer>;
}
