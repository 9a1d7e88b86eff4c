/** The head of a run: the question, how it stands, what it may still use, and what can be done with it. */

import { MARKS, brief, dollars, seconds, statusWord, thousands, ticking, tokens } from '../format';
import { isResumable } from '../model/draft';
import { isUnprotected, isolationLabel } from '../model/isolation';
import { runLabel } from '../model/provenance';
import { findItem } from '../model/rows';
import { shares } from '../model/spent';
import type { ViewState } from '../model/state';
import { shorten, visible } from '../text';
import type { Derived, RunStarted } from '../trace/wire';
import { actionName } from './actions/told';
import { button, h, setAttribute, setText } from './dom';
import { exportItems } from './exporting';
import type { Host } from './host';
import { Menu } from './menu';
import { OriginLine } from './originline';

const QUESTION = 2_000;

export class Header {
  readonly node: HTMLElement;
  private readonly question = h('div', { class: 'rlm-question' });
  private readonly playback: HTMLElement;
  private readonly status = h('span', { class: 'rlm-status' });
  private readonly figures = h('span', { class: 'rlm-figures' });
  private readonly mode = h('span', { class: 'rlm-mode' });
  private readonly isolation = h('span', { class: 'rlm-isolation' });
  private readonly gauge = h('div', { class: 'rlm-gauges' });
  private readonly stop: HTMLButtonElement;
  private readonly answerNow: HTMLButtonElement;
  private readonly resume: HTMLButtonElement;
  private readonly problem = h('span', { class: 'rlm-bad', attrs: { role: 'alert' } });
  private readonly exported = h('span', { class: 'rlm-exported', attrs: { role: 'status' } });
  private readonly origin: OriginLine;
  private readonly menu: Menu;
  private asked = '';

  constructor(
    private readonly state: ViewState,
    host: Host,
    act: (kind: Derived) => void
  ) {
    const { words } = state;
    this.resume = button(actionName('resume', words), {
      class: 'rlm-button',
      attrs: { title: words.__('Go on where it stopped, in a new run') },
      on: {
        click: () => {
          act('resume');
        }
      }
    });
    this.answerNow = button(words.__('Answer now'), {
      class: 'rlm-button',
      attrs: { title: words.__('One last turn with what it has') },
      on: {
        click: () => {
          this.ask(this.answerNow, 'answerNow');
        }
      }
    });
    this.stop = button(words.__('Stop'), {
      class: 'rlm-button rlm-stop',
      attrs: { title: words.__('End the run now and keep all it did') },
      on: {
        click: () => {
          this.ask(this.stop, 'stop');
        }
      }
    });
    this.origin = new OriginLine(state, host);
    const open = host.openTab?.bind(host);
    this.playback = h('span', { class: 'rlm-playback' }, words.__('Playback'));
    this.menu = new Menu(words.__('More'), [
      {
        label: words.__('Play it back (p)'),
        run: () => {
          state.playBack();
        }
      },
      {
        label: words.__('Replay the run…'),
        run: () => {
          act('replay');
        }
      },
      ...(open ? [{ label: words.__('Open in a tab'), run: open }] : []),
      ...exportItems(state, host, told => {
        setText(this.exported, told);
      })
    ]);
    this.node = h(
      'header',
      { class: 'rlm-head' },
      h(
        'div',
        { class: 'rlm-head-line' },
        this.question,
        this.problem,
        this.exported,
        this.resume,
        this.answerNow,
        this.stop,
        this.menu.node
      ),
      h(
        'div',
        { class: 'rlm-head-line rlm-head-facts' },
        this.playback,
        this.status,
        this.figures,
        this.mode,
        this.isolation
      ),
      this.origin.node,
      this.gauge
    );
  }

  update(): void {
    const { store, words } = this.state;
    const { run } = store.tree;
    this.drawQuestion(visible(shorten(run?.query ?? words.__('starting'), QUESTION)));
    this.playback.hidden = this.state.playback === null;
    setText(this.status, `${MARKS[store.status]} ${statusWord(store.status, words)}`);
    setText(this.figures, this.told().join(' · '));
    setText(this.mode, runLabel(store.tree, words));
    this.mode.hidden = !this.mode.textContent;
    this.drawIsolation(run);
    this.origin.update();
    this.drawActions();
    this.drawGauges();
  }

