/** The bar of a run that is played back: play and pause, steps, the place in the run, the speed. */

import { seconds, thousands, ticking } from '../format';
import { LONGEST, SPEEDS } from '../model/pace';
import type { Speed } from '../model/pace';
import type { Playback } from '../model/playback';
import type { ViewState } from '../model/state';
import type { Words } from '../words';
import { beatKey, beatText } from './beat';
import { button, h, setAttribute, setText } from './dom';
import { pressed } from './keys';

/** How often the clock is looked at while it plays, in milliseconds. */
const LOOK = 50;
/** The places of the slider. */
const PLACES = 10_000;
type Icon = 'start' | 'back' | 'play' | 'pause' | 'forward' | 'end';

export class PlayBar {
  readonly node: HTMLElement;
  private readonly start: HTMLButtonElement;
  private readonly back: HTMLButtonElement;
  private readonly play: HTMLButtonElement;
  private readonly forward: HTMLButtonElement;
  private readonly end: HTMLButtonElement;
  private readonly slider: HTMLInputElement;
  private readonly speed: HTMLSelectElement;
  private readonly clock = h('span', { class: 'rlm-play-clock' });
  private readonly step: HTMLButtonElement;
  private readonly told: HTMLElement;
  private readonly count = h('span', { class: 'rlm-play-count' });
  private ticking: ReturnType<typeof setInterval> | null = null;
  private beat = 0;

  /** `leave` puts the keyboard elsewhere when the bar goes. */
  constructor(
    private readonly state: ViewState,
    private readonly leave: () => void
  ) {
    const { words } = state;
    this.start = this.button('start', words.__('To the start'), playback => {
      playback.seek(0);
    });
    this.back = this.button('back', words.__('One step back'), playback => {
      playback.step(-1);
    });
    this.play = this.button('play', words.__('Play'), toggle);
    this.play.classList.add('rlm-play-main');
    this.forward = this.button('forward', words.__('One step forward'), playback => {
      playback.step(1);
    });
    this.end = this.button('end', words.__('To the end'), playback => {
      playback.seek(1);
    });
    this.step = button('', {
      class: 'rlm-play-step',
      attrs: { title: words.__('Select it') },
      on: {
        click: () => {
          this.select();
        }
      }
    });
    this.told = h('span', { class: 'rlm-play-told', attrs: { role: 'status' } }, this.step);
    this.slider = this.makeSlider();
    this.speed = this.makeSpeed();
    this.node = this.makeNode();
  }

  /** Plays the run back, or pauses that and goes on. */
  toggle(): void {
    const { playback } = this.state;
    if (playback) {
      toggle(playback);
    } else {
      this.state.playBack();
    }
  }

  update(): void {
    const { playback } = this.state;
    const fresh = this.node.hidden && playback !== null;
    this.node.hidden = playback === null;
    this.run(playback?.playing ?? false);
    if (!playback) {
      return;
    }
    this.drawButtons(playback);
    this.drawPlace(playback);
    this.drawStep(playback);
    if (fresh) {
      this.play.focus({ preventScroll: true });
    }
  }

  dispose(): void {
    this.run(false);
  }

  private run(playing: boolean): void {
    if (playing) {
      this.ticking ??= setInterval(() => {
        // What is nowhere in the page, as in a notebook scrolled elsewhere, is watched by nobody.
        if (this.node.isConnected) {
          this.state.playback?.tick();
        }
      }, LOOK);
    } else if (this.ticking !== null) {
      clearInterval(this.ticking);
      this.ticking = null;
    }
  }

  private drawButtons(playback: Playback): void {
    const { words } = this.state;
    const name = playback.playing ? words.__('Pause') : words.__('Play');
    if (this.play.getAttribute('aria-label') !== name) {
      setAttribute(this.play, 'aria-label', name);
      setAttribute(this.play, 'title', words.__('%1 (p)', name));
      this.play.replaceChildren(icon(playback.playing ? 'pause' : 'play'));
    }
    // Not disabled: a button that is would lose the keyboard.
    setAttribute(this.start, 'aria-disabled', playback.atStart ? 'true' : null);
    setAttribute(this.back, 'aria-disabled', playback.atStart ? 'true' : null);
    setAttribute(this.forward, 'aria-disabled', playback.atEnd ? 'true' : null);
    setAttribute(this.end, 'aria-disabled', playback.atEnd ? 'true' : null);
    if (this.speed.value !== playback.speed) {
      this.speed.value = playback.speed;
    }
  }

  private drawPlace(playback: Playback): void {
    const { words, store } = this.state;
    const value = String(Math.round(playback.place * PLACES));
    if (this.slider.value !== value) {
      this.slider.value = value;
    }
    this.node.style.setProperty('--rlm-played', `${(playback.place * 100).toFixed(2)}%`);
    const time = words.__('%1 of %2', ticking(playback.moment), length(playback.seconds));
    setText(this.clock, time);
    // A screen reader tells each new value, so while it plays there is one a step.
    const beat = playback.beat?.number ?? 0;
    if (!playback.playing || beat !== this.beat) {
      const turn = store.tree.root?.turns.length ?? 0;
      const told = turn ? words.__('%1, turn %2 of the root', time, turn) : time;
      setAttribute(this.slider, 'aria-valuetext', told);
    }
    this.beat = beat;
  }

