import type { AccountFacts } from '../connector/target.ts';
import { type CourseEntry, publicEntry } from '../reconcile/model.ts';
import type { Rosterd } from '../run/rosterd.ts';
import { writeOut } from './screen.ts';
import { exit, withSession } from './session.ts';

/** What `export` can give. */
export const exportable = ['accounts', 'enrolments', 'courses'] as const;
export type Exportable = (typeof exportable)[number];

/** `export`: the roster as NDJSON, one object a line, always; it waits for whoever reads it. */
export async function exportRoster(what: Exportable, options: { config: string }): Promise<number> {
  return withSession({ ...options, json: true }, async ({ rosterd }) => {
    let lines: string[] = [];
    for await (const one of linesOf(what, rosterd)) {
      lines.push(JSON.stringify(one));
      if (lines.length >= 500) {
        if (!(await writeOut(`${lines.join('\n')}\n`))) return exit.done;
        lines = [];
      }
    }
    if (lines.length) await writeOut(`${lines.join('\n')}\n`);
    return exit.done;
  });
}

function linesOf(what: Exportable, { store }: Rosterd): AsyncIterable<unknown> {
  const { roster } = store;
  return {
    accounts: () => facts(roster.accounts()),
    enrolments: roster.enrolments,
    courses: () => publicEntries(roster.courses()),
  }[what]();
}

async function* publicEntries(entries: AsyncIterable<CourseEntry>): AsyncGenerator<CourseEntry> {
  for await (const entry of entries) yield publicEntry(entry);
}

/** The alias is rosterd's own business; scripts hold on to the other fields. */
async function* facts(accounts: AsyncIterable<AccountFacts>): AsyncGenerator<Omit<AccountFacts, 'alias'>> {
  for await (const { alias: _alias, ...shown } of accounts) yield shown;
}