  dispose(): void {
    this.menu.dispose();
  }

  private drawQuestion(query: string): void {
    setText(this.question, query);
    setAttribute(this.question, 'title', query.length > 120 ? query : null);
  }

  private drawIsolation(run: RunStarted | null): void {
    const label = isolationLabel(run, this.state.words);
    setText(this.isolation, isUnprotected(run) ? `⚠ ${label}` : label);
    setAttribute(this.isolation, 'title', run?.isolationWhy ? visible(run.isolationWhy) : null);
    setAttribute(this.isolation, 'data-unprotected', isUnprotected(run));
    this.isolation.hidden = !label;
  }

  private told(): string[] {
    const { store, words } = this.state;
    const { root } = store.tree;
    if (!root) {
      return [];
    }
    const { below } = root;
    const usage = below.usage;
    const used = tokens(usage);
    return [
      store.live ? ticking(store.now) : seconds(store.now),
      store.tree.stood ? words.__('%1 paused', seconds(store.tree.stood)) : '',
      below.calls ? words._n('%1 sub-call', '%1 sub-calls', below.calls) : '',
      used && words.__('%1 tokens', used),
      usage.requests ? dollars(usage.cost) || words.__('cost unknown') : '',
      below.failed ? words.__('✗ %1 failed inside', thousands(below.failed)) : ''
    ].filter(Boolean);
  }

  private drawActions(): void {
    const { store } = this.state;
    this.resume.hidden = this.state.playback !== null || !isResumable(store);
    const able = store.live && store.link !== null;
    for (const each of [this.stop, this.answerNow]) {
      each.hidden = !able;
    }
    this.answerNow.disabled = this.asked !== '';
    this.stop.disabled = this.asked === 'stop';
    if (!able) {
      this.asked = '';
      setText(this.problem, '');
    }
  }

  private ask(which: HTMLButtonElement, what: 'stop' | 'answerNow'): void {
    const { link } = this.state.store;
    if (!link) {
      return;
    }
    this.asked = what;
    which.disabled = true;
    link[what]().catch((error: unknown) => {
      this.asked = '';
      setText(this.problem, error instanceof Error ? error.message : String(error));
      this.state.redraw();
    });
  }

  private drawGauges(): void {
    const { store, words } = this.state;
    const root = findItem(store.tree, '0');
    const shown = root && (store.live || store.status === 'exhausted') ? shares(root, store) : [];
    this.gauge.hidden = shown.length === 0;
    while (this.gauge.children.length > shown.length) {
      this.gauge.lastElementChild?.remove();
    }
    shown.forEach(({ limit, used, most }, at) => {
      const node = this.gauge.children[at] ?? this.gauge.appendChild(gaugeNode());
      const told = words.__('%1: %2 of %3', limitName(limit, this.state), brief(used), brief(most));
      setAttribute(node, 'aria-valuemax', most);
      setAttribute(node, 'aria-valuenow', Math.min(used, most));
      setAttribute(node, 'aria-valuetext', told);
      setAttribute(node, 'aria-label', limitName(limit, this.state));
      setAttribute(node, 'data-full', used >= 0.8 * most);
      (node as HTMLElement).style.setProperty('--rlm-used', `${String(Math.min(100, (100 * used) / most))}%`);
      setText(node, told);
    });
  }
}

function gaugeNode(): HTMLElement {
  return h('div', { class: 'rlm-gauge', attrs: { role: 'meter', 'aria-valuemin': 0 } });
}

function limitName(limit: string, { words }: ViewState): string {
  switch (limit) {
    case 'max_calls':
      return words.__('sub-calls');
    case 'max_tokens':
      return words.__('tokens');
    case 'max_seconds':
      return words.__('seconds');
    default:
      return words.__('turns');
  }
}
