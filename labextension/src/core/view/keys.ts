/** What was pressed, as a name to look up: the key, and nothing where a modifier makes it somebody else's. */
export function pressed(event: KeyboardEvent): string {
  return hasModifier(event) ? '' : event.key;
}

/** Whether somebody types into the element, so that single keys are text. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/**
 * Hands a chord (Ctrl+S, say) to whoever is around `node`. A place that takes single letters away from an application
 * around it, as JupyterLab has to be told, would otherwise take the application's own chords away too.
 */
export function passOn(event: KeyboardEvent, node: HTMLElement): void {
  if (!hasModifier(event) || (isTyping(event.target) && 'acvxyz'.includes(event.key.toLowerCase()))) {
    return;
  }
  const copy = new KeyboardEvent(event.type, event);
  node.parentElement?.dispatchEvent(copy);
  event.stopPropagation();
  if (copy.defaultPrevented) {
    event.preventDefault();
  }
}

function hasModifier(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.metaKey || event.altKey;
}
