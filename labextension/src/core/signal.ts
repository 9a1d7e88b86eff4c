/** Something that can be heard. `connect` returns what stops listening. */
export class Signal<T = void> {
  private readonly listeners = new Set<(value: T) => void>();

  connect(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  emit(value: T): void {
    for (const listener of [...this.listeners]) {
      listener(value);
    }
  }
}
