/** What a person is told of a beat, and which item it is about. */

import { thousands } from '../format';
import type { Beat } from '../model/beats';
import type { Standing } from '../model/playback';
import { findItem, parentItem } from '../model/rows';
import type { Tree } from '../trace/tree';
import type { TraceEvent } from '../trace/wire';
import type { Words } from '../words';

/** A beat as a person tells it. */
export function beatText(
  { beat, calls }: Pick<Standing, 'beat' | 'calls'>,
  tree: Tree,
  words: Words
): string {
  const { kind, event } = beat;
  const [some, all] = [thousands(calls), thousands(beat.calls)];
  switch (kind) {
    case 'sent':
      return calls < beat.calls
        ? words.__('%1 of %2 sub-calls sent', some, all)
        : words._n('%2 sub-call sent', '%2 sub-calls sent', beat.calls, all);
    case 'back':
      return calls < beat.calls
        ? words.__('%1 of %2 sub-calls back', some, all)
        : words._n('%2 sub-call back', '%2 sub-calls back', beat.calls, all);
    case 'inside':
      return calls
        ? words._n('sub-calls, %2 of them back', 'sub-calls, %2 of them back', calls, some)
        : words.__('sub-calls under way');
    case 'step':
      return stepText(event, tree, words);
  }
}

/** The key of the item that a beat is about. */
export function beatKey({ kind, event }: Beat, tree: Tree): string {
  const id = ('callId' in event && event.callId) || '0';
  const item = findItem(tree, id);
  if (kind === 'step') {
    return 'turn' in event && tree.calls.get(id)?.kind === 'rlm' ? `${id}@${String(event.turn)}` : id;
  }
  // A batch is told of as one.
  const above = item && parentItem(item);
  return above?.kind === 'batch' ? above.key : id;
}

function stepText(event: TraceEvent, tree: Tree, words: Words): string {
  switch (event.type) {
    case 'run_started':
      return words.__('the run starts');
    case 'run_finished':
      return words.__('the run ends');
    case 'call_started':
      return words.__('%1 starts', name(event, tree));
    case 'call_finished':
      return event.callId === '0' && event.answer !== null
        ? words.__('the answer is there')
        : words.__('%1 ends', name(event, tree));
    case 'model_asked':
      return words.__('%1: the model is asked', place(event, tree, words));
    case 'model_replied':
      return event.error
        ? words.__('%1: no reply came', place(event, tree, words))
        : words.__('%1: the model replied', place(event, tree, words));
    case 'run_paused':
      return words.__('the run waits for its server');
    case 'run_continued':
      return words.__('the run goes on');
    case 'block_held':
      return words.__('%1: block %2 waits for a person', place(event, tree, words), event.block);
    case 'code_executed':
      return event.error
        ? words.__('%1: block %2 failed', place(event, tree, words), event.block)
        : words.__('%1: block %2 ran', place(event, tree, words), event.block);
  }
}

// The root is the run, so a turn of it needs no other name; a plain request has but one turn.
function place(event: { callId: string; turn: number }, tree: Tree, words: Words): string {
  if (event.callId === '0') {
    return words.__('turn %1', event.turn);
  }
  const called = name(event, tree);
  return called.startsWith('llm') ? called : words.__('%1 turn %2', called, event.turn);
}

function name({ callId }: { callId: string }, tree: Tree): string {
  return `${tree.calls.get(callId)?.kind ?? ''} ${callId}`.trim();
}
