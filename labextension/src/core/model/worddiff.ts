/**
 * What two texts have in common, word by word. Texts of any length: first by lines, then by words within the lines
 * that differ, each with a bounded number of steps; what is too different to be told apart is told as a whole.
 */

export interface Piece {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/** How many differences are looked for before two parts count as altogether different. */
const MOST_EDITS = 300;
/** Longer texts are not taken apart: only what they begin and end with is told from the rest. */
const MOST_CHARS = 2_000_000;
/** The steps that one comparison may take in all. */
const MOST_STEPS = 3_000_000;

// Scripts that write no spaces are told apart by their signs.
const WORD = /\s+|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}\p{M}_]+|[^]/gu;
const LINE = /[^\n]*\n|[^\n]+$/g;

/** The pieces in order: `same` and `removed` make the text before, `same` and `added` the one after. */
export function wordDiff(before: string, after: string): Piece[] {
  if (before === after) {
    return before ? [{ kind: 'same', text: before }] : [];
  }
  if (before.length + after.length > MOST_CHARS) {
    return ends(before, after);
  }
  const budget = { steps: MOST_STEPS };
  const byLine = compared(before.match(LINE) ?? [], after.match(LINE) ?? [], budget);
  const pieces: Piece[] = [];
  for (const { kind, removed, added } of changes(byLine)) {
    if (kind === 'same' || !removed || !added) {
      push(pieces, 'removed', kind === 'same' ? '' : removed);
      push(pieces, 'added', kind === 'same' ? '' : added);
      push(pieces, 'same', kind === 'same' ? removed : '');
    } else {
      for (const piece of compared(removed.match(WORD) ?? [], added.match(WORD) ?? [], budget)) {
        push(pieces, piece.kind, piece.text);
      }
    }
  }
  return readable(pieces);
}

function ends(before: string, after: string): Piece[] {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before.charCodeAt(head) === after.charCodeAt(head)) {
    head += 1;
  }
  let tail = 0;
  while (
    tail < most - head &&
    before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)
  ) {
    tail += 1;
  }
  // Not between the two halves of a character.
  head -= Number(isHalf(before, head) || isHalf(after, head));
  tail -= Number(isHalf(before, before.length - tail) || isHalf(after, after.length - tail));
  const pieces: Piece[] = [];
  push(pieces, 'same', before.slice(0, head));
  push(pieces, 'removed', before.slice(head, before.length - tail));
  push(pieces, 'added', after.slice(head, after.length - tail));
  push(pieces, 'same', before.slice(before.length - tail));
  return pieces;
}

function isHalf(text: string, at: number): boolean {
  return at > 0 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

/** Whether anything but white space is different. */
export function isDifferent(pieces: readonly Piece[]): boolean {
  return pieces.some(piece => piece.kind !== 'same' && piece.text.trim() !== '');
}

interface Change {
  readonly kind: 'same' | 'changed';
  readonly removed: string;
  readonly added: string;
}

/** What stands between two common pieces, together. */
function changes(pieces: readonly Piece[]): Change[] {
  const out: Change[] = [];
  let [removed, added] = ['', ''];
  const flush = () => {
    if (removed || added) {
      out.push({ kind: 'changed', removed, added });
      [removed, added] = ['', ''];
    }
  };
  for (const { kind, text } of pieces) {
    switch (kind) {
      case 'removed':
        removed += text;
        break;
      case 'added':
        added += text;
        break;
      case 'same':
        flush();
        out.push({ kind: 'same', removed: text, added: text });
    }
  }
  flush();
  return out;
}

// White space, or a sign, between two changes says nothing by itself: it reads better as a part of them.
function readable(pieces: readonly Piece[]): Piece[] {
  const all = changes(pieces);
  const out: Piece[] = [];
  let [removed, added] = ['', ''];
  all.forEach((each, at) => {
    const between =
      at > 0 && at < all.length - 1 && /^\s+$/.test(each.removed) && !each.removed.includes('\n');
    if (each.kind === 'changed' || between) {
      removed += each.removed;
      added += each.added;
    } else {
      push(out, 'removed', removed);
      push(out, 'added', added);
      [removed, added] = ['', ''];
      push(out, 'same', each.removed);
    }
  });
  push(out, 'removed', removed);
  push(out, 'added', added);
  return out;
}

function push(pieces: Piece[], kind: Piece['kind'], text: string): void {
  if (!text) {
    return;
  }
  const last = pieces.at(-1);
  if (last?.kind === kind) {
    pieces[pieces.length - 1] = { kind, text: last.text + text };
  } else {
    pieces.push({ kind, text });
  }
}

interface Budget {
  steps: number;
}

function compared(before: readonly string[], after: readonly string[], budget: Budget): Piece[] {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) {
    head += 1;
  }
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) {
    tail += 1;
  }
  const old = before.slice(head, before.length - tail);
  const fresh = after.slice(head, after.length - tail);
  const pieces: Piece[] = [];
  push(pieces, 'same', before.slice(0, head).join(''));
  for (const piece of shortest(old, fresh, budget)) {
    push(pieces, piece.kind, piece.text);
  }
  push(pieces, 'same', before.slice(before.length - tail).join(''));
  return pieces;
}

