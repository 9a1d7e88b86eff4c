/** The variants tab: the runs made from the selected step, each beside what it was made from. */

import { MARKS, brief, dollars, seconds, statusWord, ticking } from '../../format';
import { derivedTold, editTold, readEdit, sampleKey } from '../../model/edit';
import { agreement, callOutcome, originalOutcome, runOutcome } from '../../model/outcome';
import type { Outcome } from '../../model/outcome';
import { repliesTold } from '../../model/provenance';
import type { Made } from '../../model/relatives';
import type { Item } from '../../model/rows';
import { keyOf, stepOf } from '../../model/step';
import type { RunStore } from '../../model/store';
import { firstLine, visible } from '../../text';
import type { Origin } from '../../trace/wire';
import { CompareView } from '../compare';
import { button, h, setAttribute, setText } from '../dom';
import { diffBody } from './diff';
import { bounded, remark, selector, still } from './parts';
import { errorBody } from './reply';
import type { Pane, Section } from './section';
import { textBody } from './text';

const FIRST = 10;
const views = new WeakMap<HTMLElement, CompareView>();

/** How many variants an item has; null where there are none, and no original to be seen beside it. */
export function variantCount(item: Item, pane: Pane): number | null {
  const made = madeAt(item, pane).length;
  return made || originOf(item, pane)?.original ? made : null;
}

export function variantSections(item: Item, pane: Pane): Section[] {
  const { words } = pane.state;
  const made = madeAt(item, pane);
  const beside = made.find(({ run }) => pane.memory.flag(besideKey(run), false));
  if (beside) {
    return besideSections(beside, pane);
  }
  const reruns = made.some(each => each.kind === 'rerun');
  return [
    ...originalSections(item, pane),
    ...(reruns
      ? [still('later', '', () => remark(words.__('Later steps of this run were not recomputed.')))]
      : []),
    ...agreementSections(made, pane),
    ...bounded(
      pane,
      { key: `${item.key}|variants`, step: FIRST },
      made,
      each => variantSection(each, pane),
      left => words._n('Show %1 more run', 'Show more of %1 runs', left)
    )
  ];
}

// The root stands for the run, so it has them all.
function madeAt(item: Item, { state: { relatives } }: Pane): readonly Made[] {
  if (item.kind === 'batch') {
    return [];
  }
  return item.kind === 'call' && item.call.depth === 0 ? relatives.all : relatives.at(stepOf(item));
}

function originOf(item: Item, { state }: Pane): Origin | null {
  return item.kind === 'call' && item.call.depth === 0 ? (state.store.tree.run?.origin ?? null) : null;
}

/** The call that this run asked again, where it keeps it: also where nobody has the other run. */
function originalSections(item: Item, pane: Pane): Section[] {
  const { words, store } = pane.state;
  const origin = originOf(item, pane);
  if (!origin?.original) {
    return [];
  }
  const [before, after] = [originalOutcome(origin.original), runOutcome(store)];
  const told = words.__('The original: %1 in run %2', firstLine(origin.at, 80), firstLine(origin.run, 80));
  const sign = JSON.stringify([after.answer?.length, after.status, store.tree.end?.cut, store.tree.run?.cut]);
  return [
    still('original', sign, () =>
      h(
        'section',
        { class: 'rlm-variant' },
        h('h3', { class: 'rlm-detail-heading' }, h('span', {}, told)),
        h('p', { class: 'rlm-variant-figures' }, figures(before, null, pane).join(' · ')),
        compared(before, after, 'original', pane)
      )
    )
  ];
}

