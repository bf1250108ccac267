/** What the development wallet asks its person: a title, what happens, the fields. */
export type Approval = {
  kind: "connect" | "sign";
  title: string;
  facts: readonly (readonly [name: string, value: string])[];
};

/** An approval that waits for its answer; `trust` says yes to all that follow, too. */
export type Waiting = Approval & { id: number; answer: (yes: boolean, trust?: boolean) => void };

/** Requests in the order of their coming, one shown at a time. */
export class Approvals {
  #waiting: readonly Waiting[] = [];
  #listeners = new Set<() => void>();
  #asked = 0;
  /** Signs without asking, until the page is loaded again. */
  #trusting = false;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The request to show, or null. */
  readonly first = (): Waiting | null => this.#waiting[0] ?? null;

  /** Resolves with the person's answer. */
  readonly ask = (approval: Approval): Promise<boolean> => {
    if (this.#trusting) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        ...approval,
        id: ++this.#asked,
        answer: (yes, trust = false) => {
          this.#trusting = yes && trust;
          this.#set(this.#waiting.filter((other) => other !== waiting));
          resolve(yes);
        },
      };
      this.#set([...this.#waiting, waiting]);
    });
  };

  #set(waiting: readonly Waiting[]): void {
    this.#waiting = waiting;
    for (const listener of this.#listeners) listener();
  }
}
