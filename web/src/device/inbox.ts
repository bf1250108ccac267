/** A queue with one reader. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | null = null;

  /** Adds one at the end. */
  put(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** The first, as soon as there is one. */
  async take(): Promise<T> {
    while (this.#items.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    return this.#items.shift() as T;
  }
}
