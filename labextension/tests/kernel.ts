/** A kernel's end of the channel, told by a test what to say. */

import { Control } from '../src/control';
import type { Json } from './core/story';

export class Kernel {
  /** What the front end said, without what it is answered under. */
  readonly heard: Json[] = [];
  interrupts = 0;
  readonly control: Control;
  private broken = false;

  constructor(canInterrupt = true) {
    const interrupt = (): Promise<void> => {
      this.interrupts += 1;
      return Promise.resolve();
    };
    this.control = new Control({
      send: message => {
        if (this.broken) {
          throw new Error('the line is dead');
        }
        this.heard.push(message);
      },
      ...(canInterrupt ? { interrupt } : {})
    });
  }

  /** The ops that were heard, in order. */
  get ops(): unknown[] {
    return this.heard.map(message => message['op']);
  }

  hello(...runs: Json[]): this {
    return this.say({ op: 'hello', version: '1.0', protocol: 1, runs });
  }

  run(run: string, more: Json = {}): this {
    return this.say({ op: 'run', card: card(run, more) });
  }

  feed(run: string, since: number, events: readonly unknown[], more: Json = {}): this {
    return this.say({ op: 'events', run, since, events, live: true, now: 1, path: '', warning: '', ...more });
  }

  /** Answers what was asked last. */
  reply(result: Json): this {
    return this.say({ op: 'reply', ask: this.heard.at(-1)?.['ask'], ...result });
  }

  say(message: unknown): this {
    this.control.receive(message);
    return this;
  }

  /** Nothing can be sent to it any more. */
  hangUp(): void {
    this.broken = true;
  }
}

export function card(run: string, more: Json = {}): Json {
  return { run, cell: 'c1', status: 'running', live: true, ...more };
}
