/** `Draft`: what a person is about to change at a step, as far as it has been said. Free of the DOM. */

import type { Call } from '../trace/call';
import type { Derived, TraceEvent } from '../trace/wire';
import type { Edit, EditText, Limit } from './edit';
import { LIMITS } from './edit';
import type { Item } from './rows';
import { stepOf } from './step';
import type { RunStore } from './store';

/** The statuses after which there is something to go on with. */
const RESUMABLE = ['interrupted', 'exhausted', 'failed', 'cut off'] as const;
const MOST_SAMPLES = 100;

/** A text that can be changed at a step. */
export interface Changeable {
  readonly name: EditText;
  /** The block of a code, where its turn has several. */
  readonly block: number | null;
  /** The event that has the text as it was; null for a hint, which there was none of. */
  readonly event: TraceEvent | null;
}

/** What can be made of an item of a run. */
export function actionsAt(item: Item, run: RunStore): Derived[] {
  switch (item.kind) {
    case 'call':
      return item.call.depth > 0 ? ['rerun', 'fork'] : rootActions(item.call, run);
    case 'turn':
    case 'block':
      return ['fork'];
    case 'batch':
      return [];
  }
}

function rootActions(root: Call, run: RunStore): Derived[] {
  return [
    'replay',
    ...(root.kind === 'llm' ? (['rerun'] as const) : []),
    'fork',
    ...(isResumable(run) ? (['resume'] as const) : [])
  ];
}

/** Whether a run ended where it can go on. */
export function isResumable(run: RunStore): boolean {
  return !run.live && run.tree.root !== null && RESUMABLE.some(status => status === run.status);
}

/** The texts that can be changed at an item. */
export function changeablesAt(item: Item, kind: Derived): Changeable[] {
  const { started, reply, kind: calls } = item.call;
  const prompt = { name: 'prompt', block: null, event: started } as const;
  if (kind !== 'fork' || item.kind === 'batch') {
    return kind === 'rerun' ? [prompt] : [];
  }
  const hint = { name: 'hint', block: null, event: null } as const;
  if (item.kind === 'call') {
    return calls === 'rlm'
      ? [hint, prompt]
      : [prompt, ...(reply ? [{ name: 'reply', block: null, event: reply } as const] : [])];
  }
  const { blocks, reply: said } = item.turn;
  const shown = item.kind === 'block' ? [item.block] : blocks;
  return [
    ...shown.flatMap(({ number, executed, held }) => {
      const event = executed ?? held;
      return event ? [{ name: 'code', block: blocks.length > 1 ? number : null, event } as const] : [];
    }),
    hint,
    ...(said ? [{ name: 'reply', block: null, event: said } as const] : [])
  ];
}

/** The text as it was; empty where there was none. */
export function recordedText({ name, event }: Changeable): string {
  switch (event?.type) {
    case 'call_started':
      return event.prompt;
    case 'model_replied':
      return event.text;
    case 'code_executed':
    case 'block_held':
      return name === 'code' ? event.code : '';
    default:
      return '';
  }
}

/** Whether only a part of the text is here, so that it cannot be edited. */
export function isCut({ event }: Changeable): boolean {
  return (event?.cut ?? 0) > 0;
}

/** What is typed into the fields, which may make no sense yet. */
export interface Typed {
  /** The text that is changed; null where it is none of them. */
  readonly changed: Changeable | null;
  readonly text: string;
  readonly model: string;
  readonly temperature: string;
  readonly samples: string;
  readonly limits: Readonly<Partial<Record<Limit, string>>>;
}

export type Problem = 'unchanged' | 'empty' | 'cut' | 'temperature' | 'samples' | Limit;

export class Draft {
  constructor(
    readonly kind: Derived,
    readonly item: Item
  ) {}

  /** The step, empty for the whole run. */
  get at(): string {
    return this.kind === 'replay' || this.kind === 'resume' ? '' : stepOf(this.item);
  }

  /** The edit that is typed, or what is wrong with it. */
  edit(typed: Typed): Edit | Problem {
    const text = this.text(typed);
    const temperature = numberIn(typed.temperature, 0, 10, false);
    const samples = numberIn(typed.samples, 1, MOST_SAMPLES, true);
    if (typeof text === 'string') {
      return text;
    }
    if (temperature === 'wrong') {
      return 'temperature';
    }
    if (samples === 'wrong') {
      return 'samples';
    }
    const limits: Partial<Record<Limit, number>> = {};
    for (const name of LIMITS) {
      const most = numberIn(typed.limits[name] ?? '', 0, Infinity, name !== 'max_seconds');
      if (most === 'wrong') {
        return name;
      }
      if (most !== null) {
        limits[name] = most;
      }
    }
    const model = typed.model.trim();
    return {
      ...text,
      ...(model ? { model } : {}),
      ...(temperature === null ? {} : { temperature }),
      ...(samples === null || samples === 1 ? {} : { n: samples }),
      ...(Object.keys(limits).length ? { limits } : {})
    };
  }

  // A rerun with the same prompt asks the same again; a fork for which a text was chosen wants another one.
  private text({ changed, text }: Typed): Edit | Problem {
    if (!changed) {
      return {};
    }
    const same = text === recordedText(changed);
    if (this.kind === 'rerun' && (same || isCut(changed))) {
      return {};
    }
    if (isCut(changed)) {
      return 'cut';
    }
    if (!text.trim()) {
      return 'empty';
    }
    if (same) {
      return 'unchanged';
    }
    return { [changed.name]: text, ...(changed.block === null ? {} : { block: changed.block }) };
  }
}

function numberIn(text: string, least: number, most: number, whole: boolean): number | null | 'wrong' {
  if (!text.trim()) {
    return null;
  }
  const value = Number(text);
  return value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : 'wrong';
}
