/** A run as a file: which of what there is goes into it, and what the file is called. */

import { RunStore } from '../model/store';
import { SUFFIX, readTrace } from '../trace/file';
import { toJsonl } from './jsonl';
import { missing } from './missing';
import type { Missing } from './missing';
import { toNotebook } from './notebook';
import { toPage } from './page';
import type { Viewer } from './page';

export type FileKind = 'jsonl' | 'html' | 'notebook';

/** `missing` says how much of the run is not in the file: texts that are shortened in it, calls that are not there. */
export interface RunFile {
  readonly name: string;
  readonly mime: string;
  readonly content: string;
  readonly missing: Missing;
}

const SUFFIXES: Readonly<Record<FileKind, string>> = { jsonl: SUFFIX, html: '.html', notebook: '.ipynb' };
const MIMES: Readonly<Record<FileKind, string>> = {
  jsonl: 'application/x-ndjson',
  html: 'text/html',
  notebook: 'application/x-ipynb+json'
};
const LONGEST = 80;

/**
 * The file of a run. Where the notebook does not hold all of it, the kernel is asked for the rest; where none has it,
 * the file is made of what there is and has `partial` in its name. Rejects where the viewer cannot be had.
 */
export async function runFile(
  store: RunStore,
  kind: FileKind,
  viewer: () => Promise<Viewer>
): Promise<RunFile> {
  const whole = await wholeRun(store);
  const lacks = missing(whole);
  const partial = lacks.texts || lacks.calls ? '-partial' : '';
  return {
    name: `${baseName(store.id)}${partial}${SUFFIXES[kind]}`,
    mime: MIMES[kind],
    content: await content(whole, kind, viewer),
    missing: lacks
  };
}

async function wholeRun(store: RunStore): Promise<RunStore> {
  const { texts, calls } = missing(store);
  if ((!texts && !calls) || !store.link) {
    return store;
  }
  let file: string;
  try {
    file = await store.link.file();
  } catch {
    // Its kernel is gone or lacks the run: the file's name says that it is not whole.
    return store;
  }
  return RunStore.fromBundle({ ...readTrace(file), path: store.path, warning: store.warning });
}

async function content(store: RunStore, kind: FileKind, viewer: () => Promise<Viewer>): Promise<string> {
  switch (kind) {
    case 'jsonl':
      return toJsonl(store.events);
    case 'html':
      return toPage(store, await viewer());
    case 'notebook':
      return toNotebook(store);
  }
}

// The id of a stranger's run can be anything; a file's name cannot.
function baseName(id: string): string {
  const name = id.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '');
  return name.slice(0, LONGEST) || 'run';
}
