#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import { type LogLevel, logLevels } from './base/log.ts';
import { approve, reject } from './operate/approve.ts';
import { checkConfig } from './operate/check.ts';
import { explainWho } from './operate/explain-command.ts';
import { type Exportable, exportable, exportRoster } from './operate/export.ts';
import { printIntegrationKey, printPushKey } from './operate/keys.ts';
import { migrateStore } from './operate/move.ts';
import {
  ackItem,
  fillQueue,
  listDiscrepancies,
  listQueue,
  movedQueue,
  pauseQueue,
  previewQueue,
  replayQueue,
  reviewDiscrepancy,
  showItem,
} from './operate/queue-commands.ts';
import { listRuns, showRun } from './operate/runs.ts';
import { daemonLogLevel, reloadDaemon, runDaemon, showStatus } from './operate/service-commands.ts';
import { crash, exit } from './operate/session.ts';
import { compare, listSnapshots } from './operate/snapshots.ts';
import { sync } from './operate/sync.ts';
import { version } from './operate/version.ts';

const statuses = ['queued', 'processing', 'sent', 'failed', 'superseded'];

/**
 * Arguments only: every command is one function of `operate/` that gives an exit status. Those that serve (the service, the
 * demo, the stubs) are read when they are asked for: their web server would be a third of the start of all others.
 */
const program = new Command('rosterd')
  .description(
    'Keeps a campus in step: pulls who studies and who works where, delivers the smallest safe set of changes.',
  )
  .version(version)
  .showHelpAfterError()
  // before the commands are made: they take over what stands here
  .exitOverride((error) => process.exit(error.exitCode === 0 ? exit.done : exit.usage))
  .addHelpText(
    'after',
    '\nResults go to standard output (tables on a terminal, JSON when piped), logs to standard error.' +
      '\nExit status: 0 done, 1 something failed, 2 usage or configuration, 3 something is held.',
  );

const withConfig = (name: string, text: string, under: Command = program): Command =>
  under
    .command(name)
    .description(text)
    .requiredOption('-c, --config <file>', 'the configuration, YAML')
    .option('--json', 'JSON even on a terminal', false);

program
  .command('demo')
  .description('see it work without a server or a configuration: two days of a sample university, three target stubs')
  .option('--json', 'JSON instead of text', false)
  .option('--keep <dir>', 'keep configuration, drops and state in this directory, to go on with')
  .action(act(async (options) => (await import('./operate/demo.ts')).demo(options)));

withConfig('check', 'validate a configuration; exits with 2 and every problem with its line')
  .option('--connect', 'log in everywhere and say what would be read', false)
  .action(act(checkConfig));

withConfig('sync', 'one run of the named or all enabled sources, then delivery')
  .option('--source <name>', 'only this source; may be given again', (name: string, names: string[] = []) => [
    ...names,
    name,
  ])
  .option('--dry-run', 'work out and show the plan, change nothing', false)
  .option('--no-deliver', 'apply, but leave the changes in the outbox')
  .action(act(sync));

program
  .command('daemon')
  .description('the service: runs sources by their schedules and what is pushed, delivers; logs on standard error')
  .requiredOption('-c, --config <file>', 'the configuration, YAML')
  .action(act(async (options) => (await import('./operate/daemon.ts')).daemon(options)));

withConfig('run', 'have the daemon run the named or all enabled sources now')
  .argument('[source...]')
  .option('--dry-run', 'work out the plan, change nothing', false)
  .option('--wait', 'show progress and the outcome; exits as the runs ended', false)
  .action((sources: string[], options) => end(runDaemon(sources, options)));

withConfig(
  'status',
  'where the daemon, its sources and its targets stand; exits with 1 unless it runs, makes progress, and its store answers',
).action(act(showStatus));

withConfig('reload', 'have the daemon read its configuration again; says what takes a restart').action(
  act(reloadDaemon),
);

