/** What makes a scrolled list a grid for the keyboard and for a screen reader. */

import { setAttribute } from './dom';

/**
 * The element as a grid that holds the focus itself and names its active row (`aria-activedescendant`): rows come and
 * go while it is scrolled, so none of them can hold it.
 */
export function asGrid(
  node: HTMLElement,
  role: 'grid' | 'treegrid',
  label: string,
  columns: number,
  onKey: (event: KeyboardEvent) => void
): HTMLElement {
  setAttribute(node, 'role', role);
  setAttribute(node, 'tabindex', 0);
  setAttribute(node, 'aria-label', label);
  setAttribute(node, 'aria-colcount', columns);
  setAttribute(node, 'data-lm-suppress-shortcuts', 'true');
  node.addEventListener('keydown', onKey);
  return node;
}
