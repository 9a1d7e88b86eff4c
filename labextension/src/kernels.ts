/** `Kernels`: keeps a control channel open to the kernel of every notebook. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';

import { openChannel } from './channel';
import type { Control } from './control';
import { Signal } from './core/signal';
import type { Registry } from './registry';

const RESTARTING = new Set(['restarting', 'autorestarting', 'starting']);

/** The kernel of one notebook, whichever it is at the moment. */
export class NotebookKernel {
  /** A channel has been opened; the kernel says hello over it if it has the package. */
  readonly opened = new Signal<Control>();
  private current: Control | null = null;
  private opening: object | null = null;
  private restarted = false;

  constructor(
    private readonly context: ISessionContext,
    private readonly registry: Registry,
    private readonly version: string
  ) {
    context.kernelChanged.connect(() => {
      this.leave('the notebook has another kernel now');
      this.open();
    });
    context.statusChanged.connect((_context, status) => {
      this.follow(status);
    });
    context.disposed.connect(() => {
      this.leave('the notebook was closed');
    });
    this.open();
  }

  /** The channel to the kernel; null where there is none, or its kernel has not the package. */
  get control(): Control | null {
    return this.current;
  }

  /** Opens the channel where there is none: the kernel may have loaded the package since. */
  open(): void {
    const kernel = this.context.session?.kernel;
    if (kernel && !this.current && !this.opening) {
      void this.openTo(kernel);
    }
  }

  private async openTo(kernel: Kernel.IKernelConnection): Promise<void> {
    const attempt = {};
    this.opening = attempt;
    try {
      const control = await openChannel(kernel, this.version);
      if (this.opening === attempt) {
        this.keep(control);
      } else {
        control.close('the notebook has another kernel now');
      }
    } catch {
      // The kernel died or went meanwhile; the session tells of its successor.
    } finally {
      if (this.opening === attempt) {
        this.opening = null;
      }
    }
  }

  private keep(control: Control): void {
    this.current = control;
    control.closed.connect(() => {
      if (this.current === control) {
        this.current = null;
      }
    });
    this.registry.add(control);
    this.opened.emit(control);
  }

  private follow(status: Kernel.Status): void {
    if (RESTARTING.has(status)) {
      this.restarted = true;
      this.leave('the kernel was restarted; run the cell again');
    } else if (status === 'dead') {
      this.leave('the kernel has died; restart it and run the cell again');
    } else if (this.restarted && (status === 'idle' || status === 'busy')) {
      this.restarted = false;
      this.open();
    }
  }

  private leave(why: string): void {
    this.opening = null;
    this.current?.close(why);
    this.current = null;
  }
}