function agreementSections(made: readonly Made[], pane: Pane): Section[] {
  const { words, relatives } = pane.state;
  const groups = new Map<string, { readonly told: string; readonly answers: (string | null)[] }>();
  for (const { run, kind } of made) {
    const store = kind === 'rerun' ? relatives.store(run) : null;
    const origin = store?.tree.run?.origin;
    if (store && origin) {
      const key = sampleKey(origin);
      const group = groups.get(key) ?? { told: editTold(readEdit(origin.edit), words), answers: [] };
      group.answers.push(store.tree.end?.answer ?? null);
      groups.set(key, group);
    }
  }
  return [...groups].flatMap(([key, { told: what, answers }]) => {
    const found = agreement(answers);
    if (!found) {
      return [];
    }
    const told = words.__('%1 of %2 gave the same answer', found.agree, found.of);
    const line = what ? `${told} (${what})` : told;
    return [still(`agreement ${key}`, line, () => h('p', { class: 'rlm-variant-agreement' }, line))];
  });
}

function variantSection(made: Made, pane: Pane): Section {
  const { relatives, whole } = pane.state;
  const store = relatives.store(made.run);
  const ended = store && !store.live;
  return {
    key: made.run,
    sign: JSON.stringify([
      store !== null,
      store?.tree.run !== null,
      ended,
      store?.tree.end?.cut,
      whole.live,
      originalSign(made, pane)
    ]),
    draw: () => variant(made, store, pane),
    refresh: node => {
      refresh(node, made, store, pane);
    }
  };
}

// The original may end, or be completed, after its variants were drawn.
function originalSign(made: Made, { state: { whole } }: Pane): string {
  const call = made.kind === 'rerun' ? whole.tree.calls.get(made.at) : whole.tree.root;
  return `${String(call?.finished?.seq)} ${String(call?.finished?.cut)} ${String(call?.reply?.cut)}`;
}

function variant(made: Made, store: RunStore | null, pane: Pane): HTMLElement {
  const { words } = pane.state;
  const open = pane.host.openRun?.bind(pane.host);
  const compare = () => {
    if (pane.host.openCompare) {
      pane.host.openCompare(pane.state.whole.id, made.run);
    } else {
      pane.memory.setFlag(besideKey(made.run), true);
      pane.redraw();
    }
  };
  const node = h(
    'section',
    { class: 'rlm-variant' },
    h(
      'h3',
      { class: 'rlm-detail-heading' },
      ...name(made, pane),
      h('span', { class: 'rlm-variant-status' }),
      h('span', { class: 'rlm-detail-gap' }),
      // One call that was asked again has no steps in common with the run; it stands beside its call already.
      store &&
        made.kind !== 'rerun' &&
        button(words.__('Compare'), {
          class: 'rlm-link',
          attrs: { title: words.__('This run and %1 side by side, step by step', visible(made.run)) },
          on: { click: compare }
        }),
      open &&
        button(words.__('Open'), {
          class: 'rlm-link',
          attrs: { title: words.__('Open run %1 in a tab', visible(made.run)) },
          on: {
            click: () => {
              open(made.run);
            }
          }
        })
    ),
    h('p', { class: 'rlm-variant-figures' }),
    store && !store.live && compared(baseOf(made, pane), runOutcome(store), made.run, pane)
  );
  refresh(node, made, store, pane);
  return node;
}

function name({ kind, at, run }: Made, pane: Pane): (Node | string)[] {
  const { words, selected } = pane.state;
  const key = keyOf(at);
  const told = derivedTold(kind, key === selected ? '' : firstLine(at, 60), words);
  return [
    at && key !== selected && pane.state.store.tree.calls.size
      ? selector(pane, key, told)
      : h('span', {}, told),
    h('span', { class: 'rlm-detail-size' }, visible(run))
  ];
}

function besideKey(run: string): string {
  return `beside|${run}`;
}

/** The two runs side by side, in the place of all variants. */
function besideSections(made: Made, pane: Pane): Section[] {
  const { words, relatives, whole } = pane.state;
  const store = relatives.store(made.run);
  const back = () => {
    pane.memory.setFlag(besideKey(made.run), false);
    pane.redraw();
  };
  const head = still(`${made.run} back`, '', () =>
    h(
      'div',
      { class: 'rlm-compare-back' },
      button(words.__('‹ All variants'), { class: 'rlm-link', on: { click: back } })
    )
  );
  if (!store) {
    return [
      head,
      still(`${made.run} gone`, '', () => remark(words.__('Nobody here has that run any more.')))
    ];
  }
  return [
    head,
    {
      key: `${made.run} beside`,
      sign: '',
      draw: () => {
        const view = new CompareView(whole, store, { words, host: pane.host, memory: pane.memory });
        views.set(view.node, view);
        return view.node;
      },
      refresh: node => views.get(node)?.update(whole, store)
    }
  ];
}

