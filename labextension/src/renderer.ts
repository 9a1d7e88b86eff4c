/** The renderer of a trace in an output: the live tree where a kernel has the run, else what the notebook holds. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';

import { decodeBundle } from './core/trace/decode';
import { DecodeError } from './core/trace/read';
import type { Bundle } from './core/trace/wire';
import type { Lab } from './lab';
import { RunPanel } from './panel';
import { Unreadable } from './unreadable';

export const MIME = 'application/vnd.rlm.trace+json';

/** Below -10, where the widget manager registers its own: with the same rank it is chance which one wins. */
const RANK = -100;

/** For JupyterLab to make renderers with. Safe: what a model said is only ever text. */
export function rendererFactory(lab: Lab): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [MIME],
    defaultRank: RANK,
    createRenderer: () => new TraceRenderer(lab)
  };
}

/** One output. JupyterLab gives it each new version of the output's data. */
export class TraceRenderer extends Panel implements IRenderMime.IRenderer {
  private panel: RunPanel | null = null;
  private sentence: Unreadable | null = null;

  constructor(private readonly lab: Lab) {
    super();
    this.addClass('rlm-output');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    try {
      this.draw(decodeBundle(model.data[MIME]));
      this.clear();
    } catch (error) {
      this.panel?.dispose();
      this.panel = null;
      this.clear();
      this.sentence = new Unreadable(this.lab, sentence(error, this.lab), model.data);
      this.addWidget(this.sentence);
      await this.sentence.ready;
    }
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.panel?.activate();
  }

  private draw(bundle: Bundle): void {
    if (this.panel?.run !== bundle.run) {
      this.panel?.dispose();
      this.panel = new RunPanel(this.lab, bundle.run, this.place());
      this.addWidget(this.panel);
    }
    this.panel.offer(bundle);
  }

  private place() {
    const place = this.lab.notebooks?.place(this.node);
    return place ? { place } : {};
  }

  private clear(): void {
    this.sentence?.dispose();
    this.sentence = null;
  }
}

/** What is wrong with data that cannot be drawn, and what to do. */
export function sentence(error: unknown, { words }: Pick<Lab, 'words'>): string {
  if (error instanceof DecodeError && error.newer) {
    return words.__(
      'This trace was written by a newer rlm_kernel: update it where JupyterLab runs (pip install -U rlm-kernel) and reload the page. Below is what can be shown of it.'
    );
  }
  const why = error instanceof Error ? error.message : String(error);
  return error instanceof DecodeError
    ? words.__('This trace cannot be read: %1. Below is what can be shown of it.', why)
    : words.__('This trace cannot be drawn: %1. Below is what can be shown of it.', why);
}
