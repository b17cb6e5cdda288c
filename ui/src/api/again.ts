// Asks again after a while: once, however much changes meanwhile.
export class Again {
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(readonly ask: () => void) {}

  after(milliseconds: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.ask();
    }, milliseconds);
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
