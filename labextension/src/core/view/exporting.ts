/** The ways a run leaves the tree: as files a person keeps or mails. */

import { runFile } from '../export/files';
import type { FileKind, RunFile } from '../export/files';
import type { Missing } from '../export/missing';
import type { ViewState } from '../model/state';
import type { Words } from '../words';
import type { Host } from './host';
import type { MenuItem } from './menu';

/** What the menu offers. `say` gets a sentence when a file is not whole, or why there is none. */
export function exportItems(state: ViewState, host: Host, say: (told: string) => void): MenuItem[] {
  const { words } = state;
  const item = (kind: FileKind, label: string): MenuItem => ({
    label,
    run: () => {
      say('');
      saveRun(kind, state, host).then(say, (error: unknown) => {
        say(error instanceof Error ? error.message : String(error));
      });
    }
  });
  return [
    item('jsonl', words.__('Download the trace (.rlm.jsonl)')),
    ...(host.viewer ? [item('html', words.__('Download as a web page (.html)'))] : []),
    item('notebook', words.__('Download as a notebook (.ipynb)'))
  ];
}

/** Hands a person the file; a sentence about what is not in it, or nothing. Rejects with an `Error` that says why not. */
export async function saveRun(kind: FileKind, state: ViewState, host: Host): Promise<string> {
  const { whole, words } = state;
  const viewer = host.viewer?.bind(host);
  const file = await runFile(
    whole,
    kind,
    viewer ?? (() => Promise.reject(new Error(words.__('there is no viewer for a page of its own here'))))
  );
  host.download(file.name, file.mime, file.content);
  return lacks(file, words);
}

function lacks({ name, missing }: RunFile, words: Words): string {
  const parts = told(missing, words);
  return parts.length ? words.__('%1 is not the whole run: %2', name, parts.join(', ')) : '';
}

function told({ texts, calls }: Missing, words: Words): string[] {
  return [
    texts ? words._n('%1 text is shortened', '%1 texts are shortened', texts) : '',
    calls ? words._n('%1 call is missing', '%1 calls are missing', calls) : ''
  ].filter(Boolean);
}
