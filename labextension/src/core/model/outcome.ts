/** `Outcome`: what a call or a run came to, so that two of them can be put side by side. */

import type { Call } from '../trace/call';
import type { ErrorInfo, ModelReplied, Original, Status } from '../trace/wire';
import type { RunStore } from './store';

export interface Outcome {
  readonly status: Status;
  readonly answer: string | null;
  readonly error: ErrorInfo | null;
  readonly model: string;
  /** Input and output together; null where nothing was asked. */
  readonly tokens: number | null;
  /** US dollars; null where unknown. */
  readonly cost: number | null;
  /** Null while it has no end. */
  readonly seconds: number | null;
}

/** Of a call with all below it, also what of it came from a record: what it took then. */
export function callOutcome(call: Call): Outcome {
  const used = new Taken();
  used.addCall(call);
  const { status, answer, error, model } = call;
  return { status, answer, error, model, ...used.sums, seconds: call.replayed ? null : call.seconds };
}

/** Of a run: what it took itself, without what came from a record. */
export function runOutcome({ tree, status, live, now }: RunStore): Outcome {
  const { end, root } = tree;
  const usage = root?.below.usage;
  return {
    status,
    answer: end ? end.answer : (root?.answer ?? null),
    error: end?.error ?? root?.error ?? null,
    model: root?.model ?? '',
    tokens: usage?.requests ? usage.tokens : null,
    cost: usage?.cost ?? null,
    seconds: live ? null : now
  };
}

/** Of the call that a run asked again, as the run itself keeps it. */
export function originalOutcome({ answer, error, model, usage, seconds }: Original): Outcome {
  return {
    status: error ? 'failed' : 'finished',
    answer,
    error,
    model,
    tokens: usage.inputTokens + usage.outputTokens || null,
    cost: usage.cost,
    seconds
  };
}

/** How many of these answers are the most frequent one, spaces and case aside; null with fewer than two. */
export function agreement(
  answers: readonly (string | null)[]
): { readonly agree: number; readonly of: number } | null {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    if (answer !== null) {
      const plain = answer.trim().split(/\s+/).join(' ').toLowerCase();
      counts.set(plain, (counts.get(plain) ?? 0) + 1);
    }
  }
  const given = answers.filter(answer => answer !== null).length;
  return given < 2 ? null : { agree: Math.max(...counts.values()), of: given };
}

class Taken {
  private tokens = 0;
  private cost: number | null = 0;
  private asked = false;

  get sums(): Pick<Outcome, 'tokens' | 'cost'> {
    return this.asked ? { tokens: this.tokens, cost: this.cost } : { tokens: null, cost: null };
  }

  addCall(call: Call): void {
    const waiting = [call];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      for (const { reply, blocks } of next.turns) {
        if (reply && !reply.error) {
          this.add(reply);
        }
        waiting.push(...blocks.flatMap(block => block.calls));
      }
    }
  }

  private add({ usage }: ModelReplied): void {
    this.asked = true;
    this.tokens += usage.inputTokens + usage.outputTokens;
    this.cost = this.cost === null || usage.cost === null ? null : this.cost + usage.cost;
  }
}
