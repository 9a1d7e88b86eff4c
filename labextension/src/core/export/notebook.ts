/**
 * The run as an ordinary notebook (nbformat 4.5): a section per turn, the model's code in code cells. The same bytes as
 * `rlm_kernel/views/notebook.py` makes; the golden notebooks hold both to it.
 */

import { MARKS, thousands } from '../format';
import { isUnprotected, isolationLabel } from '../model/isolation';
import { decodeRich } from '../model/rich';
import type { Table } from '../model/rich';
import type { RunStore } from '../model/store';
import { firstLine, visible } from '../text';
import type { Block, Call, Turn } from '../trace/call';
import { isFields } from '../trace/read';
import type { CodeExecuted, ErrorInfo, RichOutput } from '../trace/wire';
import { ENGLISH } from '../words';
import { DIFFERS, WRITTEN, decided, isWaiting, isWritten, lastWords, originFacts } from './derived';
import { fenced, span } from './markdown';
import { missing } from './missing';
import { REPLAYED, isRecorded, label } from './sources';
import { batchFacts, cost, count, errorText, escapeHtml, facts, said, seconds, tokens } from './summary';

type Cell = Readonly<Record<string, unknown>>;

/** So many sub-calls or batches of a turn are listed. */
const GROUPS = 100;
/** So many calls of a batch are. */
const BATCH = 3;

