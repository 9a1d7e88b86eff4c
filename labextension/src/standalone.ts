/** A page of its own: the run that is in it, drawn by the same core as in JupyterLab. Needs no server and no network. */

import { RunStore } from './core/model/store';
import { ViewState } from './core/model/state';
import { decodeBundle } from './core/trace/decode';
import { DecodeError } from './core/trace/read';
import { RunView } from './core/view/app';
import type { Host } from './core/view/host';

const HOST: Host = {
  download: (name, mime, content) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([content], { type: mime }));
    link.download = name;
    link.click();
    // The browser reads the file after the click.
    setTimeout(() => {
      URL.revokeObjectURL(link.href);
    }, 60_000);
  },
  copy: text => navigator.clipboard.writeText(text)
};

function draw(place: HTMLElement, json: string): void {
  try {
    const store = RunStore.fromBundle(decodeBundle(JSON.parse(json)));
    const view = new RunView(new ViewState(store), HOST, { fill: true });
    place.append(view.node);
    view.focus();
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof SyntaxError)) {
      throw error;
    }
    const told = document.createElement('p');
    told.textContent = `The trace in this page cannot be shown: ${error.message}.`;
    place.append(told);
  }
}

const place = document.getElementById('rlm-page');
const trace = document.getElementById('rlm-trace');
if (place && trace) {
  draw(place, trace.textContent);
}
