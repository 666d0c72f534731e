import { z } from 'zod';

/** Body of `POST /_stub/throttle`: the bucket's numbers, `{}` for those of Canvas; `{"off": true}` ends it. */
export const throttleBody = z.strictObject({
  off: z.boolean().default(false),
  highWater: z.number().positive().default(600),
  maximum: z.number().positive().default(800),
  /** Units that leave the bucket in a second. */
  outflow: z.number().positive().default(10),
  /** Charged when a request begins, and given back when it ends. */
  upFront: z.number().min(0).default(50),
  /** What a request costs in the end. */
  cost: z.number().min(0).default(1),
  /** Documentation knows both: 403 is what the code sends. */
  status: z.union([z.literal(403), z.literal(429)]).default(403),
});

/** The leaky bucket of one token (canvas-lms `request_throttle.rb`). */
export class Bucket {
  #numbers: z.output<typeof throttleBody> | null = null;
  #level = 0;
  #at = 0;

  set(numbers: z.output<typeof throttleBody>): void {
    this.#numbers = numbers.off ? null : numbers;
    this.#level = 0;
    this.#at = performance.now();
  }

  #leak(): void {
    const now = performance.now();
    this.#level = Math.max(0, this.#level - ((now - this.#at) / 1000) * this.#numbers!.outflow);
    this.#at = now;
  }

  /** Begins a request: the status to refuse it with, or null. What is being charged is charged at once. */
  enter(): number | null {
    if (!this.#numbers) return null;
    this.#leak();
    if (this.#level >= this.#numbers.highWater) return this.#numbers.status;
    this.#level = Math.min(this.#numbers.maximum, this.#level + this.#numbers.upFront);
    return null;
  }

  /** Ends a request that was let in: what it cost, and what is left. */
  leave(): { cost: number; left: number } {
    if (!this.#numbers) return { cost: 0.05, left: 599.95 };
    this.#leak();
    const { upFront, cost, highWater } = this.#numbers;
    this.#level = Math.max(0, this.#level - upFront + cost);
    return { cost, left: Math.max(0, highWater - this.#level) };
  }
}
