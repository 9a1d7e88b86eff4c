/** The head of the detail: the way to the item, how it stands, its figures, and what can be copied of it. */

import { isAsking, lookupCode, requestCode } from '../../export/code';
import { MARKS, dollars, seconds, statusWord, thousands, ticking, tokens } from '../../format';
import { crumbsOf, errorOf, eventsIn, placeOf, repliesOf, spanOf, statusOf } from '../../model/detail';
import { provenanceTags, replyLabel, runLabel } from '../../model/provenance';
import type { Item } from '../../model/rows';
import { secondsIn, wholeUsage } from '../../model/spent';
import { firstLine, shorten, visible } from '../../text';
import { isBad } from '../../trace/call';
import type { Call } from '../../trace/call';
import type { Status, TraceEvent } from '../../trace/wire';
import { copyButton } from '../copy';
import { button, h, setAttribute, setText } from '../dom';
import type { Pane } from './section';

const NAME = 80;
const MOST_CRUMBS = 12;

export class Head {
  readonly node: HTMLElement;
  private readonly crumbs: HTMLElement;
  private readonly place = h('span', { class: 'rlm-detail-size' });
  private readonly before: HTMLButtonElement;
  private readonly after: HTMLButtonElement;
  private readonly status = h('span', { class: 'rlm-detail-status' });
  private readonly figures = h('span', { class: 'rlm-detail-figures' });
  private readonly tags = h('span', { class: 'rlm-detail-tags' });
  private readonly actions = h('span', { class: 'rlm-detail-actions' });
  private readonly error = h('p', { class: 'rlm-detail-head-error' });
  private shown = '';
  private of: Call | null = null;
  private tagged = '';

  constructor(
    private readonly pane: Pane,
    private readonly complete: (events: readonly TraceEvent[]) => Promise<void>
  ) {
    const { words } = pane.state;
    this.crumbs = h('ol', {});
    this.before = this.step(-1, '‹', words.__('Previous sibling'));
    this.after = this.step(1, '›', words.__('Next sibling'));
    this.node = h(
      'header',
      { class: 'rlm-detail-head' },
      h(
        'div',
        { class: 'rlm-detail-way' },
        h('nav', { attrs: { 'aria-label': words.__('Place in the tree') } }, this.crumbs),
        this.place,
        this.before,
        this.after
      ),
      h('div', { class: 'rlm-detail-told' }, this.status, this.figures, this.tags, this.actions),
      this.error
    );
  }

  update(item: Item): void {
    // In another store of the run what has the same key is another object.
    if (item.key !== this.shown || item.call !== this.of) {
      this.shown = item.key;
      this.of = item.call;
      this.drawCrumbs(item);
      this.drawActions(item);
    }
    const { words } = this.pane.state;
    const place = placeOf(item);
    setText(this.place, place.of > 1 ? words.__('%1 of %2', thousands(place.at), thousands(place.of)) : '');
    this.before.disabled = place.before === null;
    this.after.disabled = place.after === null;
    this.before.hidden = this.after.hidden = place.of <= 1;
    const status = statusOf(item);
    setText(this.status, `${MARKS[status]} ${statusText(item, status, words)}`);
    setAttribute(this.status, 'data-status', status);
    setText(this.figures, this.told(item).join(' · '));
    this.drawTags(item);
    const error = errorOf(item);
    setText(this.error, error ? firstLine(`${error.type}: ${error.message}`, 300) : '');
    this.error.hidden = !error;
  }

  private drawCrumbs(item: Item): void {
    const held = this.crumbs.contains(document.activeElement);
    const way = crumbsOf(item);
    const shown = way.length > MOST_CRUMBS ? [way[0] ?? item, null, ...way.slice(2 - MOST_CRUMBS)] : way;
    this.crumbs.replaceChildren(...shown.map(each => h('li', {}, each ? this.crumb(each, item) : '…')));
    if (held) {
      this.crumbs.querySelector('button')?.focus();
    }
  }

  private crumb(each: Item, item: Item): HTMLElement {
    const { state } = this.pane;
    const label = itemName(each, this.pane);
    if (each.key === item.key) {
      return h('b', { attrs: { 'aria-current': 'true' } }, label);
    }
    return button(label, {
      class: 'rlm-detail-crumb',
      on: {
        click: () => {
          state.select(each.key);
        }
      }
    });
  }

  private step(by: 1 | -1, label: string, name: string): HTMLButtonElement {
    const { state } = this.pane;
    return button(label, {
      class: 'rlm-detail-step',
      attrs: { 'aria-label': name, title: name },
      on: {
        click: () => {
          const key = state.sibling(by);
          if (key !== null) {
            state.select(key);
          }
        }
      }
    });
  }

