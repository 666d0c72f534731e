import { distance } from 'fastest-levenshtein';

/** The known word that is nearest to what was written, and whether it is near enough to be what was meant. */
export function nearest(written: string, known: readonly string[]): { word: string; close: boolean } | null {
  let best: { word: string; close: boolean } | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const word of known) {
    const steps = distance(plain(written), plain(word));
    if (steps >= least) continue;
    least = steps;
    best = { word, close: steps <= Math.max(2, Math.floor(word.length / 3)) && steps < word.length };
  }
  return best;
}

/** Case and word separators are what people get wrong first, so they do not count: `host_key` is `hostKey`. */
function plain(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

/** What to do about a word that is not known: always names the nearest one, and all of them when none is close. */
export function hint(written: string, known: readonly string[], what: string): string | null {
  const found = nearest(written, known);
  if (found === null) return null;
  if (found.close) return `did you mean ${found.word}?`;
  return known.length === 1
    ? `the only ${what} here is ${found.word}`
    : `the nearest ${what} is ${found.word}; known here: ${known.join(', ')}`;
}
