/** Opens the control channel to a kernel: a comm whose messages are handled while a cell runs. */

import { KernelMessage } from '@jupyterlab/services';
import type { Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';

import { Control } from './control';
import { isFields } from './core/trace/read';
import { PROTOCOL } from './protocol';

const TARGET = 'rlm_kernel';
const LAB = Symbol('JupyterLab routes the messages');
const NOT_LOADED = 'this kernel has not loaded rlm_kernel: run %load_ext rlm_kernel';
/** How long JupyterLab may take to start a subshell, in milliseconds. */
const LAB_PATIENCE = 1_500;
/** How long the kernel may: JupyterLab may hold messages back for three seconds after it has connected. */
const KERNEL_PATIENCE = 8_000;

/** The channel, open. A kernel without the package closes it at once. Rejects where the kernel goes meanwhile. */
export async function openChannel(kernel: Kernel.IKernelConnection, version: string): Promise<Control> {
  const comm = kernel.createComm(TARGET);
  const route =
    (await soon(startedByLab(comm), LAB_PATIENCE)) ?? (await soon(startSubshell(kernel), KERNEL_PATIENCE));
  const own = route === LAB ? null : route;
  const control = new Control({
    send: message => {
      if (comm.isDisposed) {
        throw new Error(NOT_LOADED);
      }
      if (own === null) {
        comm.send(message);
      } else {
        sendTo(kernel, own, { msgType: 'comm_msg', content: { comm_id: comm.commId, data: message } });
      }
    },
    interrupt: () => kernel.interrupt()
  });
  comm.onMsg = message => {
    control.receive(message.content.data);
  };
  comm.onClose = () => {
    control.close(NOT_LOADED);
  };
  const reconnected = (_kernel: unknown, status: Kernel.ConnectionStatus) => {
    if (status === 'connected') {
      control.resumed.emit();
    }
  };
  kernel.connectionStatusChanged.connect(reconnected);
  control.closed.connect(() => {
    kernel.connectionStatusChanged.disconnect(reconnected);
    leave(kernel, comm, own);
  });
  const greeting = { version, protocol: PROTOCOL };
  if (own === null) {
    comm.open(greeting);
  } else {
    const content = { comm_id: comm.commId, target_name: TARGET, data: greeting };
    sendTo(kernel, own, { msgType: 'comm_open', content });
  }
  return control;
}

// JupyterLab from 4.4 on does it by itself, but not where the kernel was busy already when the page was loaded.
async function startedByLab(comm: Kernel.IComm): Promise<typeof LAB | null> {
  if (!('subshellStarted' in comm)) {
    return null;
  }
  await comm.subshellStarted;
  return LAB;
}

/** The id of a new subshell; null for a kernel without. The kernel's control channel answers also while a cell runs. */
async function startSubshell(kernel: Kernel.IKernelConnection): Promise<string | null> {
  if (await hasNone(kernel)) {
    return null;
  }
  const reply = await kernel.sendControlMessage(
    KernelMessage.createMessage({
      msgType: 'create_subshell_request',
      channel: 'control',
      username: kernel.username,
      session: kernel.clientId,
      content: {}
    }),
    true
  ).done;
  const content: unknown = reply.content;
  return isFields(content) && typeof content['subshell_id'] === 'string' ? content['subshell_id'] : null;
}

// A kernel that is busy says nothing of itself.
async function hasNone(kernel: Kernel.IKernelConnection): Promise<boolean> {
  const info: unknown = await soon(kernel.info, 0);
  const features = isFields(info) ? (info['supported_features'] ?? []) : null;
  return Array.isArray(features) && !features.includes('kernel subshells');
}

type CommContent =
  | {
      readonly msgType: 'comm_open';
      readonly content: { comm_id: string; target_name: string; data: JSONObject };
    }
  | { readonly msgType: 'comm_msg'; readonly content: { comm_id: string; data: JSONObject } }
  | { readonly msgType: 'comm_close'; readonly content: { comm_id: string; data: JSONObject } };

function sendTo(kernel: Kernel.IKernelConnection, subshell: string, what: CommContent): void {
  const from = { channel: 'shell', username: kernel.username, session: kernel.clientId } as const;
  const message = commMessage(what, from);
  // Set here and not by `createMessage`: that of JupyterLab before 4.4 does not know it.
  message.header.subshell_id = subshell;
  kernel.sendShellMessage(message);
}

function commMessage(what: CommContent, from: { channel: 'shell'; username: string; session: string }) {
  switch (what.msgType) {
    case 'comm_open':
      return KernelMessage.createMessage<KernelMessage.ICommOpenMsg<'shell'>>({ ...from, ...what });
    case 'comm_msg':
      return KernelMessage.createMessage<KernelMessage.ICommMsgMsg<'shell'>>({ ...from, ...what });
    case 'comm_close':
      return KernelMessage.createMessage<KernelMessage.ICommCloseMsg<'shell'>>({ ...from, ...what });
  }
}

function leave(kernel: Kernel.IKernelConnection, comm: Kernel.IComm, own: string | null): void {
  if (comm.isDisposed) {
    return;
  }
  comm.onClose = () => undefined;
  if (kernel.isDisposed || kernel.status === 'dead') {
    comm.dispose();
  } else if (own === null) {
    comm.close();
  } else {
    sendTo(kernel, own, { msgType: 'comm_close', content: { comm_id: comm.commId, data: {} } });
    comm.dispose();
    void kernel.sendControlMessage(
      KernelMessage.createMessage({
        msgType: 'delete_subshell_request',
        channel: 'control',
        username: kernel.username,
        session: kernel.clientId,
        content: { subshell_id: own }
      }),
      true
    );
  }
}

/** What comes of it; null where that fails or takes too long. */
async function soon<T>(work: Promise<T | null>, patience: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>(resolve => {
    timer = setTimeout(() => {
      resolve(null);
    }, patience);
  });
  try {
    return await Promise.race([work, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