/** The fewest changes, by Myers' algorithm; all of it as one change where they are too many. */
function shortest(old: readonly string[], fresh: readonly string[], budget: Budget): Piece[] {
  const whole: Piece[] = [
    { kind: 'removed', text: old.join('') },
    { kind: 'added', text: fresh.join('') }
  ];
  if (!old.length || !fresh.length) {
    return whole;
  }
  const most = Math.min(MOST_EDITS, old.length + fresh.length);
  const middle = most + 1;
  // For each diagonal, how far into `old` one gets; one copy for each number of changes, to go back along.
  const reach = new Int32Array(2 * most + 3);
  const steps: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits += 1) {
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down =
        diagonal === -edits ||
        (diagonal !== edits && at(reach, middle + diagonal - 1) < at(reach, middle + diagonal + 1));
      let x = down ? at(reach, middle + diagonal + 1) : at(reach, middle + diagonal - 1) + 1;
      while (x < old.length && x - diagonal < fresh.length && old[x] === fresh[x - diagonal]) {
        x += 1;
        budget.steps -= 1;
      }
      budget.steps -= 1;
      reach[middle + diagonal] = x;
      if (x >= old.length && x - diagonal >= fresh.length) {
        return path(old, fresh, steps);
      }
    }
    if (budget.steps < 0) {
      return whole;
    }
    steps.push(reach.slice(middle - edits - 1, middle + edits + 2));
  }
  return whole;
}

// From the end back to the beginning: which change led to each diagonal.
function path(old: readonly string[], fresh: readonly string[], steps: readonly Int32Array[]): Piece[] {
  const out: Piece[] = [];
  let [x, y] = [old.length, fresh.length];
  for (let edits = steps.length; edits > 0; edits -= 1) {
    // `before` holds the diagonals from -edits to edits, as they were with one change less.
    const before = steps[edits - 1] ?? new Int32Array(0);
    const here = x - y + edits;
    const down = x - y === -edits || (x - y !== edits && at(before, here - 1) < at(before, here + 1));
    const fromX = down ? at(before, here + 1) : at(before, here - 1);
    const fromY = fromX - (x - y + (down ? 1 : -1));
    while (x > fromX && y > fromY && x > 0 && y > 0 && old[x - 1] === fresh[y - 1]) {
      x -= 1;
      y -= 1;
      out.push({ kind: 'same', text: old[x] ?? '' });
    }
    if (down) {
      y -= 1;
      out.push({ kind: 'added', text: fresh[y] ?? '' });
    } else {
      x -= 1;
      out.push({ kind: 'removed', text: old[x] ?? '' });
    }
  }
  while (x > 0) {
    x -= 1;
    out.push({ kind: 'same', text: old[x] ?? '' });
  }
  return out.reverse();
}

function at(of: Int32Array, index: number): number {
  return of[index] ?? 0;
}
