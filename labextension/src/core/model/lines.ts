/** What there is to say beside the lines of a block: which asked sub-calls, and at which it failed. */

import { isBad } from '../trace/call';
import type { Block, Call, Turn } from '../trace/call';
import { batchKey, callKey } from './rows';

/** The sub-calls that a line asked; `key` selects them (the first, where they are not one batch). */
export interface Asked {
  readonly key: string;
  readonly calls: number;
  readonly failed: number;
}

/** What the lines asked, by line; 0 where the line is not known. */
export function askedByLine(block: Block): Map<number, Asked> {
  const asked = new Map<number, Asked>();
  for (const group of block.groups) {
    const [first] = group;
    if (first) {
      const line = first.site?.line ?? 0;
      const before = asked.get(line);
      const failed = group.filter(call => isBad(call.status)).length;
      asked.set(line, {
        key: before?.key ?? (group.length > 1 ? batchKey(first) : callKey(first)),
        calls: (before?.calls ?? 0) + group.length,
        failed: (before?.failed ?? 0) + failed
      });
    }
  }
  return asked;
}

/** The line of a block at which its error arose; null when its traceback names none. */
export function failingLine(call: Call, turn: Turn, block: Block): number | null {
  const traceback = block.executed?.error?.traceback ?? '';
  const place = `<rlm:${call.id}.${String(turn.number)} block ${String(block.number)}>`;
  const at = traceback.lastIndexOf(`"${place}", line `);
  const found =
    at < 0 ? null : /line (\d{1,9})/.exec(traceback.slice(at + place.length, at + place.length + 20));
  return found ? Number(found[1]) : null;
}
