/** What every lens on a run offers to the view that holds it. */
export interface Lens {
  readonly node: HTMLElement;
  /** Draws what changed. Called at most once a frame, and only while the lens is shown. */
  update(): void;
  /** Brings the selected item into sight. */
  reveal(): void;
  /** Puts the keyboard into it. */
  focus(): void;
  dispose(): void;
}
