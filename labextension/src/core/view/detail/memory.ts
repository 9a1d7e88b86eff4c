/** What a person unfolded and how much of a text they asked for, so that it is there again after a redraw. */

const MOST = 5_000;

export class Memory {
  private readonly flags = new Map<string, boolean>();
  private readonly counts = new Map<string, number>();

  flag(key: string, usual: boolean): boolean {
    return this.flags.get(key) ?? usual;
  }

  setFlag(key: string, value: boolean): void {
    remember(this.flags, key, value);
  }

  count(key: string, usual: number): number {
    return this.counts.get(key) ?? usual;
  }

  setCount(key: string, value: number): void {
    remember(this.counts, key, value);
  }
}

function remember<T>(held: Map<string, T>, key: string, value: T): void {
  if (held.size > MOST) {
    held.clear();
  }
  held.set(key, value);
}
