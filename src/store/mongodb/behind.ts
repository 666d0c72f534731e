/**
 * Writes that go on while their caller does something else: batch after batch, the next one is made ready while the
 * server still has the last. Only for what counts for nothing until something later is written; whoever reads it, or
 * writes what makes it count, waits here first. A write that failed is told to whoever comes next under its name.
 */
export class Behind {
  readonly #writes = new Map<string, Set<Promise<void>>>();
  readonly #failed = new Map<string, unknown>();

  /** Starts a write when fewer than `most` are on their way, and returns then. With 1 they are written in order. */
  async write(name: string, most: number, work: () => Promise<unknown>): Promise<void> {
    for (let others = this.#writes.get(name); others && others.size >= most; others = this.#writes.get(name))
      await Promise.race(others);
    this.#tell(name);
    const writes = this.#writes.get(name) ?? new Set();
    this.#writes.set(name, writes);
    const write: Promise<void> = work()
      .then(
        () => {},
        (error) => {
          if (!this.#failed.has(name)) this.#failed.set(name, error);
        },
      )
      .finally(() => {
        writes.delete(write);
        if (!writes.size) this.#writes.delete(name);
      });
    writes.add(write);
  }

  /** Returns when everything under the names is written; throws when something was not. */
  async settled(...names: string[]): Promise<void> {
    for (const name of names) {
      await Promise.all(this.#writes.get(name) ?? []);
      this.#tell(name);
    }
  }

  /** Returns when nothing under the names is on its way any more; what failed is forgotten. */
  async over(...names: string[]): Promise<void> {
    for (const name of names) {
      await Promise.all(this.#writes.get(name) ?? []);
      this.#failed.delete(name);
    }
  }

  /** The same for all names. */
  async allOver(): Promise<void> {
    await this.over(...this.#writes.keys());
  }

  #tell(name: string): void {
    if (!this.#failed.has(name)) return;
    const error = this.#failed.get(name);
    this.#failed.delete(name);
    throw error;
  }
}

/** The name of what is written for a snapshot of a source that is not in force. */
export function rowsName(source: string): string {
  return `rows/${source}`;
}

/** The names of what is written for a plan that is being made: its changes, and what lies beside them. */
export function planNames(plan: string): [changes: string, beside: string] {
  return [`changes/${plan}`, `beside/${plan}`];
}
