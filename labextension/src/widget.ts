/** The ipywidget `TraceWidget` of the kernel: the same tree in a layout of one's own, over the widget's messages. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { DOMWidgetModel, DOMWidgetView, IJupyterWidgetRegistry } from '@jupyter-widgets/base';
import type { ExportMap } from '@jupyter-widgets/base';
import { Widget } from '@lumino/widgets';

import { Control } from './control';
import type { Lab } from './lab';
import { RunPanel } from './panel';
import { VERSION } from './version';

/** Makes the widget known, where JupyterLab has widgets. */
export async function registerWidget(app: JupyterFrontEnd, lab: Lab): Promise<void> {
  const registry = await app.resolveOptionalService(IJupyterWidgetRegistry);
  registry?.registerWidget({ name: 'rlm-kernel', version: VERSION, exports: widgetClasses(lab) });
}

/** The classes that the kernel names, for the widget manager to make. */
function widgetClasses(lab: Lab): ExportMap {
  class TraceModel extends DOMWidgetModel {
    // Set in `initialize`, which runs before a field's own initialiser would.
    declare private control: Control;

    override initialize(...given: Parameters<DOMWidgetModel['initialize']>): void {
      super.initialize(...given);
      const control = new Control({
        send: message => {
          this.send(message, {});
        }
      });
      this.control = control;
      this.listenTo(this, 'msg:custom', (message: unknown) => {
        control.receive(message);
      });
      lab.registry.add(control);
      const run = textOf(this.get('run_id'));
      control.note([{ run, cell: '', status: '', live: false, origin: null }]);
      // Anything asked makes the kernel tell how the run stands.
      void control.holds(run);
    }

    override close(commClosed = false): Promise<void> {
      this.control.close('the widget was closed');
      return super.close(commClosed);
    }
  }

  class TraceView extends DOMWidgetView {
    declare private panel: RunPanel | null;

    override render(): void {
      super.render();
      const height = textOf(this.model.get('height'));
      this.el.style.height = height;
      const panel = new RunPanel(lab, textOf(this.model.get('run_id')), { fill: height !== '' });
      this.panel = panel;
      void this.displayed.then(() => {
        Widget.attach(panel, this.el);
      });
    }

    override remove(): void {
      this.panel?.dispose();
      this.panel = null;
      super.remove();
    }
  }

  return { TraceModel, TraceView };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
