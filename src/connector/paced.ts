import type { SourceContext } from './source.ts';

/** Words about what comes in great numbers are said at most so often. */
const everyMs = 1_000;

/**
 * Progress for every single record: what it has to say is made only when it is said, at most once a second. Counting to
 * a round number instead would let the watchdog take a slow server for one that stands still.
 */
export function paced({ clock, progress }: Pick<SourceContext, 'clock' | 'progress'>): (text: () => string) => void {
  let next = clock.monotonic() + everyMs;
  return (text) => {
    const now = clock.monotonic();
    if (now < next) return;
    next = now + everyMs;
    progress(text());
  };
}
