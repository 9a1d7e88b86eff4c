/** What was pressed, as a name to look up: the key, and nothing where a modifier makes it somebody else's. */
export function pressed(event: KeyboardEvent): string {
  return event.ctrlKey || event.metaKey || event.altKey ? '' : event.key;
}
