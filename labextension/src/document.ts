/** A trace file in a tab of its own: what a double click on a `.rlm.jsonl` opens. */

import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { ABCWidgetFactory, DocumentWidget } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';
import type { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';

import { shorten } from './core/text';
import { readTrace } from './core/trace/file';
import type { Bundle } from './core/trace/wire';
import { traceIcon } from './icon';
import type { InsertCell, Lab } from './lab';
import { RunPanel } from './panel';
import { sentence } from './renderer';
import { NOWHERE } from './shown';
import { Unreadable } from './unreadable';

export const FILE_TYPE = 'rlm-trace';
export const FACTORY = 'RLM trace';

/** How often a file of a run without an end is looked at, in milliseconds. */
const LOOK_EVERY = 2_000;
const PREVIEW = 20_000;

/** What JupyterLab is to know of these files. */
export function fileType({ words }: Pick<Lab, 'words'>): Partial<DocumentRegistry.IFileType> {
  return {
    name: FILE_TYPE,
    displayName: words.__('RLM trace'),
    extensions: ['.rlm.jsonl'],
    mimeTypes: ['application/x-ndjson'],
    fileFormat: 'text',
    contentType: 'file',
    icon: traceIcon
  };
}

/** Makes the tabs. */
export class TraceFactory extends ABCWidgetFactory<DocumentWidget<TraceFile>> {
  constructor(
    private readonly lab: Lab,
    private readonly contents: Contents.IManager
  ) {
    super({
      name: FACTORY,
      label: lab.words.__('RLM trace'),
      fileTypes: [FILE_TYPE],
      defaultFor: [FILE_TYPE],
      readOnly: true
    });
  }

  protected override createNewWidget(context: DocumentRegistry.Context): DocumentWidget<TraceFile> {
    const widget = new DocumentWidget({ content: new TraceFile(this.lab, context, this.contents), context });
    widget.title.icon = traceIcon;
    return widget;
  }
}

/** The run in a file. It follows the file while the run in it has no end. */
export class TraceFile extends Panel {
  private panel: RunPanel | null = null;
  private problem: Unreadable | null = null;
  private ended = false;
  private readonly looking: ReturnType<typeof setInterval>;

  constructor(
    private readonly lab: Lab,
    private readonly context: DocumentRegistry.Context,
    private readonly contents: Contents.IManager
  ) {
    super();
    this.addClass('rlm-file');
    this.looking = setInterval(() => {
      if (this.isVisible && !this.ended) {
        void this.look();
      }
    }, LOOK_EVERY);
    const draw = () => {
      this.draw();
    };
    void context.ready.then(() => {
      if (!this.isDisposed) {
        context.model.contentChanged.connect(draw);
        draw();
      }
    });
  }

  override dispose(): void {
    clearInterval(this.looking);
    super.dispose();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.panel?.activate();
  }

  private draw(): void {
    const text = this.context.model.toString();
    try {
      this.put(readTrace(text));
      this.problem?.dispose();
      this.problem = null;
    } catch (error) {
      this.panel?.dispose();
      this.panel = null;
      this.problem?.dispose();
      this.problem = new Unreadable(this.lab, sentence(error, this.lab), {
        'text/plain': shorten(text, PREVIEW)
      });
      this.addWidget(this.problem);
    }
  }

  private put(bundle: Bundle): void {
    this.ended = bundle.events.at(-1)?.type === 'run_finished';
    if (this.panel?.run !== bundle.run) {
      this.panel?.dispose();
      this.panel = new RunPanel(this.lab, bundle.run, { fill: true, tab: false });
      this.addWidget(this.panel);
    }
    this.panel.offer({ ...bundle, path: bundle.path || this.context.path });
  }

  private async look(): Promise<void> {
    const there = this.context.contentsModel?.last_modified;
    try {
      const { last_modified: now } = await this.contents.get(this.context.path, { content: false });
      if (!this.isDisposed && there !== undefined && now !== there) {
        await this.context.revert();
      }
    } catch {
      // Moved or deleted; what was read stays.
      this.ended = true;
    }
  }
}

/** A tab with a run that is not read from a file. */
export function runTab(lab: Lab, run: string, held: Bundle | null, insertCell: InsertCell = null): Widget {
  const panel = new RunPanel(lab, run, { fill: true, tab: false, place: { ...NOWHERE, insertCell } });
  if (held) {
    panel.offer(held);
  }
  panel.title.icon = traceIcon;
  panel.title.label = lab.words.__('Run %1', run);
  panel.title.closable = true;
  return panel;
}
