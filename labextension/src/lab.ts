/** What the adapters share: the runs, the settings, the words, and what can be done with a run in this JupyterLab. */

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator } from '@jupyterlab/translation';

import { ENGLISH } from './core/words';
import type { Words } from './core/words';
import type { Bundle } from './core/trace/wire';
import type { Notebooks } from './notebooks';
import type { Registry } from './registry';
import type { RunPanel } from './panel';
import type { Settings } from './settings';

/** Puts a cell with that source below the one that a view came from; null where there is none. */
export type InsertCell = ((source: string) => void) | null;

export interface Lab {
  readonly registry: Registry;
  readonly notebooks: Notebooks | null;
  readonly settings: Settings;
  readonly words: Words;
  readonly rendermime: IRenderMimeRegistry;
  /** The views of runs in this page. */
  readonly panels: Set<RunPanel>;
  /** Opens a run in a tab of its own; null where there is only one document in a page. */
  readonly openTab: ((run: string, held: Bundle | null, insertCell?: InsertCell) => void) | null;
  /** Opens two runs side by side in a tab; `held` is what a notebook has of one of them. */
  readonly openCompare:
    ((left: string, right: string, held: Bundle | null, insertCell?: InsertCell) => void) | null;
}

/** The texts in JupyterLab's language. */
export function wordsOf(translator: ITranslator | null): Words {
  if (!translator) {
    return ENGLISH;
  }
  const trans = translator.load('rlm_kernel');
  return {
    __: (text, ...values) => trans.__(text, ...values.map(String)),
    _n: (one, many, count, ...values) => trans._n(one, many, count, ...values.map(String))
  };
}