withConfig('log-level', 'the least that the daemon logs; with a level, set it until the next start')
  .addArgument(program.createArgument('[level]', 'left out: only say it').choices(logLevels))
  .action((level: LogLevel | undefined, options) => end(daemonLogLevel(level, options)));

program
  .command('push-key')
  .description('make a key for those who push, and the line for the configuration')
  .option('--json', 'JSON even on a terminal', false)
  .action(act(printPushKey));

program
  .command('integration-key')
  .description('make key and secret for a caller of the integration API, and the lines for the configuration')
  .argument('<name>', 'what the key is called, in headers and in the log')
  .option('--write', 'it may replay and answer, too', false)
  .option('--json', 'JSON even on a terminal', false)
  .action((name: string, options) => end(printIntegrationKey(name, options)));

program
  .command('stubs')
  .description('stand-ins of the targets on 127.0.0.1, for trying things out')
  .option('--canvas-port <n>', 'port; left out: a free one', port)
  .option('--salesforce-port <n>', 'port; left out: a free one', port)
  .option('--peoplesoft-port <n>', 'port; left out: a free one', port)
  .option('--json', 'JSON even on a terminal', false)
  .action(
    act(async ({ canvasPort, salesforcePort, peoplesoftPort, json }) =>
      (await import('./operate/stubs.ts')).serveStubs({
        ports: { canvas: canvasPort ?? 0, salesforce: salesforcePort ?? 0, peoplesoft: peoplesoftPort ?? 0 },
        json,
      }),
    ),
  );

withConfig('migrate-store', 'copy everything into the store of the configuration, which is new and empty')
  .option('--from <file>', 'configuration with the old store; left out: the embedded store in stateDir')
  .action(act(migrateStore));

withConfig('export', 'the roster as NDJSON, one object a line')
  .addArgument(program.createArgument('<what>', 'what to export').choices(exportable))
  .action((what: Exportable, options) => end(exportRoster(what, options)));

withConfig('runs', 'the newest runs')
  .option('--source <name>', 'only runs of this source')
  .addOption(new Option('--limit <n>', 'how many').argParser(count).default(20))
  .action(act(listRuns));

withConfig('show', 'one run with every change of its plan')
  .argument('<run>')
  .option('--limit <n>', 'how many changes on a terminal (200); JSON has all', count)
  .action((run: string, options) => end(showRun(run, options)));

withConfig('explain', 'why a person or a course is as it is: rows, rules, changes, and what each target answered')
  .argument('<who>', 'an account number, an id, an e-mail, or "Faculty / Department / Course"')
  .addOption(new Option('--limit <n>', 'how many changes').argParser(count).default(50))
  .action((who: string, options) => end(explainWho(who, options)));

withConfig('snapshots', 'the newest snapshots, with the files or queries that they were read from')
  .option('--source <name>', 'only snapshots of this source')
  .addOption(new Option('--limit <n>', 'how many').argParser(count).default(20))
  .action(act(listSnapshots));

withConfig('compare', 'what one snapshot of a source has that another has not, row by row')
  .argument('<from>', 'a snapshot')
  .argument('<to>', 'another of the same source')
  .option('--limit <n>', 'how many rows on a terminal (200); JSON has all', count)
  .action((from: string, to: string, options) => end(compare(from, to, options)));

withConfig('approve', 'apply what a run holds back: exactly the plan with that digest')
  .argument('<run>')
  .requiredOption('--digest <digest>', 'the digest that `show` prints')
  .option('--no-deliver', 'apply, but leave the changes in the outbox')
  .action((run: string, options) => end(approve(run, options)));

withConfig('reject', 'put away what a run holds back; the next run looks at it again')
  .argument('<run>')
  .action((run: string, options) => end(reject(run, options)));

const queue = program
  .command('queue')
  .description('changes on their way to the targets: look, try again, answer, stop');

