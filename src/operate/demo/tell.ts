import type { Stub } from '../../connector/stub.ts';
import { printRun } from '../report.ts';
import { paint, type Screen, table } from '../screen.ts';
import type { Stage } from './stage.ts';
import type { Act, Played } from './story.ts';

const count = (value: number): string => value.toLocaleString('en');

/** What is about to be seen, and where the stubs are. */
export function printOpening(screen: Screen, stubs: readonly Stub[]): void {
  screen.say(paint.bold('A sample university: the daily export of its student system, the API of its'));
  screen.say(paint.bold('staff system, its LDAP directory, and three targets.'));
  screen.say('Everything runs on this machine; the targets are stubs:');
  for (const { kind, url } of stubs) screen.say(paint.dim(`  ${kind.padEnd(11)} ${url}`));
}

/** Says that a day begins; without a screen, in one plain line on standard error. */
export function announce(screen: Screen | null, { day, title, drop }: Act): void {
  const facts = `${drop.name}: ${count(drop.people)} people in ${count(drop.rows)} rows`;
  if (screen) screen.say(`\n${paint.bold(paint.inverse(` ${day} `))} ${paint.bold(title)}\n${paint.dim(`  ${facts}`)}`);
  else if (!process.stderr.isTTY) process.stderr.write(`${day}: ${facts}\n`);
}

/** A day: the run, and what everybody has now. */
export function printDay(screen: Screen, { act, sync, roster, targets, problems }: Played): void {
  if (act.quiet && !problems.length) {
    screen.say(
      `  ${count(roster.accounts)} accounts, ${count(roster.enrolments)} enrolments and ${count(roster.courses ?? 0)} courses, delivered to all targets`,
    );
    return;
  }
  for (const run of sync.runs) printRun(screen, run);
  const sent = new Map(sync.deliveries.map((end) => [end.target, end.sent]));
  screen.say(
    `\n${table(
      ['', 'received', 'accounts', 'active', 'disabled', 'enrolments', 'courses'],
      [
        ...Object.entries({ ...targets, roster }).map(([name, totals]) => [
          name === 'roster' ? paint.dim('rosterd itself') : name,
          sent.get(name) ?? (name === 'roster' ? '–' : 0),
          totals.accounts,
          totals.active,
          totals.accounts - totals.active,
          totals.enrolments,
          totals.courses ?? '–',
        ]),
      ],
    )}`,
  );
}

/** How it went, and what to try next. */
export function printEnd(
  screen: Screen,
  { directory, config, kept }: Stage,
  stubs: readonly Stub[],
  days: readonly Played[],
  problems: readonly string[],
): void {
  screen.say();
  if (problems.length) {
    screen.say(paint.red('It did not go as told:'));
    for (const problem of problems) screen.say(paint.red(`  ${problem}`));
  } else {
    screen.say(paint.green('All went as told: each target has what rosterd has.'));
    screen.say('On day 3 half of the university seemed to be gone. Nobody was removed,');
    screen.say('nothing was sent: it waits for a person, or for the next whole file.');
  }
  // In a checkout there is no command of that name.
  const checkout = /^(rosterd|demo)$/.test(process.env['npm_lifecycle_event'] ?? '');
  const rosterd = checkout ? 'npm run -s rosterd --' : 'rosterd';
  if (!kept) {
    screen.say(paint.dim(`\nTo look around afterwards, keep it all: ${rosterd} demo --keep DIR`));
    return;
  }
  const last = days.at(-1)?.sync.runs[0]?.run;
  const ports = stubs.map(({ kind, url }) => `--${kind}-port ${new URL(url).port}`).join(' ');
  screen.say(`\nConfiguration, drops and state are kept in ${directory}. Try:`);
  screen.say(`  ${rosterd} runs -c ${config}`);
  if (last) screen.say(`  ${rosterd} show ${last} -c ${config}`);
  screen.say(`  ${rosterd} export accounts -c ${config}`);
  screen.say('The stubs have ended. This starts them again at the same addresses, empty:');
  screen.say(`  ${rosterd} stubs ${ports}`);
}
