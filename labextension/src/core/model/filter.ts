/**
 * The search over a run: free words and `kind: status: depth: model: id: tokens> cost> t>` terms, all of which must
 * hold. `-word` and `-status:failed` exclude; quotes keep words together; `slowest:10` and `costliest:10` keep the
 * first ten of what the other terms leave. Beside the statuses there are `status:replayed`, `differs`, `waiting`, `edited`
 * and `skipped`.
 */

import { waitedFor } from '../trace/call';
import type { Call } from '../trace/call';
import type { Tree } from '../trace/tree';
import type { ErrorInfo } from '../trace/wire';
import { isStanding } from './provenance';
import { callKey, childItems, isFailed } from './rows';
import type { Item } from './rows';

/** What a search found. `hits` are keys in the order of the tree; `kept` are they and everything above them. */
export interface Found {
  readonly hits: readonly string[];
  readonly kept: ReadonlySet<string>;
  /** How many items were looked at. */
  readonly of: number;
  /** What in the query could not be understood, for people; empty when all was. */
  readonly problem: string;
}

export const NOTHING: Found = { hits: [], kept: new Set(), of: 0, problem: '' };

type Test = (item: Item) => boolean;

interface Rank {
  readonly by: 'slowest' | 'costliest';
  readonly most: number;
}

interface Query {
  readonly tests: readonly Test[];
  readonly rank: Rank | null;
  readonly problem: string;
}

