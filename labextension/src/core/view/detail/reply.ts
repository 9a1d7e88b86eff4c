/** The reply tab: what came back, the reasoning before it, and what went wrong. */

import { brief } from '../../format';
import { errorOf, repliesOf } from '../../model/detail';
import { REPLAYED } from '../../model/provenance';
import type { Item } from '../../model/rows';
import { visible } from '../../text';
import { isReplayed } from '../../trace/call';
import type { ErrorInfo, ModelReplied } from '../../trace/wire';
import type { Words } from '../../words';
import { h } from '../dom';
import { charCount, fold, remark, signOf, still } from './parts';
import type { Pane, Section } from './section';
import { textBody } from './text';

export function replySections(item: Item, pane: Pane): Section[] {
  if (item.kind === 'call' && item.call.kind === 'rlm') {
    return answerSections(item, pane);
  }
  const reply = repliesOf(item).at(-1);
  const error = reply?.error ?? (item.kind === 'call' ? errorOf(item) : null);
  return [
    ...(reply ? modelSections(item, reply, pane) : []),
    ...(error ? [errorSection(item, error, pane)] : [])
  ];
}

function modelSections(item: Item, reply: ModelReplied, pane: Pane): Section[] {
  const { words } = pane.state;
  const sign = signOf([reply]);
  const out: Section[] = [];
  if (isReplayed(reply)) {
    out.push(still('replayed', sign, () => remark(recordedTold([reply], words))));
  }
  if (reply.reasoning) {
    out.push(
      still('reasoning', sign, () =>
        fold(
          pane,
          `${item.key}|reasoning`,
          [words.__('Reasoning'), h('span', { class: 'rlm-detail-size' }, charCount(reply.reasoning, pane))],
          () => textBody(pane, `${item.key}|reasoning text`, reply.reasoning, { name: words.__('Reasoning') })
        )
      )
    );
  }
  if (reply.text || !reply.error) {
    const cut = reply.finishReason === 'length';
    out.push(
      still('reply', sign, () =>
        textBody(pane, `${item.key}|reply`, reply.text, {
          name: words.__('Reply'),
          class: 'rlm-detail-reply',
          beside: [
            cut && h('span', { class: 'rlm-detail-tag rlm-bad' }, words.__('cut off by the length limit'))
          ]
        })
      )
    );
  }
  return out;
}

function answerSections(item: Extract<Item, { kind: 'call' }>, pane: Pane): Section[] {
  const { words } = pane.state;
  const { answer, finished, error } = item.call;
  const out: Section[] = [];
  if (answer !== null) {
    out.push(
      still('answer', finished ? signOf([finished]) : '', () =>
        textBody(pane, `${item.key}|answer`, answer, {
          name: words.__('Answer'),
          class: 'rlm-detail-reply',
          beside: [
            finished?.how &&
              h('span', { class: 'rlm-detail-size' }, words.__('from %1', visible(finished.how)))
          ]
        })
      )
    );
  }
  return error ? [...out, errorSection(item, error, pane)] : out;
}

function errorSection(item: Item, error: ErrorInfo, pane: Pane): Section {
  return still('error', `${error.type} ${String(error.message.length)}`, () =>
    errorBody(pane, `${item.key}|error`, error)
  );
}

/** What replies that came from a record used when they were first given. */
export function recordedTold(replies: readonly ModelReplied[], words: Words): string {
  let [input, output] = [0, 0];
  for (const { usage } of replies) {
    input += usage.inputTokens;
    output += usage.outputTokens;
  }
  return input + output
    ? words.__('%1 replayed, at no cost; then it took %2 → %3 tokens', REPLAYED, brief(input), brief(output))
    : words.__('%1 replayed, at no cost', REPLAYED);
}

/** An error: its type, its message and where it arose. */
export function errorBody(pane: Pane, key: string, error: ErrorInfo): HTMLElement {
  const { words } = pane.state;
  const whole = error.traceback.trimEnd().endsWith(error.message.trimEnd());
  return h(
    'div',
    { class: 'rlm-detail-error' },
    whole && error.traceback
      ? remark(h('b', {}, visible(error.type)))
      : textBody(pane, `${key}|message`, error.message, { name: visible(error.type) }),
    error.traceback !== '' &&
      textBody(pane, `${key}|traceback`, error.traceback, { name: words.__('Traceback'), printed: true })
  );
}