  private drawStep(playback: Playback): void {
    const { words, store } = this.state;
    const at = playback.beat;
    setText(this.count, at ? words.__('Step %1 of %2', thousands(at.number), thousands(playback.beats)) : '');
    // What passes by is not read out; where a person stops is.
    setAttribute(this.told, 'aria-live', playback.playing ? 'off' : 'polite');
    setText(this.step, at ? beatText(at, store.tree, words) : '');
    this.step.hidden = !at;
  }

  private makeNode(): HTMLElement {
    const { words } = this.state;
    const close = button(words.__('Close'), {
      class: 'rlm-button rlm-play-close',
      attrs: { 'aria-label': words.__('Close the playback'), title: words.__('Back to the run (Escape)') },
      on: {
        click: () => {
          this.close();
        }
      }
    });
    const buttons = [this.start, this.back, this.play, this.forward, this.end];
    return h(
      'div',
      {
        class: 'rlm-play',
        attrs: { role: 'group', 'aria-label': words.__('Playback'), hidden: true },
        on: {
          keydown: event => {
            this.onKey(event);
          }
        }
      },
      h('div', { class: 'rlm-play-buttons' }, ...buttons),
      h('div', { class: 'rlm-play-place' }, this.slider, this.clock),
      h('div', { class: 'rlm-play-choices' }, this.speed, close),
      h('div', { class: 'rlm-play-line' }, this.count, this.told)
    );
  }

  private button(name: Icon, label: string, act: (playback: Playback) => void) {
    const made = button('', {
      class: 'rlm-step rlm-play-button',
      attrs: { 'aria-label': label, title: label },
      on: {
        click: () => {
          if (this.state.playback) {
            act(this.state.playback);
          }
        }
      }
    });
    made.append(icon(name));
    return made;
  }

  private makeSlider(): HTMLInputElement {
    const slider = h('input', {
      class: 'rlm-play-slider',
      attrs: {
        type: 'range',
        min: 0,
        max: PLACES,
        value: 0,
        'aria-label': this.state.words.__('Place in the run')
      }
    });
    slider.addEventListener('input', () => {
      this.state.playback?.seek(Number(slider.value) / PLACES);
    });
    return slider;
  }

  private makeSpeed(): HTMLSelectElement {
    const { words } = this.state;
    const select = h(
      'select',
      {
        class: 'rlm-play-speed',
        attrs: {
          'aria-label': words.__('Speed'),
          title: words.__('However slow the model was, no wait is longer than %1 s', LONGEST)
        }
      },
      ...SPEEDS.map(speed => h('option', { attrs: { value: speed } }, speedName(speed, words)))
    );
    select.addEventListener('change', () => {
      const chosen = SPEEDS.find(speed => speed === select.value);
      if (chosen && this.state.playback) {
        this.state.playback.speed = chosen;
      }
    });
    return select;
  }

  // What the step is about, in the tree and, as with a click there, in the detail.
  private select(): void {
    const at = this.state.playback?.beat;
    if (at) {
      this.state.select(beatKey(at.beat, this.state.store.tree));
      this.state.setDetail(true);
    }
  }

  private close(): void {
    this.state.leavePlayback();
    this.update();
    this.leave();
  }

  private onKey(event: KeyboardEvent): void {
    const { playback } = this.state;
    const key = pressed(event);
    // The keys of a choice are its own, and the space bar presses the button it is on.
    const own = event.target === this.speed || (key === ' ' && event.target instanceof HTMLButtonElement);
    const act = playback && (key === 'Escape' || !own) ? this.keys(playback)[key] : undefined;
    if (act) {
      act();
      event.preventDefault();
      event.stopPropagation();
    } else if (own) {
      event.stopPropagation();
    }
  }

  private keys(playback: Playback): Readonly<Record<string, () => void>> {
    const forward = () => {
      playback.step(1);
    };
    const back = () => {
      playback.step(-1);
    };
    return {
      ' ': () => {
        toggle(playback);
      },
      p: () => {
        toggle(playback);
      },
      ArrowRight: forward,
      ArrowUp: forward,
      ArrowLeft: back,
      ArrowDown: back,
      Home: () => {
        playback.seek(0);
      },
      End: () => {
        playback.seek(1);
      },
      Escape: () => {
        this.close();
      }
    };
  }
}

function toggle(playback: Playback): void {
  if (playback.playing) {
    playback.pause();
  } else {
    playback.play();
  }
}

// Its shape is the style sheet's: drawings in the page are only ever what a run made.
function icon(name: Icon): HTMLElement {
  return h('span', { class: 'rlm-play-icon', attrs: { 'data-icon': name, 'aria-hidden': 'true' } });
}

// As exact as the time that runs towards it.
function length(value: number): string {
  return value < 60 ? ticking(value) : seconds(value);
}

function speedName(speed: Speed, words: Words): string {
  return speed === 'steps' ? words.__('a step a second') : words.__('%1×', speed);
}
