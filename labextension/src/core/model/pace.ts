/** `Pace`: how long each event of a run is waited for while it is played back. */

import type { TraceEvent } from '../trace/wire';
import type { Beat } from './beats';

/** Times as fast as it was; `steps` gives every beat the same time, however long it took. */
export const SPEEDS = ['0.5', '1', '2', '5', '10', 'steps'] as const;
export type Speed = (typeof SPEEDS)[number];

/** No wait is longer, in seconds: nobody watches a model think for minutes. */
export const LONGEST = 2;
/** How long a beat is where all are alike. */
export const BEAT = 1;
/** A run that is over sooner than these seconds is watched beat by beat, if nobody says otherwise. */
const SHORT = 5;

/** Some events are there, and of the wait for the next one that share is over. */
interface Standing {
  readonly count: number;
  readonly waited: number;
}

/** Places are between 0 and 1, on an axis that long waits take no more of than they are watched. */
export class Pace {
  speed: Speed;
  /** When each event was, in seconds since the run began; never before the one before it. */
  private readonly times: Float64Array;
  /** Where on the axis each event is. */
  private readonly axis: Float64Array;

  constructor(
    events: readonly TraceEvent[],
    readonly beats: readonly Beat[],
    speed?: Speed
  ) {
    this.times = new Float64Array(events.length);
    this.axis = new Float64Array(events.length);
    let [latest, watched] = [0, 0];
    for (const [at, event] of events.entries()) {
      const wait = Math.max(0, event.t - latest);
      latest += wait;
      watched += Math.min(wait, LONGEST);
      this.times[at] = latest;
      this.axis[at] = watched;
    }
    // Events of the same moment have a little room each, so that every one of them can be gone to.
    const room = Math.max(watched, 1) / (4 * Math.max(1, events.length));
    this.axis.forEach((at, index) => {
      this.axis[index] = at + room * (index + 1);
    });
    this.speed = speed ?? (watched < SHORT ? 'steps' : '1');
  }

  /** How many events there are. */
  get count(): number {
    return this.times.length;
  }

  /** Seconds since the run began. */
  moment(count: number, waited: number): number {
    return between(this.times, count, waited);
  }

  /** The place of so many events, where those before the start are at 0. */
  place(start: number, count: number, waited: number): number {
    const first = between(this.axis, start, 0);
    const length = between(this.axis, this.count, 0) - first;
    return length > 0 ? Math.min(1, Math.max(0, (between(this.axis, count, waited) - first) / length)) : 1;
  }

  /** What is there at a place. */
  at(start: number, place: number): Standing {
    if (place >= 1) {
      return { count: this.count, waited: 0 };
    }
    const first = between(this.axis, start, 0);
    const to = first + Math.max(0, place) * (between(this.axis, this.count, 0) - first);
    const count = Math.max(
      start,
      firstWhere(this.count, at => (this.axis[at] ?? 0) > to)
    );
    const [before, next] = [between(this.axis, count, 0), between(this.axis, count + 1, 0)];
    return { count, waited: next > before ? Math.min(1, Math.max(0, (to - before) / (next - before))) : 0 };
  }

  /** What is there when so many seconds have been watched from there on. */
  after(count: number, waited: number, seconds: number): Standing {
    let [left, at, over] = [seconds, count, waited];
    while (at < this.count) {
      const wait = this.wait(at);
      const rest = wait * (1 - over);
      if (left < rest) {
        return { count: at, waited: over + left / wait };
      }
      left -= rest;
      at += 1;
      over = 0;
    }
    return { count: at, waited: 0 };
  }

  /** Which beat the event of that number is in. */
  beatAt(event: number): number {
    return firstWhere(this.beats.length, at => (this.beats[at]?.end ?? 0) > event);
  }

  // How many seconds are watched before the event of that number.
  private wait(event: number): number {
    if (this.speed !== 'steps') {
      const real = between(this.times, event + 1, 0) - between(this.times, event, 0);
      return Math.min(LONGEST, real / Number(this.speed));
    }
    const at = this.beatAt(event);
    const start = between(this.axis, this.beats[at - 1]?.end ?? 0, 0);
    const length = between(this.axis, this.beats[at]?.end ?? 0, 0) - start;
    return (BEAT * (between(this.axis, event + 1, 0) - between(this.axis, event, 0))) / length;
  }
}

/** What an event's value is after so many of them, and a share of the way to the next. */
function between(values: Float64Array, count: number, share: number): number {
  const before = values[count - 1] ?? 0;
  return before + share * ((values[count] ?? before) - before);
}

/** The first of so many numbers for which it is true, where it is true for all after that; their count if for none. */
function firstWhere(count: number, is: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (is(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
