// Heights of entries that differ: guessed until measured, so that only those near the view need to exist.

const GUESS = 120;

export class Heights {
  #heights: Float32Array;

  /** Some may be known from before. */
  constructor(count: number, known: (index: number) => number | undefined = () => undefined) {
    this.#heights = Float32Array.from({ length: count }, (_, index) => known(index) ?? GUESS);
  }

  /** Whether it changed. */
  set(index: number, height: number): boolean {
    if (height === 0 || Math.abs(this.#heights[index] - height) < 1) return false;
    this.#heights[index] = height;
    return true;
  }

  top(index: number): number {
    let top = 0;
    for (let at = 0; at < index; at += 1) top += this.#heights[at];
    return top;
  }

  /** Entries that touch a stretch, at most so many, and the room above and below them. */
  window(
    from: number,
    to: number,
    most: number,
  ): { first: number; last: number; above: number; below: number } {
    const count = this.#heights.length;
    let first = 0;
    let above = 0;
    while (first < count - 1 && above + this.#heights[first] < from) above += this.#heights[first++];
    let last = first;
    let end = above;
    while (last < count && end < to && last - first < most) end += this.#heights[last++];
    let below = 0;
    for (let at = last; at < count; at += 1) below += this.#heights[at];
    return { first, last, above, below };
  }
}
