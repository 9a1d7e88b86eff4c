/** What the lenses whose rows are calls have in common: the keys from row to row, and letting go of the newest one. */

import type { ViewState } from '../model/state';

/** What the keys do that go from row to row. `go` is told the number of a row, which may be beyond the ends. */
export function rowMoves(
  at: number,
  last: number,
  page: number,
  go: (to: number) => void
): Readonly<Record<string, () => void>> {
  const to = (place: number) => () => {
    go(Math.min(last, Math.max(0, place)));
  };
  return {
    ArrowDown: to(at + 1),
    ArrowUp: to(at - 1),
    PageDown: to(at + page),
    PageUp: to(at - page),
    Home: to(0),
    End: to(last)
  };
}

/** Stops following the run as soon as somebody scrolls or points at the rows. */
export function letGo(rows: HTMLElement, state: ViewState): void {
  for (const kind of ['wheel', 'touchmove', 'pointerdown'] as const) {
    rows.addEventListener(
      kind,
      () => {
        state.setFollow(false);
      },
      { passive: true }
    );
  }
}

/** The key of the row that an event is about. */
export function rowKey(event: Event): string | undefined {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-key]') : null;
  return row?.dataset['key'];
}

/** The event is nobody else's. */
export function taken(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}
