/**
 * Beats: the steps in which a run is played back, each of which a person would call one. A batch is two of them, sent
 * and back, and a run with very many calls has no more beats than somebody has patience for.
 */

import type { CallStarted, TraceEvent } from '../trace/wire';

/** `sent` and `back` are of the plain requests of batches, `inside` is what is too deep to be told one by one. */
export type BeatKind = 'step' | 'sent' | 'back' | 'inside';

/** Some events of a run that follow each other. */
export interface Beat {
  readonly kind: BeatKind;
  /** How many events of the run there are when it is over. */
  readonly end: number;
  /** The first of its events, which it is named after. */
  readonly event: TraceEvent;
  /** How many sub-calls began or ended in it. */
  readonly calls: number;
}

/** The most beats before deep calls are told together. */
const MOST = 400;
/** How many beats what is told together is divided into at most, so that it is seen to go on. */
const PARTS = 100;

/** The events of a run in beats; together they are all of them. */
export function beatsOf(events: readonly TraceEvent[]): Beat[] {
  const calls = new Map<string, CallStarted>();
  for (const event of events) {
    if (event.type === 'call_started') {
      calls.set(event.callId, event);
    }
  }
  for (const deepest of [Infinity, 3, 2, 1]) {
    const beats = new Scan(calls, deepest, events.length).beats(events);
    if (beats.length <= MOST) {
      return beats;
    }
  }
  return new Scan(calls, 0, events.length).beats(events);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

class Scan {
  private readonly made: Writable<Beat>[] = [];
  private readonly answered = new Set<string>();
  private readonly replied = new Set<string>();
  private readonly most: number;
  private begun = 0;

  constructor(
    private readonly calls: ReadonlyMap<string, CallStarted>,
    private readonly deepest: number,
    events: number
  ) {
    this.most = Math.ceil(events / PARTS);
  }

  beats(events: readonly TraceEvent[]): Beat[] {
    events.forEach((event, at) => {
      const kind = this.kindOf(event);
      const last = this.made.at(-1);
      if (last && (kind === null || this.goesOn(last, kind, event, at))) {
        last.end = at + 1;
        last.calls += counted(event, last.kind);
      } else {
        const beat = { kind: kind ?? 'step', end: at + 1, event, calls: 0 };
        beat.calls = counted(event, beat.kind);
        this.made.push(beat);
        this.begun = at;
      }
    });
    return this.made;
  }

  private goesOn(last: Beat, kind: BeatKind, event: TraceEvent, at: number): boolean {
    switch (kind) {
      case 'step':
        return false;
      case 'sent':
        return last.kind === kind && batchOf(last.event) === batchOf(event);
      case 'back':
        return last.kind === kind;
      case 'inside':
        return last.kind === kind && at - this.begun < this.most;
    }
  }

  // Null is for what a person sees as part of what was just before it.
  private kindOf(event: TraceEvent): BeatKind | null {
    switch (event.type) {
      case 'run_started':
        return 'step';
      case 'run_finished':
        return this.last() === 'call_finished 0' ? null : 'step';
      case 'call_started':
        return event.depth > this.deepest ? 'inside' : this.begins(event);
      case 'run_paused':
        return event.tries ? null : 'step';
      case 'run_continued':
        return 'step';
      case 'model_asked':
        return this.isDeep(event.callId) ? 'inside' : null;
      case 'block_held':
      case 'code_executed':
        return this.isDeep(event.callId) ? 'inside' : 'step';
      case 'model_replied':
      case 'call_finished':
        return this.isDeep(event.callId) ? 'inside' : this.answers(event.type, event.callId);
    }
  }

  private begins(event: CallStarted): BeatKind | null {
    if (event.depth === 0) {
      return null;
    }
    // Of those that only now get their turn the batch's answers tell.
    return event.batch ? (this.answered.has(event.batch.id) ? 'back' : 'sent') : 'step';
  }

  private answers(type: 'model_replied' | 'call_finished', id: string): BeatKind | null {
    const call = this.calls.get(id);
    if (call?.kind !== 'llm') {
      return 'step';
    }
    if (call.batch) {
      this.answered.add(call.batch.id);
      return 'back';
    }
    if (type === 'model_replied') {
      this.replied.add(id);
      return 'step';
    }
    return this.replied.has(id) ? null : 'step';
  }

  private isDeep(id: string): boolean {
    return (this.calls.get(id)?.depth ?? 0) > this.deepest;
  }

  private last(): string {
    const event = this.made.at(-1)?.event;
    return event?.type === 'call_finished' ? `${event.type} ${event.callId}` : '';
  }
}

/** How many sub-calls an event of such a beat is about: those that are sent when they begin, others when they end. */
export function counted(event: TraceEvent, kind: BeatKind): number {
  switch (kind) {
    case 'step':
      return 0;
    case 'sent':
      return Number(event.type === 'call_started');
    case 'back':
    case 'inside':
      return Number(event.type === 'call_finished');
  }
}

function batchOf(event: TraceEvent): string | null {
  return event.type === 'call_started' ? (event.batch?.id ?? null) : null;
}
