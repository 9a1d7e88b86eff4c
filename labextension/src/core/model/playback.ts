/** `Playback`: a run played back as it happened, from its events alone: no kernel, no model, no key. */

import { Signal } from '../signal';
import { beatsOf, counted } from './beats';
import type { Beat } from './beats';
import { Pace } from './pace';
import type { Speed } from './pace';
import { RunStore } from './store';

/** The most seconds that one look at the clock counts for: a page out of sight plays nothing. */
const LOOK = 0.5;
/** What share of a run may have come since without being planned. */
const MANY = 0.02;

/** Where a playback stands among its beats. */
export interface Standing {
  /** Counted from 1. */
  readonly number: number;
  readonly beat: Beat;
  /** How many of its sub-calls have begun or ended by now. */
  readonly calls: number;
}

/** The first events of a run, as it was when no more of them were there. Nothing can be asked of its kernel. */
class PlayedStore extends RunStore {
  /** Seconds since the run began, as it was played. */
  moment = 0;

  constructor(private readonly whole: RunStore) {
    super(whole.id, true);
  }

  override get now(): number {
    return this.live ? this.moment : super.now;
  }

  /** Goes on until so many events are there. */
  grow(count: number): void {
    this.take(this.whole.events.slice(this.events.length, count));
    if (this.live && this.events.length === this.whole.events.length && !this.whole.live) {
      this.end();
    }
  }
}

/** Holds the first events of `whole` in `store`, more of them as its clock goes on. Free of the DOM. */
export class Playback {
  /** Other events are there, or it plays or stands still, or time went on. */
  readonly changed = new Signal();
  private played: PlayedStore;
  private pace: Pace;
  private going = false;
  /** The share of the wait for the next event that is over. */
  private waited = 0;
  private looked = 0;

  /** Stands still after the first beat. `time` is a clock in milliseconds. */
  constructor(
    private run: RunStore,
    private readonly time: () => number = () => performance.now()
  ) {
    this.pace = new Pace(run.events, beatsOf(run.events));
    this.played = new PlayedStore(run);
    this.show(this.first, 0);
  }

  /** The run as it was at the moment that is played: another store after each way back. */
  get store(): RunStore {
    return this.played;
  }

  /** The run that is played back. */
  get whole(): RunStore {
    return this.run;
  }

  /** A fuller store of the same run; what is played goes on from the same moment. */
  set whole(whole: RunStore) {
    const { atEnd, moment } = this;
    this.run = whole;
    this.played = new PlayedStore(whole);
    this.plan();
    const later = whole.events.findIndex(event => event.t > moment);
    this.show(atEnd || later < 0 ? whole.events.length : Math.max(this.first, later), 0);
  }

  /** The run has more events, or has ended. */
  grown(): void {
    const fresh = this.run.events.length - this.pace.count;
    // All of it is planned anew, which takes a while in a large run that still goes on.
    if (fresh && (this.atEnd || !this.run.live || fresh > MANY * this.pace.count)) {
      this.plan();
    }
    this.show(this.count, this.waited);
  }

  get playing(): boolean {
    return this.going;
  }

  get speed(): Speed {
    return this.pace.speed;
  }

  set speed(speed: Speed) {
    this.tick();
    this.pace.speed = speed;
    this.changed.emit();
  }

  /** Goes on from where it stands, or from the start where it has ended. */
  play(): void {
    if (this.atEnd) {
      this.show(this.first, 0);
    }
    this.going = true;
    this.looked = this.time();
    this.changed.emit();
  }

  pause(): void {
    this.tick();
    this.going = false;
    this.changed.emit();
  }

  /** Looks at the clock; to be called again and again while it plays. */
  tick(): void {
    if (!this.going) {
      return;
    }
    const now = this.time();
    const passed = Math.min(LOOK, Math.max(0, (now - this.looked) / 1000));
    this.looked = now;
    const { count, waited } = this.pace.after(this.count, this.waited, passed);
    this.going = count < this.pace.count;
    this.show(count, waited);
  }

  /** Stands still at the end of the next beat, or of the one before. */
  step(by: 1 | -1): void {
    this.going = false;
    const { beats } = this.pace;
    const next =
      by === 1
        ? beats.find(beat => beat.end > this.count)?.end
        : beats.findLast(beat => beat.end < this.count)?.end;
    this.show(next ?? (by === 1 ? this.pace.count : this.first), 0);
  }

  /** Goes to a place between 0, after the first beat, and 1, the end. */
  seek(place: number): void {
    const { count, waited } = this.pace.at(this.first, place);
    this.looked = this.time();
    this.going &&= count < this.pace.count;
    this.show(count, waited);
  }

  /** Where it is between 0 and 1: time, with its waits as short as they are played. */
  get place(): number {
    return this.pace.place(this.first, this.count, this.waited);
  }

  get atStart(): boolean {
    return this.count <= this.first && this.waited === 0;
  }

  get atEnd(): boolean {
    return this.count === this.pace.count;
  }

  /** Seconds since the run began. */
  get moment(): number {
    return this.pace.moment(this.count, this.waited);
  }

  /** How many seconds there are to play. */
  get seconds(): number {
    return this.pace.moment(this.pace.count, 0);
  }

  /** How many beats there are. */
  get beats(): number {
    return this.pace.beats.length;
  }

  /** The beat that is shown; null for a run without events. */
  get beat(): Standing | null {
    const at = this.pace.beatAt(this.count - 1);
    const beat = this.pace.beats[at];
    if (!beat) {
      return null;
    }
    const shown = this.played.events.slice(this.pace.beats[at - 1]?.end ?? 0);
    return {
      number: at + 1,
      beat,
      calls:
        this.count < beat.end ? shown.reduce((sum, each) => sum + counted(each, beat.kind), 0) : beat.calls
    };
  }

  private get count(): number {
    return this.played.events.length;
  }

  private get first(): number {
    return this.pace.beats[0]?.end ?? 0;
  }

  private plan(): void {
    this.pace = new Pace(this.run.events, beatsOf(this.run.events), this.pace.speed);
  }

  private show(count: number, waited: number): void {
    if (count < this.count) {
      this.played = new PlayedStore(this.run);
    }
    this.waited = waited;
    this.played.grow(count);
    this.played.moment = this.moment;
    this.changed.emit();
  }
}
