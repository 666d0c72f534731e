/** Time as rosterd sees it: a wall clock for what people read, and a wait that an abort ends. Tests bring their own. */
export interface Clock {
  /** The wall clock, for records that people read. Never compared with another machine's. */
  now(): Date;
  /** Milliseconds that only ever grow, for durations. */
  monotonic(): number;
  /** Waits; rejects with the signal's reason when it is aborted first. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Of a longer one Node makes a millisecond. */
const longestTimerMs = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  wait: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let left = ms;
      let timer: NodeJS.Timeout;
      next();
      signal?.addEventListener('abort', stopped, { once: true });
      function next(): void {
        const piece = Math.min(left, longestTimerMs);
        left -= piece;
        timer = setTimeout(left > 0 ? next : done, piece);
      }
      function done(): void {
        signal?.removeEventListener('abort', stopped);
        resolve();
      }
      function stopped(): void {
        clearTimeout(timer);
        reject(signal?.reason);
      }
    }),
};
