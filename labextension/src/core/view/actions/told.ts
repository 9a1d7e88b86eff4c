/** What an action says of itself. */

import { thousands } from '../../format';
import type { Problem } from '../../model/draft';
import type { Limit } from '../../model/edit';
import type { Item } from '../../model/rows';
import type { Derived } from '../../trace/wire';
import type { Words } from '../../words';

/** The button that opens its form. */
export function actionName(kind: Derived, words: Words): string {
  switch (kind) {
    case 'replay':
      return words.__('Replay…');
    case 'rerun':
      return words.__('Rerun…');
    case 'fork':
      return words.__('Fork…');
    case 'resume':
      return words.__('Resume…');
  }
}

export function title(kind: Derived, item: Item, words: Words): string {
  switch (kind) {
    case 'replay':
      return words.__('Replay the run.');
    case 'resume':
      return words.__('Resume the run.');
    case 'rerun':
      return words.__('Rerun %1 %2.', item.call.kind, item.call.id);
    case 'fork':
      return item.kind === 'call'
        ? words.__('Fork the run at %1 %2.', item.call.kind, item.call.id)
        : item.kind === 'batch'
          ? words.__('Fork the run.')
          : item.call.depth === 0
            ? words.__('Fork the run at turn %1.', thousands(item.turn.number))
            : words.__('Fork the run at turn %1 of %2.', thousands(item.turn.number), item.call.id);
  }
}

export function explained(kind: Derived, words: Words): string {
  switch (kind) {
    case 'replay':
      return words.__(
        'Its code is executed again; every reply comes from the record: no model is asked, nothing is spent.'
      );
    case 'rerun':
      return words.__(
        'It is asked again with a model, beside what it gave. Later steps of this run are not recomputed.'
      );
    case 'fork':
      return words.__(
        'A new run: the same up to here, then changed, then on with a model. Replies that are recorded are not paid for again.'
      );
    case 'resume':
      return words.__(
        'A new run that goes on where this one stopped. Replies that are recorded are not paid for again.'
      );
  }
}

export function limitName(name: Limit, words: Words): string {
  switch (name) {
    case 'max_turns':
      return words.__('Turns');
    case 'max_calls':
      return words.__('Sub-calls');
    case 'max_tokens':
      return words.__('Tokens');
    case 'max_seconds':
      return words.__('Seconds');
  }
}

export function problemTold(problem: Problem, words: Words): string {
  switch (problem) {
    case 'unchanged':
      return words.__('The text is the recorded one: change it first, or choose “Nothing: ask again”.');
    case 'empty':
      return words.__('The text is empty.');
    case 'cut':
      return words.__('Only a part of the text is here: it can be edited where a kernel has the run.');
    case 'temperature':
      return words.__('The temperature is a number from 0 up.');
    case 'samples':
      return words.__('Samples are a whole number from 1 to 100.');
    case 'max_turns':
    case 'max_calls':
    case 'max_tokens':
    case 'max_seconds':
      return words.__('%1 is a number from 0 up.', limitName(problem, words));
  }
}

/** What is missing where nothing can be run. */
export function needsKernel(words: Words): string {
  return words.__('“Run it” needs a kernel with rlm_kernel: run a cell, then %load_ext rlm_kernel.');
}
