/** The variables of an rlm call, from what its blocks changed. */

import type { CodeExecuted, Variable } from '../trace/wire';

export type Change = 'added' | 'changed' | 'removed';

/** A variable with what became of it; one that was removed has only its name. */
export interface Changed {
  readonly change: Change;
  readonly name: string;
  readonly variable: Variable | null;
}

/** What one block changed. */
export function changesOf({ variables }: CodeExecuted): Changed[] {
  return [
    ...variables.added.map(variable => ({ change: 'added' as const, name: variable.name, variable })),
    ...variables.changed.map(variable => ({ change: 'changed' as const, name: variable.name, variable })),
    ...variables.removed.map(name => ({ change: 'removed' as const, name, variable: null }))
  ];
}

/** The variables that are there after the blocks, the oldest first. */
export function variablesAfter(blocks: readonly CodeExecuted[]): Variable[] {
  const held = new Map<string, Variable>();
  for (const { variables } of blocks) {
    for (const variable of [...variables.added, ...variables.changed]) {
      held.set(variable.name, variable);
    }
    for (const name of variables.removed) {
      held.delete(name);
    }
  }
  return [...held.values()];
}
