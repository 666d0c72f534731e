import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { failureOf } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { ownDir } from '../base/state-dir.ts';
import type { Config } from '../configure/config.ts';
import { ConfigErrors } from '../configure/problems.ts';
import { probeStore, readConfig } from '../daemon.ts';
import { targetContext } from '../deliver/deliver.ts';
import { movedError, movedOf } from '../deliver/platform.ts';
import type { StoreLook } from '../store/port.ts';
import { type Preview, previewLines, previewSource } from './preview.ts';
import { openProgress, openScreen, paint, type Screen } from './screen.ts';
import { exit, guarded, stopSignals } from './session.ts';
import { leftBehindText, unnamedSources, unnamedTargets, unnamedText } from './unnamed.ts';

/** What `check` found at one end. */
interface Finding {
  name: string;
  kind: string;
  direction: 'source' | 'target' | 'store';
  enabled: boolean;
  /** What a login showed; empty without `--connect`. */
  found: string[];
  /** What does no harm to the look itself, and should not stay as it is. */
  warnings: string[];
  /** Of a source: what was pulled; see `previewSource`. */
  answer?: Preview['answer'];
  error: { kind: string; message: string } | null;
}

/** `check`: proves a configuration; with `connect` logs in everywhere and says what it would read. Changes nothing. */
export async function checkConfig(options: { config: string; connect: boolean; json: boolean }): Promise<number> {
  return guarded(async () => {
    const screen = openScreen(options.json);
    let config: Config;
    try {
      config = readConfig(options.config);
    } catch (error) {
      if (screen.human || !(error instanceof ConfigErrors)) throw error;
      screen.json({ ok: false, file: options.config, problems: error.problems });
      throw error;
    }
    const findings = await lookAt(config, options.connect);
    const failed = findings.some((finding) => finding.error);
    if (screen.human) tell(screen, config, findings, options.connect);
    else screen.json({ ok: !failed, file: config.file, connected: options.connect, findings });
    if (!failed) return exit.done;
    return findings.some((finding) => finding.error?.kind === 'Misconfigured') ? exit.usage : exit.failed;
  });
}

async function lookAt(config: Config, connect: boolean): Promise<Finding[]> {
  const signals = stopSignals();
  const progress = openProgress();
  const work = { clock: systemClock, log: silentLog, ...signals, progress: progress.report };
  // everything is looked at from within it; where it cannot be had the store says so, and no source is to blame
  const homeless = connect ? homelessness(config) : null;
  const probe = async (
    entry: { name: string; enabled: boolean },
    connector: { kind: string; direction: Finding['direction'] },
    look: () => Promise<Pick<Finding, 'found' | 'answer'> & Partial<Pick<Finding, 'warnings' | 'error'>>>,
  ): Promise<Finding> => {
    const { kind, direction } = connector;
    const finding = { ...entry, kind, direction, found: [], warnings: [], error: null };
    if (!connect || !entry.enabled) return finding;
    if (homeless) {
      const message = direction === 'store' ? homeless.message : 'not looked at: the state directory, see store';
      return { ...finding, error: { ...homeless, message } };
    }
    try {
      return { ...finding, ...(await look()) };
    } catch (error) {
      return { ...finding, error: failureOf(error) };
    }
  };
  try {
    const { kind } = config.store;
    let last: StoreLook['last'] = new Map();
    let platforms: StoreLook['platforms'] = [];
    const store = probe({ name: 'store', enabled: true }, { kind, direction: 'store' }, async () => {
      const look = await probeStore(config);
      last = look.last;
      platforms = look.platforms;
      const sources = unnamedSources(config, last.values()).map(unnamedText);
      const targets = unnamedTargets(config, look.outbox).map(leftBehindText);
      return { found: look.found, warnings: [...sources, ...targets] };
    });
    // after the store, for what they would build on; where that is away they are looked at as on the first day
    const sources = config.sources.map(async (source) => {
      await store;
      return probe({ name: source.name, enabled: source.enabled }, source.connector, () =>
        previewSource(source, last.get(source.name) ?? null, config, work),
      );
    });
    const targets = config.targets.map((target) =>
      probe({ name: target.name, enabled: target.enabled }, target.connector, async () => {
        const spool = mkdtempSync(join(config.stateDir, 'probe-'));
        const context = targetContext(target, config.institution, spool, work);
        try {
          const found = await target.connector.probe(target.settings, context);
          // it is there, and yet the next delivery would be stopped
          await store;
          const moved = movedOf(target, platforms);
          return { found, error: moved && failureOf(movedError(moved)) };
        } finally {
          await context.http.close();
          rmSync(spool, { recursive: true, force: true });
        }
      }),
    );
    return await Promise.all([store, ...sources, ...targets]);
  } finally {
    progress.done();
    signals.release();
  }
}

/** Why the state directory cannot be had; null: it can. */
function homelessness({ stateDir, file }: Config): Finding['error'] {
  try {
    ownDir(stateDir, 'stateDir', file);
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

function tell(screen: Screen, config: Config, findings: readonly Finding[], connect: boolean): void {
  screen.say(`${paint.green('valid')}  ${config.file}`);
  for (const { name, kind, direction, enabled, found, warnings, answer, error } of findings) {
    const mark = error ? paint.red('failed') : enabled ? paint.green('ok') : paint.dim('disabled');
    screen.say(`  ${mark}  ${direction === 'store' ? '' : `${direction} `}${paint.bold(name)} (${kind})`);
    for (const line of answer === undefined ? found : [...found, ...previewLines({ answer })])
      screen.say(`        ${line}`);
    for (const line of warnings) screen.say(paint.yellow(`        ${line}`));
    if (error) screen.say(paint.red(`        ${error.kind}: ${error.message}`));
  }
  if (!connect) screen.say(paint.dim('  nothing was connected to; --connect logs in everywhere'));
}