withConfig('list', 'items in the order of queueing', queue)
  .option('--target <name>', 'only for this target')
  .addOption(new Option('--status <status>', 'only those that stand there').choices(statuses))
  .option('--run <run>', 'only those of this run')
  .option('--person <account>', 'only those about this account number')
  .addOption(new Option('--limit <n>', 'how many').argParser(count).default(100))
  .action(act(listQueue));

withConfig('show', 'one item: what is delivered, and every answer', queue)
  .argument('<item>')
  .action((item: string, options) => end(showItem(item, options)));

withConfig('preview', 'what would be sent, byte for byte; nothing is sent', queue)
  .argument('[item...]', 'these items, as one batch')
  .option('--target <name>', 'the next batch of this target')
  .action((items: string[], options) => end(previewQueue(items, options)));

withConfig('replay', 'queue failed items again, or sent ones that are named, and deliver', queue)
  .argument('[item...]')
  .option('--person <account>', 'failed items about this account number')
  .option('--run <run>', 'failed items of this run')
  .option('--target <name>', 'failed items for this target')
  .option('--failed', 'every failed item', false)
  .option('--no-deliver', 'queue them, and leave them to the next delivery')
  .action((items: string[], options) => end(replayQueue(items, options)));

withConfig('ack', 'an answer in place of the target’s: processing, sent or failed', queue)
  .argument('<item>')
  .argument('<status>', 'processing: another system has it in hand')
  .option('--answer <text>', 'the words of the target; a failure needs them')
  .option('--target <name>', 'refuse when the item is on its way elsewhere')
  .action((item: string, status: string, options) => end(ackItem(item, status, options)));

withConfig('pause', 'send nothing to a target after the batch in hand, until it is resumed', queue)
  .argument('<target>')
  .option('--reason <text>', 'why, for whoever looks')
  .action((target: string, options) => end(pauseQueue(target, true, options)));

withConfig('resume', 'go on sending to a target', queue)
  .argument('<target>')
  .action((target: string, options) => end(pauseQueue(target, false, options)));

withConfig('fill', 'queue the whole roster for a target: one that is new, or has lost what it had', queue)
  .argument('<target>')
  .option('--no-deliver', 'queue it, and leave it to the next delivery')
  .action((target: string, options) => end(fillQueue(target, options)));

withConfig('moved', 'say what a target is whose address is no longer that of what has what was sent to it', queue)
  .argument('<target>')
  .addArgument(
    queue
      .createArgument('<platform>', 'same: under a new address; new: another one, it gets the whole roster')
      .choices(['same', 'new']),
  )
  .option('--no-deliver', 'leave what is queued to the next delivery')
  .action((target: string, platform: 'same' | 'new', options) => end(movedQueue(target, platform, options)));

withConfig('discrepancies', 'people whose items are held back because the sources disagree about them', queue).action(
  act(listDiscrepancies),
);

withConfig('review', 'let the items of a person pass although the sources disagree', queue)
  .argument('<account>')
  .option('--discrepancy <digest>', 'only this one')
  .option('--note <text>', 'why, for whoever looks')
  .action((account: string, options) => end(reviewDiscrepancy(account, options)));

process.on('uncaughtException', crash);
// Whoever reads may leave early (`| head`); the work goes on and ends with its own exit status.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
// The exit status says the same, and is heard where the disk is full.
process.stderr.on('error', () => {});
await program.parseAsync();

// biome-ignore lint/suspicious/noExplicitAny: commander hands over what the options above declare
function act(command: (options: any) => Promise<number>): (options: unknown) => Promise<void> {
  return (options) => end(command(options));
}

/** The exit status is set, not forced: what is still on its way to a slow pipe must get there. */
async function end(status: Promise<number>): Promise<void> {
  process.exitCode = await status;
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a whole number from 1');
  // a larger one is another number by the time that it gets anywhere
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError(`a whole number up to ${Number.MAX_SAFE_INTEGER}`);
  return value;
}