const FIELDS = ['kind', 'status', 'depth', 'model', 'id', 'tokens', 'cost', 't', 'turn'] as const;
type Field = (typeof FIELDS)[number];
const TERM = /(-?)(?:([a-z]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"|(\S+))/giu;

/** The calls and turns for which every term holds. */
export function search(tree: Tree, text: string): Found {
  const query = parse(text);
  let found: Step[] = [];
  let of = 0;
  for (const step of walk(tree)) {
    if (step.item.kind !== 'call' && step.item.kind !== 'turn') {
      continue;
    }
    of += 1;
    if (query.tests.every(test => test(step.item))) {
      found.push(step);
    }
  }
  if (query.rank) {
    found = first(found, query.rank);
  }
  return { hits: found.map(step => step.item.key), kept: withAbove(found), of, problem: query.problem };
}

function withAbove(steps: readonly Step[]): Set<string> {
  const kept = new Set<string>();
  for (const step of steps) {
    for (let at: Step | null = step; at && !kept.has(at.item.key); at = at.above) {
      kept.add(at.item.key);
    }
  }
  return kept;
}

// Turns and the root hold what is below them, so they are ranked only where there is nothing else.
function first(steps: readonly Step[], { by, most }: Rank): Step[] {
  const subcalls = steps.filter(({ item }) => item.kind === 'call' && item.call.depth > 0);
  const ranked = (subcalls.length ? subcalls : steps.filter(({ item }) => item.kind === 'turn'))
    .map(step => ({ step, value: by === 'slowest' ? secondsOf(step.item) : expense(step.item) }))
    .filter(({ value }) => value !== null && value > 0)
    .sort((one, other) => (other.value ?? 0) - (one.value ?? 0))
    .slice(0, most);
  const chosen = new Set(ranked.map(({ step }) => step));
  return steps.filter(step => chosen.has(step));
}

// Dollars where they are known for the whole run, else tokens.
function expense(item: Item): number | null {
  const usage = item.kind === 'turn' ? item.turn.reply?.usage : item.call.below.usage;
  return usage ? (usage.cost ?? usage.inputTokens + usage.outputTokens) : null;
}

/** Every item in the order of the tree. */
export function* allItems(tree: Tree): Generator<Item> {
  for (const step of walk(tree)) {
    yield step.item;
  }
}

interface Step {
  readonly item: Item;
  readonly above: Step | null;
}

function* walk(tree: Tree): Generator<Step> {
  const root = tree.root;
  const stack: Step[] = root ? [{ item: { kind: 'call', key: callKey(root), call: root }, above: null }] : [];
  for (let step = stack.pop(); step; step = stack.pop()) {
    yield step;
    const above = step;
    for (const item of childItems(step.item).reverse()) {
      stack.push({ item, above });
    }
  }
}

/** The tests a query stands for. A term that cannot be understood is named in `problem` and left out. */
export function parse(text: string): Query {
  const tests: Test[] = [];
  const problems: string[] = [];
  let rank: Rank | null = null;
  for (const [whole, minus = '', name = '', sign = '', quoted, bare] of text.matchAll(TERM)) {
    const value = (quoted ?? bare ?? '').toLowerCase();
    const by = name.toLowerCase();
    if ((by === 'slowest' || by === 'costliest') && sign === ':') {
      rank = { by, most: Math.max(1, Number(value) || 10) };
      continue;
    }
    const made = name && sign ? fieldTest(by, sign, value) : wordTest(whole, minus, value);
    if (typeof made === 'string') {
      problems.push(made);
    } else {
      tests.push(minus ? item => !made(item) : made);
    }
  }
  return { tests, rank, problem: problems.join('; ') };
}

function wordTest(whole: string, minus: string, value: string): Test {
  const word = minus && value === '' ? whole : value;
  return item => haystacks(item).some(text => text.toLowerCase().includes(word));
}

function fieldTest(name: string, sign: string, value: string): Test | string {
  const field = FIELDS.find(each => each === name);
  if (!field) {
    // Not one of ours: `http://…` and `x>y` are words.
    return wordTest('', '', `${name}${sign}${value}`);
  }
  switch (field) {
    case 'kind':
      return item => kindOf(item) === value;
    case 'status':
      return item =>
        (value === 'failed' && isFailed(item)) || statusOf(item) === value || isStanding(item, value);
    case 'model':
      return item => item.call.model.toLowerCase().includes(value);
    case 'id':
      return item => item.key === value || item.call.id === value || item.call.id.startsWith(`${value}.`);
    case 'depth':
    case 'tokens':
    case 'cost':
    case 't':
    case 'turn':
      return numberTest(field, sign, value);
  }
}

function numberTest(field: Field, sign: string, value: string): Test | string {
  const wanted = Number(value.replace(/^\$/, '').replace(/k$/, 'e3').replace(/m$/, 'e6').replace(/s$/, ''));
  if (!value || Number.isNaN(wanted)) {
    return `${field}${sign}${value} needs a number`;
  }
  return item => {
    const found = measure(field, item);
    return found !== null && compare(found, sign, wanted);
  };
}

function compare(found: number, sign: string, wanted: number): boolean {
  switch (sign) {
    case '>':
      return found > wanted;
    case '>=':
      return found >= wanted;
    case '<':
      return found < wanted;
    case '<=':
      return found <= wanted;
    default:
      return found === wanted;
  }
}

function measure(field: Field, item: Item): number | null {
  const usage = item.kind === 'turn' ? item.turn.reply?.usage : item.call.below.usage;
  switch (field) {
    case 'depth':
      return item.call.depth;
    case 'turn':
      return item.kind === 'turn' ? item.turn.number : null;
    case 'tokens':
      return usage ? usage.inputTokens + usage.outputTokens : null;
    case 'cost':
      return usage?.cost ?? null;
    case 't':
      return secondsOf(item);
    default:
      return null;
  }
}

/** How long an item took, in seconds; null while it has no end. */
export function secondsOf(item: Item): number | null {
  if (item.kind !== 'turn') {
    return item.call.seconds;
  }
  const blocks = item.turn.blocks.reduce((sum, block) => sum + (block.executed?.seconds ?? 0), 0);
  return item.turn.reply ? waitedFor(item.turn.reply) + blocks : null;
}

function kindOf(item: Item): string {
  return item.kind === 'call' ? item.call.kind : item.kind;
}

function statusOf(item: Item): string {
  if (item.kind !== 'turn') {
    return item.call.status;
  }
  return isFailed(item) ? 'failed' : item.turn.reply ? 'finished' : item.call.status;
}

function haystacks(item: Item): string[] {
  if (item.kind === 'turn') {
    const { reply, blocks } = item.turn;
    const done = blocks.flatMap(block => (block.executed ? [block.executed] : []));
    return [
      reply?.text ?? '',
      reply?.reasoning ?? '',
      errorText(reply?.error ?? null),
      ...done.flatMap(block => [block.code, block.stdout, block.stderr, errorText(block.error)])
    ];
  }
  return callTexts(item.call);
}

function callTexts(call: Call): string[] {
  return [call.id, call.prompt, call.answer ?? '', call.model, errorText(call.error), call.site?.code ?? ''];
}

function errorText(error: ErrorInfo | null): string {
  return error ? `${error.type}: ${error.message}` : '';
}
