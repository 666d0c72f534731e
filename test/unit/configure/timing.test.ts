import { describe, expect, it } from 'vitest';
import { least, linesOf, load } from './sample.ts';

const nightly = `${least}    schedule: '15 2 * * *'\n`;

describe('the timing of a source', () => {
  it('is the time zone of the machine, no jitter, and as fresh as the schedule wants', () => {
    const machine = Intl.DateTimeFormat().resolvedOptions().timeZone;
    expect(load(nightly)).toMatchObject({
      timezone: machine,
      sources: [{ schedule: '15 2 * * *', timezone: machine, jitterMs: 0, freshnessMs: null }],
    });
  });

  it('is that of the file, and of the source where it has its own', () => {
    const file = `timezone: Europe/Berlin\n${nightly}`;
    expect(load(file)).toMatchObject({ timezone: 'Europe/Berlin', sources: [{ timezone: 'Europe/Berlin' }] });
    const own = load(`${file}    timezone: UTC\n    jitter: 5m\n    freshness: 26h\n`);
    expect(own.sources).toMatchObject([{ timezone: 'UTC', jitterMs: 300_000, freshnessMs: 93_600_000 }]);
  });

  it.each([
    ['Europe/Berln', 'no time zone is called "Europe/Berln"; did you mean Europe/Berlin?'],
    ['+02:00', 'no time zone is called "+02:00"; the nearest time zone is '],
  ])('refuses %s', (name, says) => {
    expect(linesOf(`${nightly}timezone: '${name}'\n`)).toEqual([expect.stringContaining(`9:11: timezone: ${says}`)]);
    expect(linesOf(`${nightly}    timezone: '${name}'\n`)).toEqual([
      expect.stringContaining(`9:15: sources.sis.timezone: ${says}`),
    ]);
  });

  it('refuses a freshness that no date reaches', () => {
    for (const much of ['36501d', `${'9'.repeat(400)}d`])
      expect(linesOf(`${nightly}    freshness: ${much}\n`)).toEqual(['9:16: sources.sis.freshness: at most 36500d']);
  });

  it('refuses a jitter that would reach the next time, or that has nothing to put off', () => {
    expect(load(`${least}    schedule: '*/10 * * * *'\n    jitter: 599s\n`).sources[0]!.jitterMs).toBe(599_000);
    expect(linesOf(`${least}    schedule: '*/10 * * * *'\n    jitter: 10m\n`)).toEqual([
      '9:13: sources.sis.jitter: as long as the time between two runs of the schedule, or longer',
    ]);
    expect(linesOf(`${least}    jitter: 10m\n`)).toEqual([
      '8:13: sources.sis.jitter: there is no schedule whose times could be put off',
    ]);
  });
});

describe('the service', () => {
  it('has its defaults', () => {
    expect(load(least).service).toEqual({
      concurrency: 2,
      retry: { firstWaitMs: 60_000, longestWaitMs: 3_600_000, openAfter: 5 },
      stopWithinMs: 90_000,
      stuckAfterMs: 900_000,
    });
    expect(load(`${least}service: { retry: { first: 5s } }\n`).service.retry).toEqual({
      firstWaitMs: 5_000,
      longestWaitMs: 3_600_000,
      openAfter: 5,
    });
  });

  it('refuses numbers that make no sense', () => {
    expect(linesOf(`${least}service:\n  concurrency: 0\n  stopWithin: 2h\n  retry: { first: 2h }\n`)).toEqual([
      '9:16: service.concurrency: expected at least 1, got 0',
      '10:15: service.stopWithin: 1s to 1h',
      '11:19: service.retry.first: longer than longest',
    ]);
  });
});
