/** `Unreadable`: one sentence that says why a trace is not drawn, and below it what else is known of it. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Panel, Widget } from '@lumino/widgets';

import { visible } from './core/text';
import { h } from './core/view/dom';
import type { Lab } from './lab';

const STATIC = ['text/html', 'text/plain'] as const;

/** `ready` when the static view is drawn. Its HTML goes through JupyterLab's sanitiser, also in a trusted notebook. */
export class Unreadable extends Panel {
  readonly ready: Promise<void>;

  constructor(
    private readonly lab: Lab,
    sentence: string,
    data: IRenderMime.IMimeModel['data']
  ) {
    super();
    this.addClass('rlm-unreadable');
    const said = h('p', { class: 'rlm-notice', attrs: { role: 'alert' } }, visible(sentence));
    this.addWidget(new Widget({ node: said }));
    this.ready = this.draw(data);
  }

  private async draw(data: IRenderMime.IMimeModel['data']): Promise<void> {
    for (const mime of STATIC) {
      const content = data[mime];
      if (content !== undefined) {
        const model = this.lab.rendermime.createModel({ data: { [mime]: content }, trusted: false });
        const renderer = this.lab.rendermime.createRenderer(mime);
        this.addWidget(renderer);
        await renderer.renderModel(model);
        return;
      }
    }
  }
}
