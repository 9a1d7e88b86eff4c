/** `Control`: the front end's end of the conversation with one kernel, whatever carries the messages. */

import type { JSONObject } from '@lumino/coreutils';

import type { Edit } from './core/model/edit';
import type { Choice, Feed, HeldAt, Link } from './core/model/store';
import { Signal } from './core/signal';
import { isFields } from './core/trace/read';
import type { Derived, Fields } from './core/trace/wire';
import { readMessage } from './protocol';
import type { Card } from './protocol';

/** How long an answer may take, in milliseconds. */
const PATIENCE = 30_000;
/** How long it may take until runs made from another are started: the one is replayed up to a step before. */
const DERIVE_PATIENCE = 600_000;
/** How long a stop may go unacknowledged before the kernel is interrupted, in milliseconds. */
const STOP_PATIENCE = 1_500;

export interface ControlOptions {
  /** Carries a message to the kernel; throws where that is not possible any more. */
  send(message: JSONObject): void;
  /** Interrupts the kernel, where one can. */
  interrupt?(): Promise<void>;
}

interface Ask {
  resolve(result: Fields): void;
  reject(error: Error): void;
}

/** Knows the kernel's runs by what it tells of them. Of no use once it is closed. */
export class Control {
  /** The package's version, as its hello says it; empty before. */
  version = '';
  /** The kernel has said hello, or how a run stands. */
  readonly told = new Signal<readonly Card[]>();
  /** The connection is back after a break, in which messages may have been lost. */
  readonly resumed = new Signal();
  readonly closed = new Signal();
  private readonly known = new Map<string, Card>();
  private readonly feeds = new Map<string, (feed: Feed) => void>();
  private readonly asks = new Map<number, Ask>();
  private asked = 0;
  private gone = '';

  constructor(private readonly options: ControlOptions) {}

  get isClosed(): boolean {
    return this.gone !== '';
  }

  /** How each run stands that the kernel told of. */
  get cards(): ReadonlyMap<string, Card> {
    return this.known;
  }

  /** Takes a message of the kernel; one that makes no sense changes nothing. */
  receive(data: unknown): void {
    const message = readMessage(data);
    switch (message?.op) {
      case undefined:
        break;
      case 'hello':
        this.version = message.version;
        this.note(message.runs);
        break;
      case 'run':
        this.note([message.card]);
        break;
      case 'events':
        this.feeds.get(message.run)?.(message.feed);
        break;
      case 'reply': {
        const ask = this.asks.get(message.ask);
        if (message.error === null) {
          ask?.resolve(message.result);
        } else {
          ask?.reject(new Error(message.error));
        }
      }
    }
  }

  /** Keeps that this kernel has the run. */
  note(cards: readonly Card[]): void {
    for (const card of cards) {
      this.known.set(card.run, card);
    }
    this.told.emit(cards);
  }

  /** From now on hands over the run's events numbered `since` and up. */
  watch(run: string, since: number, take: (feed: Feed) => void): void {
    this.feeds.set(run, take);
    this.say({ op: 'watch', run, since });
  }

  unwatch(run: string): void {
    if (this.feeds.delete(run)) {
      this.say({ op: 'unwatch', run });
    }
  }

  /** What can be asked of the run. */
  link(run: string): Link {
    return {
      stop: () => this.stop(run),
      answerNow: async () => {
        await this.ask({ op: 'answer_now', run });
      },
      tryNow: async () => {
        await this.ask({ op: 'try_now', run });
      },
      whole: async seqs => listIn(await this.ask({ op: 'whole', run, seqs: [...seqs] }), 'events'),
      file: async () => textIn(await this.ask({ op: 'file', run }), 'text'),
      derive: (kind, at, edit) => this.derive(run, kind, at, edit),
      decide: async (held, what, code) => {
        await this.ask(decision(run, held, what, code));
      }
    };
  }

  /** What the notebook should hold of the run, by MIME type. */
  async bundle(run: string): Promise<Fields> {
    const { data } = await this.ask({ op: 'bundle', run });
    if (!isFields(data)) {
      throw new Error('the kernel sent no bundle');
    }
    return data;
  }

  /** Whether the kernel has the run, also one that it has not told of. */
  async holds(run: string): Promise<boolean> {
    try {
      await this.ask({ op: 'whole', run, seqs: [] });
      return true;
    } catch {
      return false;
    }
  }

  /** Ends it: whoever waits for an answer hears why there will be none. */
  close(why: string): void {
    if (this.gone) {
      return;
    }
    this.gone = why;
    this.feeds.clear();
    for (const ask of [...this.asks.values()]) {
      ask.reject(new Error(why));
    }
    this.closed.emit();
  }

  private async derive(run: string, kind: Derived, at: string, edit: Edit): Promise<readonly string[]> {
    const asked = { op: 'derive', run, kind, at, edit: editJson(edit) };
    const ids = listIn(await this.ask(asked, DERIVE_PATIENCE), 'runs');
    return ids.filter(id => typeof id === 'string');
  }

  // An interrupt needs no channel: it reaches the run where this one is deaf, as in a kernel without subshells.
  private async stop(run: string): Promise<void> {
    try {
      await this.ask({ op: 'stop', run }, STOP_PATIENCE);
    } catch (error) {
      if (!this.options.interrupt || this.gone) {
        throw error;
      }
      await this.options.interrupt();
    }
  }

  private ask(message: JSONObject, patience = PATIENCE): Promise<Fields> {
    this.asked += 1;
    const ask = this.asked;
    return new Promise<Fields>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new Error(`the kernel did not answer in ${String(patience / 1000)} s; interrupt or restart it`)
        );
      }, patience);
      this.asks.set(ask, {
        resolve,
        reject: error => {
          clearTimeout(timer);
          reject(error);
        }
      });
      this.say({ ...message, ask });
      if (this.gone) {
        reject(new Error(this.gone));
      }
    }).finally(() => {
      this.asks.delete(ask);
    });
  }

  private say(message: JSONObject): void {
    if (this.gone) {
      return;
    }
    try {
      this.options.send(message);
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
    }
  }
}

function decision(run: string, { callId, turn, block }: HeldAt, what: Choice, code?: string): JSONObject {
  const place = { op: 'decide', run, call: callId, turn, block, what };
  return code === undefined ? place : { ...place, code };
}

function editJson({ limits, ...edit }: Edit): JSONObject {
  return limits ? { ...edit, limits: { ...limits } } : { ...edit };
}

function listIn(result: Fields, name: string): readonly unknown[] {
  const value = result[name];
  if (!Array.isArray(value)) {
    throw new Error(`the kernel sent no ${name}`);
  }
  return value;
}

function textIn(result: Fields, name: string): string {
  const value = result[name];
  if (typeof value !== 'string') {
    throw new Error(`the kernel sent no ${name}`);
  }
  return value;
}
