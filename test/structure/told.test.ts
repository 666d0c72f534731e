import { describe, expect, test } from 'vitest';
import { events, fields, levels } from '../../src/base/events.ts';
import { metrics } from '../../src/operate/metrics.ts';
import { read, sources, withoutComments } from './project.ts';

/** What rosterd tells its operators: the registries of events and metrics, their use, and what the README says of them. */

interface Told {
  levels: readonly string[];
  meaning: string;
  remedy: string | null;
  fields: readonly string[];
}
const registry = Object.entries(events) as [string, Told][];

describe('events', () => {
  const used = sources
    .filter((file) => !/^src\/base\/(events|log)\.ts$/.test(file))
    .flatMap((file) =>
      [...withoutComments(read(file)).matchAll(/\bevent: ([^,}\n]+)/g)].map((match) => match[1]!.trim()),
    );

  test('every event is used somewhere, and every one that is used is in the registry', () => {
    const named = used.filter((text) => /^'.*'$/.test(text)).map((text) => text.slice(1, -1));
    expect([...new Set(named)].sort(), 'declare it in src/base/events.ts, or take it out there').toEqual(
      registry.map(([name]) => name).sort(),
    );
  });

  test('they are written out, so that whoever reads a log finds the place', () => {
    // a type begins with a capital letter
    expect(used.filter((text) => !/^('.*'|[A-Z]\w+)$/.test(text))).toEqual([]);
  });

  test('nothing gets to a log but through its registry', () => {
    const importers = sources.filter((file) => /from 'pino(-pretty)?'/.test(read(file)));
    expect(importers).toEqual(['src/base/log.ts']);
  });

  test('whoever must look or act is told what to do', () => {
    const silent = registry.filter(([, { levels, remedy }]) => !remedy && levels.some((one) => /warn|error/.test(one)));
    expect(silent.map(([name]) => name)).toEqual([]);
    const orders = registry.map(([name, told]) => [name, told.levels.map((one) => levels.indexOf(one as never))]);
    expect(
      orders.filter(([, order]) => String(order) !== String([...(order as number[])].sort((a, b) => b - a))),
      'the quietest first',
    ).toEqual([]);
  });

  test('every field is of use to an event', () => {
    const all = new Set(registry.flatMap(([, told]) => told.fields));
    expect(Object.keys(fields).filter((field) => !all.has(field))).toEqual([]);
  });

  test('the README has them all, in these words', () => {
    expect(
      tableUnder('event'),
      'copy the table that the failure shows into README.md, section Logs, and format it',
    ).toEqual(
      registry.map(([name, told]) => [`\`${name}\``, told.levels.join(', '), told.meaning, told.remedy ?? '–']),
    );
  });
});

test('the README has every metric, in the words of the code', () => {
  expect(tableUnder('metric')).toEqual(
    Object.entries(metrics).map(([name, { type, labels, help }]) => [
      `\`${name}\``,
      type,
      labels.length ? labels.map((label) => `\`${label}\``).join(', ') : '–',
      help,
    ]),
  );
});

/** The rows of the table of the README whose first column has that title. */
function tableUnder(title: string): string[][] {
  const lines = read('README.md').split('\n');
  const head = lines.findIndex((line) => new RegExp(`^\\| *${title} *\\|`).test(line));
  const rows = lines.slice(head + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}