// What is said anew while the run goes on.
function refresh(node: HTMLElement, made: Made, store: RunStore | null, pane: Pane): void {
  const { words } = pane.state;
  const [status, told] = [
    node.querySelector('.rlm-variant-status'),
    node.querySelector('.rlm-variant-figures')
  ];
  if (!status || !told) {
    return;
  }
  if (!store) {
    setText(status, words.__('starting…'));
    return;
  }
  setText(status, `${MARKS[store.status]} ${statusWord(store.status, words)}`);
  setAttribute(node, 'data-status', store.status);
  const base = made.kind === 'rerun' ? baseOf(made, pane) : null;
  const parts = store.live ? progress(store, pane) : figures(runOutcome(store), base, pane);
  setText(told, [changed(store, pane), ...parts, repliesOf(made, store, pane)].filter(Boolean).join(' · '));
}

function changed({ tree: { run } }: RunStore, { state: { words } }: Pane): string {
  return run?.origin ? editTold(readEdit(run.origin.edit), words) : '';
}

function repliesOf({ kind }: Made, { tree }: RunStore, { state: { words } }: Pane): string {
  return kind === 'rerun' ? '' : repliesTold(tree, words);
}

function progress(store: RunStore, { state: { words } }: Pane): string[] {
  const turns = store.tree.root?.turns.length ?? 0;
  const calls = store.tree.root?.below.calls ?? 0;
  return [
    ticking(store.now),
    turns > 1 ? words.__('turn %1', turns) : '',
    calls ? words._n('%1 sub-call', '%1 sub-calls', calls) : '',
    store.tree.held.size ? words.__('waits for you') : ''
  ].filter(Boolean);
}

// A rerun stands beside its call, every other run beside the run.
function baseOf(made: Made, { state }: Pane): Outcome {
  const call = made.kind === 'rerun' ? (state.whole.tree.calls.get(made.at) ?? null) : null;
  return call ? callOutcome(call) : runOutcome(state.whole);
}

/** Model, tokens, cost and time, with how much more or less than `base`. */
function figures(of: Outcome, base: Outcome | null, { state: { words } }: Pane): string[] {
  const more = (value: number | null, before: number | null | undefined, told: (value: number) => string) =>
    value === null || before === null || before === undefined ? '' : ` (${signed(value - before, told)})`;
  return [
    visible(firstLine(of.model, 60)),
    of.tokens === null ? '' : words.__('%1 tokens', brief(of.tokens)) + more(of.tokens, base?.tokens, brief),
    of.cost === null ? '' : dollars(of.cost) + more(of.cost, base?.cost, dollars),
    of.seconds === null ? '' : seconds(of.seconds) + more(of.seconds, base?.seconds, seconds)
  ].filter(Boolean);
}

function signed(by: number, told: (value: number) => string): string {
  return by === 0 ? '±0' : `${by > 0 ? '+' : '−'}${told(Math.abs(by))}`;
}

function compared(before: Outcome, after: Outcome, key: string, pane: Pane): HTMLElement {
  const { words } = pane.state;
  if (after.error && after.answer === null) {
    return errorBody(pane, `${key}|error`, after.error);
  }
  const answer = after.answer ?? '';
  if (before.answer === null) {
    return textBody(pane, `${key}|answer`, answer, { name: words.__('Answer'), class: 'rlm-detail-reply' });
  }
  if (before.answer === answer) {
    return remark(words.__('Its answer is the same as the original.'));
  }
  return h(
    'div',
    {},
    remark(words.__('Its answer, against the original:')),
    diffBody(before.answer, answer, words)
  );
}
