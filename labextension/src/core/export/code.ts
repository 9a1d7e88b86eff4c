/** "Copy as code": a call or a turn as Python that asks exactly the same with the OpenAI client. It holds no key. */

import type { Item } from '../model/rows';
import { stepOf } from '../model/step';
import { visible } from '../text';
import type { RunStarted } from '../trace/wire';

// Beyond this a text is one literal: a line for each would be more than anyone reads.
const MOST_LINES = 2_000;

/** What the snippet says beside the request. */
export interface Asking {
  readonly run: RunStarted | null;
  /** How many of its texts are shortened where this trace was read. */
  readonly shortened: number;
}

/** Whether there is a request to ask again. */
export function isAsking(item: Item): item is Extract<Item, { kind: 'call' | 'turn' }> {
  return item.kind === 'turn' ? item.turn.asked.length > 0 : item.kind === 'call' && item.call.kind === 'llm';
}

/** The Python that looks the item's call or turn up in the run it came from. */
export function lookupCode(item: Item): string {
  return `run[${pythonText(stepOf(item) || item.call.id)}]`;
}

/** The Python that asks what was asked. */
export function requestCode(item: Extract<Item, { kind: 'call' | 'turn' }>, asking: Asking): string {
  const { call } = item;
  const messages = item.kind === 'turn' ? call.messages(item.turn.number) : call.messages();
  const where =
    item.kind === 'turn' ? `turn ${String(item.turn.number)} of call ${call.id}` : `call ${call.id}`;
  const options = [
    `model=${pythonText(call.started.model)}`,
    'messages=messages',
    ...numberOption('temperature', asking.run?.settings['temperature']),
    ...numberOption('max_completion_tokens', asking.run?.settings['max_output_tokens'])
  ];
  return [
    `# Asks again what ${where} asked. In the notebook that made the run, the call is run[${pythonText(call.id)}].`,
    ...(asking.shortened ? ['# Some of these texts are shortened: the whole trace was not at hand.'] : []),
    'from openai import OpenAI',
    '',
    'client = OpenAI()  # takes OPENAI_API_KEY and OPENAI_BASE_URL from the environment',
    'messages = [',
    ...messages.map(
      ({ role, content }) => `    {"role": ${pythonText(role)}, "content": ${pythonLines(content)}},`
    ),
    ']',
    `reply = client.chat.completions.create(${options.join(', ')})`,
    'print(reply.choices[0].message.content)',
    ''
  ].join('\n');
}

/** A Python literal of the text: with JSON's escapes, which are Python's too, and nothing unseen in it. */
export function pythonText(text: string): string {
  return visible(JSON.stringify(text));
}

/** A Python expression for the text with a line of code for each line of it, so that it can be read and edited. */
export function pythonLines(text: string, indent = '    '): string {
  const lines = text.split(/(?<=\n)/);
  if (lines.length === 1 || lines.length > MOST_LINES) {
    return pythonText(text);
  }
  const inner = lines.map(line => `${indent}    ${pythonText(line)}`);
  return `(\n${inner.join('\n')}\n${indent})`;
}

function numberOption(name: string, value: unknown): string[] {
  return typeof value === 'number' && Number.isFinite(value) ? [`${name}=${String(value)}`] : [];
}
