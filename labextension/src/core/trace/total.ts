/** What many requests and calls come to, kept up to date one by one. */

import type { Usage } from './wire';

/** What many requests used. A cost with an unknown part is unknown. */
export class Total {
  requests = 0;
  inputTokens = 0;
  outputTokens = 0;
  cachedTokens = 0;
  estimated = false;
  private priced = 0;
  private pricedParts = 0;
  private unpriced = 0;

  get tokens(): number {
    return this.inputTokens + this.outputTokens;
  }

  /** Whether the cost of any part is known. */
  get hasPrices(): boolean {
    return this.pricedParts > 0;
  }

  /** US dollars, or null when unknown. */
  get cost(): number | null {
    return this.requests === 0 || this.unpriced > 0 ? null : this.priced;
  }

  /** Adds a request's usage, or takes it away with `sign` -1. One without a request counts for nothing. */
  add(usage: Usage, sign: 1 | -1 = 1): void {
    if (!usage.requests) {
      return;
    }
    this.requests += sign * usage.requests;
    this.inputTokens += sign * usage.inputTokens;
    this.outputTokens += sign * usage.outputTokens;
    this.cachedTokens += sign * usage.cachedTokens;
    this.estimated ||= usage.estimated;
    if (usage.cost === null) {
      this.unpriced += sign;
    } else {
      this.priced += sign * usage.cost;
      this.pricedParts += sign;
    }
  }

  /** Adds another total. */
  merge(other: Total): void {
    this.requests += other.requests;
    this.inputTokens += other.inputTokens;
    this.outputTokens += other.outputTokens;
    this.cachedTokens += other.cachedTokens;
    this.estimated ||= other.estimated;
    this.priced += other.priced;
    this.pricedParts += other.pricedParts;
    this.unpriced += other.unpriced;
  }
}

/** What a call and everything below it come to. `calls` and `failed` count the calls below it only. */
export class Rollup {
  calls = 0;
  failed = 0;
  running = 0;
  readonly usage = new Total();
}