/** The notebook's file. It depends on the run alone: the same run makes the same text. */
export function toNotebook(store: RunStore): string {
  const notebook = {
    cells: cells(store),
    metadata: {
      kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
      language_info: { name: 'python' }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
  return `${JSON.stringify(sorted(notebook), null, 1)}\n`;
}

function cells(store: RunStore): Cell[] {
  const { root } = store.tree;
  return [
    markdown('run', ...head(store)),
    ...(root ? steps(store, root) : []),
    markdown('answer', ...end(store))
  ];
}

function steps(store: RunStore, root: Call): Cell[] {
  const out: Cell[] = [];
  let number = 0;
  for (const turn of root.turns) {
    // A cell's id is its place in the run, so that the same run makes the same notebook.
    const place = `turn-${String(turn.number)}`;
    out.push(markdown(place, ...turnParts(store, turn, root)));
    for (const block of turn.blocks) {
      if (block.executed) {
        number += 1;
        out.push(code(`${place}-block-${String(block.number)}`, number, block.executed));
      }
    }
    const groups = turn.blocks.flatMap(block => block.groups);
    if (groups.length) {
      out.push(markdown(`${place}-calls`, '**Sub-calls**', listed(groups).join('\n')));
    }
  }
  return out;
}

function head(store: RunStore): string[] {
  const { root, run } = store.tree;
  const parts = [`# Run ${span(store.id)}`];
  if (run) {
    parts.push('**Question**', fenced(run.query));
  }
  if (root) {
    parts.push(facts(root).join(' · '));
  }
  if (isUnprotected(run)) {
    parts.push(`**⚠ ${isolationLabel(run, ENGLISH)}**`);
  }
  parts.push(...labelled(store));
  const origin = originFacts(store);
  if (origin.length) {
    parts.push(`**Origin** ${origin.join(' · ')}`);
  }
  if (run) {
    const about = root ? [`Model ${span(root.model)}`] : [];
    about.push(`isolation ${span(run.isolation)}`, `started ${span(run.started)}`);
    parts.push([...about, `rlm_kernel ${span(run.version)}`].join(' · '));
  }
  parts.push(namespace(root ? context(root, isUnprotected(run)) : ''));
  return [...parts, ...notes(store).map(note => `**Note** ${note}`)];
}

function namespace(given: string): string {
  return (
    `The code below is the model's. It ran in a namespace of its own, in which ${given}\`llm_query\`, ` +
    '`llm_query_batched`, `rlm_query`, `rlm_query_batched`, `SHOW_VARS`, `answer`, `FINAL` and `FINAL_VAR` were ' +
    'defined. To run it here, define those that it uses first. The outputs are those of the run.'
  );
}

function context(root: Call, alive: boolean): string {
  const card = root.started.context;
  if (!card) {
    return '';
  }
  const size = card.chars === null ? '' : `, ${thousands(card.chars)} characters`;
  return `\`context\` (${alive ? 'the very object' : 'a copy of'} ${span(card.name)}: ${span(card.schema || card.type)}${size}), `;
}

function labelled(store: RunStore): string[] {
  const tag = label(store);
  return tag ? [`*${tag}*`] : [];
}

// A kernel's trace is whole; what a notebook keeps of it need not be.
function notes(store: RunStore): string[] {
  const { warning } = store;
  const { texts, calls } = missing(store);
  return [
    warning ? span(warning) : '',
    texts ? `${count(texts, 'long text')} shortened here; the trace has them in full.` : '',
    calls ? `${count(calls, 'call')} not here; the trace has them all.` : ''
  ].filter(Boolean);
}

function turnParts(store: RunStore, turn: Turn, call: Call): string[] {
  const { reply } = turn;
  if (!reply) {
    const waits = call.alive ? 'waiting for the model' : `${call.status} before the model replied`;
    return [`## Turn ${String(turn.number)} · ${waits}`];
  }
  const told = [
    `## Turn ${String(turn.number)}`,
    turn.failed ? `${MARKS.failed} failed` : '',
    seconds(reply.seconds),
    tokens(reply.usage),
    cost(reply.usage),
    reply.retries ? `retried ${String(reply.retries)}×` : '',
    isRecorded(reply) ? `${REPLAYED} replayed` : '',
    isWritten(reply, store) ? WRITTEN : ''
  ];
  const parts = [told.filter(Boolean).join(' · ')];
  const last = lastWords(turn);
  if (last) {
    parts.push(`Last turn: ${span(last)}`);
  }
  if (reply.reasoning) {
    parts.push('**Reasoning**', fenced(reply.reasoning));
  }
  const words = said(turn);
  if (words) {
    parts.push('**Reply**', fenced(words));
  }
  if (reply.finishReason === 'length') {
    parts.push('The reply was cut off by the length limit.');
  }
  if (reply.error) {
    parts.push('**Error**', fenced(errorText(reply.error)));
  }
  return [...parts, ...turn.blocks.flatMap(block => blockParts(block, call))];
}

function blockParts(block: Block, call: Call): string[] {
  const number = String(block.number);
  if (!block.executed) {
    const state = call.alive ? 'is running' : 'did not end';
    return [`Block ${number} ${isWaiting(block, call) ? 'is waiting for you' : state}.`];
  }
  const how = decided(block);
  const differing = block.executed.divergences.flatMap(({ what, recorded, found }) => [
    `${DIFFERS} ${span(what)} of block ${number}, as recorded`,
    fenced(recorded),
    'As found',
    fenced(found)
  ]);
  return [...(how ? [`Block ${number}: ${how}.`] : []), ...differing];
}

function listed(groups: readonly (readonly Call[])[]): string[] {
  const out: string[] = [];
  for (const group of groups.slice(0, GROUPS)) {
    const [first, last] = [group[0], group.at(-1)];
    if (!first || !last) {
      continue;
    }
    if (group.length === 1) {
      out.push(`- ${called(first)}`);
      continue;
    }
    const ids = span(`${first.id}…${last.id}`);
    out.push(`- ${ids} batch of ${thousands(group.length)} ${first.kind}: ${batchFacts(group)}`);
    out.push(...group.slice(0, BATCH).map(call => `    - ${called(call)}`));
    out.push(...more(group.length - BATCH, '    '));
  }
  return [...out, ...more(groups.slice(GROUPS).flat().length, '')];
}

function more(number: number, indent: string): string[] {
  return number > 0 ? [`${indent}- … ${count(number, 'more call')} in the trace`] : [];
}

function called(call: Call): string {
  const turns = call.kind === 'rlm' ? `, ${count(call.turns.length, 'turn')}` : '';
  const result = call.error ? errorText(call.error) : call.answer;
  const gave = result === null ? '' : ` → ${span(firstLine(result))}`;
  const status = `${MARKS[call.status]} ${call.status}`;
  return `${span(call.id)} ${call.kind}${turns}, ${status}: ${span(firstLine(call.prompt))}${gave}`;
}

function end(store: RunStore): string[] {
  const { end: ended } = store.tree;
  const parts: string[] = [];
  if (ended && ended.answer !== null) {
    parts.push('## Answer', ...labelled(store), fenced(ended.answer));
  }
  if (ended?.error) {
    parts.push('## Error', fenced(errorText(ended.error)));
  }
  return parts.length ? parts : [`## No answer: ${store.status}`];
}

function markdown(id: string, ...parts: readonly string[]): Cell {
  return { cell_type: 'markdown', id: cellId(id), metadata: {}, source: lines(parts.join('\n\n')) };
}

function code(id: string, number: number, done: CodeExecuted): Cell {
  return {
    cell_type: 'code',
    execution_count: number,
    id: cellId(id),
    metadata: {},
    outputs: [
      stream('stdout', done.stdout),
      stream('stderr', done.stderr),
      ...done.outputs.map(display),
      done.error && failure(done.error)
    ].filter(Boolean),
    source: lines(visible(done.code))
  };
}

// The number of a turn in a stranger's trace need not be a whole one.
function cellId(place: string): string {
  return place.replace(/[^a-z0-9-]/g, '_').slice(0, 64);
}

function stream(name: string, text: string): Cell | null {
  return text ? { name, output_type: 'stream', text: lines(visible(text)) } : null;
}

function failure(error: ErrorInfo): Cell {
  return {
    ename: visible(error.type),
    evalue: visible(error.message),
    output_type: 'error',
    traceback: visible(error.traceback || errorText(error)).split('\n')
  };
}

function display(output: RichOutput): Cell | null {
  const rich = decodeRich(output);
  switch (rich.kind) {
    case 'image': {
      const found = /^data:([^;]+);base64,/.exec(rich.url);
      const data = found?.[1] ? { [found[1]]: rich.url.slice(found[0].length) } : {};
      return { data, metadata: {}, output_type: 'display_data' };
    }
    case 'table':
      return { data: tableData(rich.table), metadata: {}, output_type: 'display_data' };
    case 'other':
      return null;
  }
}

function tableData(table: Table): Cell {
  const rows = table.rows.map((row, at) => ({ name: table.index?.[at] ?? '', row }));
  const told = tableSize(table);
  const top = ['', ...table.columns].map(name => `<th>${html(name)}</th>`).join('');
  const body = rows.map(
    ({ name, row }) => `<tr><th>${html(name)}</th>${row.map(cell => `<td>${html(cell)}</td>`).join('')}</tr>`
  );
  const flat = [['', ...table.columns], ...rows.map(({ name, row }) => [name, ...row])];
  const text = flat.map(row => row.map(cell => visible(cell).replace(/[\n\t]/g, ' ')).join('\t'));
  return {
    'text/html': `<table><thead><tr>${top}</tr></thead><tbody>${body.join('')}</tbody></table>\n<p>${told}</p>`,
    'text/plain': lines([...text, told].join('\n'))
  };
}

function tableSize(table: Table): string {
  const part = (shown: number, total: number, noun: string) =>
    shown === total ? count(total, noun) : `${thousands(shown)} of ${count(total, noun)}`;
  const rows = part(table.rows.length, table.totalRows, 'row');
  return `${rows}, ${part(table.columns.length, table.totalColumns, 'column')}`;
}

function html(text: string): string {
  return escapeHtml(visible(text));
}

function lines(text: string): string[] {
  const parts = text.split('\n');
  const last = parts.pop();
  return [...parts.map(part => `${part}\n`), ...(last ? [last] : [])];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  return isFields(value)
    ? Object.fromEntries(
        Object.keys(value)
          .sort()
          .map(key => [key, sorted(value[key])])
      )
    : value;
}
