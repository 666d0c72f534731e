import { table } from '../../src/operate/screen.ts';
import { ratio, say } from './cases.ts';
import type { Result } from './mongodb.ts';
import { roundTrips, type Work } from './server-work.ts';

/** What the same change took at one size. */
export interface Counts extends Pick<Work, 'commands'> {
  rows: number;
}

const number = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 1 });

/** Prints the tables, and which targets are met. */
export function report(results: readonly Result[], counts: readonly Counts[]): void {
  const all = medians(results);
  say(
    `\n${table(
      ['rows', 'case', '× insertMany', 'plain script ×', '× embedded', '× embedded + server', '× sha256sum', 'peak MB'],
      all.map((one) => [
        number(one.rows),
        one.name,
        one.insertMany === null ? '' : ratio(one.rosterd / one.insertMany),
        ratio(one.plain / one.rosterd),
        ratio(one.rosterd / one.embedded),
        ratio(besideServer(one)),
        ratio(one.rosterd / one.hash),
        one.peakMb.toFixed(0),
      ]),
    )}\n`,
  );
  say(
    `${table(
      ['rows', 'case', 'round trips', 'by command', 'server writes / reads', 'documents +', 'kB +'],
      all.map(({ rows, name, rosterd, served }) => [
        number(rows),
        name,
        number(roundTrips(served)),
        byName(served),
        `${share(served.writing, rosterd)} / ${share(served.reading, rosterd)}`,
        number(served.documents),
        number(served.bytes / 1000),
      ]),
    )}\n`,
  );
  say(
    `${table(
      ['rows', 'round trips of 100 changed rows', 'by command'],
      counts.map((one) => [number(one.rows), number(roundTrips(one)), byName(one)]),
    )}\n`,
  );
  say(
    'Times are of work: the start of each process, measured with nothing to do, is taken off; not of the same file again,',
  );
  say('which is next to no work');
  say('× embedded + server: beside the embedded store’s time and the server’s own time for the writes of this run');
  say('plain script ×: how many times longer the plain script takes; below 1 it is faster');
  say(
    'server writes / reads: the server’s own time for them as a share of the run; commands at the same time add up\n',
  );
  targets(all, counts);
}

function targets(all: readonly Result[], counts: readonly Counts[]): void {
  const verdict = (what: string, met: boolean, found: string): void =>
    say(`${met ? 'met    ' : 'not met'}  ${what}: ${found}`);
  for (const one of all) {
    const at = `${number(one.rows)} rows, ${one.name}`;
    if (one.insertMany !== null) {
      const times = one.rosterd / one.insertMany;
      verdict(`${at}, at most 1.5 × insertMany`, times <= 1.5, ratio(times));
    }
    if (one.name === 'same file again' || one.name === '1 % changed')
      verdict(`${at}, at most 1.5 × embedded + server`, besideServer(one) <= 1.5, ratio(besideServer(one)));
    if (one.name === 'same file again')
      verdict(`${at}, adds next to nothing`, one.served.bytes < 4000, `${number(one.served.bytes)} bytes`);
  }
  const trips = counts.map(roundTrips);
  if (trips.length > 1)
    verdict(
      'round trips grow with the change, not with the roster',
      Math.max(...trips) <= Math.min(...trips) * 1.25,
      trips.join(', '),
    );
}

/** Beside the embedded store's time and what the server takes for the documents. */
function besideServer({ rosterd, embedded, served }: Result): number {
  return rosterd / (embedded + served.writing);
}

function byName({ commands }: Pick<Work, 'commands'>): string {
  const names = Object.entries(commands).sort(([, a], [, b]) => b - a);
  return names.map(([name, count]) => `${name} ${number(count)}`).join(', ');
}

function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(0)} %`;
}

/** One result for each size and case: the medians of its times. */
function medians(results: readonly Result[]): Result[] {
  const groups = Map.groupBy(results, ({ rows, name }) => `${rows} ${name}`);
  return [...groups.values()].map((group) => {
    const of = (value: (one: Result) => number): number => {
      const sorted = group.map(value).sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)]!;
    };
    const first = group[0]!;
    return {
      ...first,
      rosterd: of((one) => one.rosterd),
      peakMb: of((one) => one.peakMb),
      embedded: of((one) => one.embedded),
      plain: of((one) => one.plain),
      insertMany: first.insertMany === null ? null : of((one) => one.insertMany!),
      hash: of((one) => one.hash),
      served: { ...first.served, writing: of((one) => one.served.writing), reading: of((one) => one.served.reading) },
    };
  });
}