  private told(item: Item): string[] {
    const { words, store } = this.pane.state;
    const took = secondsIn(item, store);
    const usage = wholeUsage(item);
    const used = tokens(usage);
    return [
      modelName(item, this.pane),
      took === null ? '' : spanOf(item)[1] === null ? ticking(took) : seconds(took),
      used && words.__('%1 tokens', used),
      usage.requests ? dollars(usage.cost) || words.__('cost unknown') : ''
    ].filter(Boolean);
  }

  private drawTags(item: Item): void {
    const tags = tagsOf(item, this.pane);
    const key = tags.join('\n');
    if (key !== this.tagged) {
      this.tagged = key;
      this.tags.replaceChildren(...tags.map(tag => h('span', { class: 'rlm-detail-tag' }, tag)));
    }
  }

  private drawActions(item: Item): void {
    const { words } = this.pane.state;
    const lookup = copyButton(
      this.pane.host,
      words,
      () => lookupCode(item),
      words.__('Copy %1', lookupCode(item))
    );
    setAttribute(lookup, 'title', words.__('What finds this step in the run, in Python'));
    this.actions.replaceChildren(
      ...(isAsking(item) ? [this.asCode(item)] : []),
      ...(item.kind === 'batch' ? [] : [lookup])
    );
  }

  private asCode(item: Extract<Item, { kind: 'call' | 'turn' }>): HTMLElement {
    const { host, state } = this.pane;
    const events = () => eventsIn('prompt', item, state.store.tree, Infinity);
    const code = () =>
      requestCode(item, {
        run: state.store.tree.run,
        shortened: events().reduce((sum, event) => sum + event.cut, 0)
      });
    const copying = {
      download: () => undefined,
      copy: async () => {
        const cut = events().filter(event => event.cut > 0);
        if (cut.length && state.whole.link) {
          await this.complete(cut);
        }
        await host.copy(code());
      }
    };
    const made = copyButton(copying, state.words, () => '', state.words.__('Copy as code'));
    setAttribute(made, 'title', state.words.__('Python that asks exactly this'));
    return made;
  }
}

// One failed call of twenty is no failed batch.
function statusText(item: Item, status: Status, words: Pane['state']['words']): string {
  const bad = item.kind === 'batch' ? item.calls.filter(call => isBad(call.status)).length : 0;
  return item.kind === 'batch' && isBad(status) && bad < item.calls.length
    ? words.__('%1 of %2 failed', thousands(bad), thousands(item.calls.length))
    : statusWord(status, words);
}

/** What an item is called on the way to it. */
function itemName(item: Item, { state: { words } }: Pane): string {
  switch (item.kind) {
    case 'call':
      return item.call.depth === 0 ? words.__('root') : `${item.call.kind} ${item.call.id}`;
    case 'turn':
      return words.__('turn %1', item.turn.number);
    case 'block':
      return words.__('block %1', item.block.number);
    case 'batch':
      return words.__('batch of %1', thousands(item.calls.length));
  }
}

function modelName(item: Item, { state: { words } }: Pane): string {
  if (item.kind === 'block') {
    return '';
  }
  const asked = visible(shorten(item.call.started.model, NAME));
  const answered = repliesOf(item).findLast(reply => !reply.error)?.model ?? item.call.started.model;
  const name = visible(shorten(answered, NAME));
  return name === asked || asked === '' ? name : words.__('%1 (asked for %2)', name, asked);
}

function tagsOf(item: Item, { state: { words, store } }: Pane): string[] {
  const replies = repliesOf(item);
  // A person's reply in place of a model's has a tag of its own.
  const own = replies.filter(({ mode }) => mode !== 'human' || store.tree.run?.mode === 'human');
  const modes = new Set(own.map(reply => replyLabel(reply, words)));
  if (item.kind === 'call' && item.call.depth === 0 && store.tree.run) {
    modes.add(runLabel(store.tree, words));
  }
  const retries = replies.reduce((sum, reply) => sum + reply.retries, 0);
  const inside = item.kind === 'call' ? item.call.below.failed : 0;
  return [
    ...modes,
    ...provenanceTags(item, store.tree, words),
    finishTag(item, words),
    retries ? words.__('retried %1×', thousands(retries)) : '',
    item.kind === 'call' && item.call.started.depthCapped
      ? words.__('rlm_query at the depth limit: a plain request')
      : '',
    inside ? words.__('✗ %1 failed inside', thousands(inside)) : ''
  ].filter(Boolean);
}

function finishTag(item: Item, words: Pane['state']['words']): string {
  const reason = item.kind === 'batch' ? '' : (repliesOf(item).at(-1)?.finishReason ?? '');
  if (reason === 'length') {
    return words.__('✂ cut off by the length limit');
  }
  // How every reply ends that ended by itself.
  return reason === '' || reason === 'stop' ? '' : words.__('ended by: %1', visible(shorten(reason, NAME)));
}
