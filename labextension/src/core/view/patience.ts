/** How long since something dear was drawn anew: it takes at most a tenth of everybody's time. */
export class Patience {
  private at = -Infinity;
  private took = 0;

  /** Does the work, or lets it be where it was done a short while ago; says whether it did. */
  spend(work: () => void): boolean {
    const begun = performance.now();
    if (begun - this.at < this.took * 10) {
      return false;
    }
    work();
    this.at = performance.now();
    this.took = this.at - begun;
    return true;
  }

  /** The next time is not put off. */
  lose(): void {
    this.took = 0;
  }
}
