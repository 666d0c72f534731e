import type { Clock } from '../../base/clock.ts';
import type { RunLine } from './api.ts';

/** Progress is told at most so often. */
const wordsMs = 100;

/**
 * Lines for somebody who may read slowly, or leave. What counts is kept until it is read; of progress only the newest word
 * of each, so that nothing grows and nobody is kept waiting.
 */
export class Stream {
  readonly #clock: Clock;
  readonly #ended = Promise.withResolvers<void>();
  #lines: RunLine[] = [];
  #words = new Map<string, string>();
  #wake: () => void = () => {};
  #over = false;
  #left = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with the end of what is told, whether or not anybody reads it. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  push(line: RunLine): void {
    if (!this.#left) this.#lines.push(line);
    // no word of it comes after its outcome
    if (line.type === 'run') this.#words.delete(line.run.source);
    if (line.type === 'delivery') this.#words.delete(line.delivery.target);
    this.#wake();
  }

  progress(who: string, text: string): void {
    if (this.#left) return;
    this.#words.set(who, text);
    this.#wake();
  }

  end(): void {
    this.#over = true;
    this.#ended.resolve();
    this.#wake();
  }

  /** The lines, as they come. */
  async *lines(): AsyncGenerator<string> {
    let next = 0;
    try {
      for (;;) {
        for (let line = this.#lines.shift(); line; line = this.#lines.shift()) yield text(line);
        if (this.#over) return;
        const now = this.#clock.monotonic();
        if (this.#words.size && now >= next) {
          next = now + wordsMs;
          const words = this.#words;
          this.#words = new Map();
          for (const [who, said] of words) yield text({ type: 'progress', who, text: said });
        } else await this.#news(this.#words.size ? next - now : null);
      }
    } finally {
      this.#left = true;
      this.#lines = [];
    }
  }

  /** Waits until something is pushed, or for so long. */
  async #news(ms: number | null): Promise<void> {
    if (ms !== null) return this.#clock.wait(ms);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

function text(line: RunLine): string {
  return `${JSON.stringify(line)}\n`;
}
