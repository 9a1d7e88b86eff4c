/** The messages of the control channel, protocol 1, checked where they come in. */

import type { Feed } from './core/model/store';
import { isFields } from './core/trace/read';
import type { Derived, Fields } from './core/trace/wire';

export const PROTOCOL = 1;

/** How a run stands, as the kernel tells it. `cell` is the id of the cell that started it, or empty. */
export interface Card {
  readonly run: string;
  readonly cell: string;
  readonly status: string;
  readonly live: boolean;
  /** The run that it was made from; null where it was asked by itself. */
  readonly origin: CardOrigin | null;
}

export interface CardOrigin {
  readonly kind: Derived;
  readonly run: string;
  /** The step, empty for the whole run. */
  readonly at: string;
}

const DERIVED = ['replay', 'fork', 'rerun', 'resume'] as const;

/** What a kernel says. */
export type Told =
  | {
      readonly op: 'hello';
      readonly version: string;
      readonly protocol: number;
      readonly runs: readonly Card[];
    }
  | { readonly op: 'run'; readonly card: Card }
  | { readonly op: 'events'; readonly run: string; readonly feed: Feed }
  | { readonly op: 'reply'; readonly ask: number; readonly error: string | null; readonly result: Fields };

/** The message; null for one that is not known here or is not what it says. */
export function readMessage(data: unknown): Told | null {
  if (!isFields(data)) {
    return null;
  }
  switch (data['op']) {
    case 'hello':
      return readHello(data);
    case 'run': {
      const card = readCard(data['card']);
      return card && { op: 'run', card };
    }
    case 'events':
      return readEvents(data);
    case 'reply':
      return readReply(data);
    default:
      return null;
  }
}

function readHello(data: Fields): Told {
  const runs = asList(data['runs']).map(readCard);
  return {
    op: 'hello',
    version: asText(data['version']),
    protocol: asNumber(data['protocol']),
    runs: runs.filter(card => card !== null)
  };
}

function readCard(data: unknown): Card | null {
  if (!isFields(data) || asText(data['run']) === '') {
    return null;
  }
  return {
    run: asText(data['run']),
    cell: asText(data['cell']),
    status: asText(data['status']),
    live: data['live'] === true,
    origin: readOrigin(data['origin'])
  };
}

function readOrigin(data: unknown): CardOrigin | null {
  if (!isFields(data) || asText(data['run']) === '') {
    return null;
  }
  const kind = DERIVED.find(each => each === data['kind']);
  return kind ? { kind, run: asText(data['run']), at: asText(data['at']) } : null;
}

function readEvents(data: Fields): Told | null {
  const { run, since, events } = data;
  if (typeof run !== 'string' || typeof since !== 'number' || !Array.isArray(events)) {
    return null;
  }
  const feed = {
    since,
    events,
    live: data['live'] === true,
    now: asNumber(data['now']),
    path: asText(data['path']),
    warning: asText(data['warning'])
  };
  return { op: 'events', run, feed };
}

function readReply(data: Fields): Told | null {
  const { ask, error } = data;
  if (typeof ask !== 'number') {
    return null;
  }
  return { op: 'reply', ask, error: typeof error === 'string' ? error : null, result: data };
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function asNumber(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
