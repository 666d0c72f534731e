import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { openLog, silentLog } from '../base/log.ts';
import type { Stub } from '../connector/stub.ts';
import { openRosterd, readConfig, startStubs } from '../daemon.ts';
import type { Campus } from './demo/campus.ts';
import { startDirectory } from './demo/ldap-server.ts';
import { type StandIn, startStaffApi } from './demo/staff-api.ts';
import { type Stage, setStage, writeConfig } from './demo/stage.ts';
import { demoJson, type Played, playAct, story } from './demo/story.ts';
import { announce, printDay, printEnd, printOpening } from './demo/tell.ts';
import { openProgress, openScreen } from './screen.ts';
import { exit, guarded, stopSignals } from './session.ts';

/** What the two stand-ins of the campus let us in by. */
const staffKey = 'demo-staff-key';
const reader = { dn: 'cn=rosterd,ou=services,dc=example,dc=edu', password: 'demo-directory-password' };
const noCampus: Campus = { staff: [], staffTotal: 0, entries: [] };

/**
 * `demo`: the whole way of a record without a server or a configuration. Three stubs, a drop folder, a staff system, a
 * directory and a state directory are set up, and the days of the sample come in one after the other. Exit status 0: everything went as told, also that
 * the cut file of day 3 is held.
 */
export async function demo(options: { json: boolean; keep?: string }): Promise<number> {
  return guarded(async () => {
    const stage = setStage(options.keep);
    const stubs: Stub[] = [];
    const standIns: StandIn[] = [];
    try {
      stubs.push(...(await startStubs({})));
      const campus = { today: noCampus };
      const staff = await startStaffApi(staffKey, () => campus.today);
      standIns.push(staff);
      const directory = await startDirectory(reader, () => campus.today.entries);
      standIns.push(directory);
      writeConfig(stage, stubs, { staff: { ...staff, key: staffKey }, directory: { ...directory, ...reader } });
      return await play(stage, stubs, campus, options.json);
    } finally {
      await Promise.all([...stubs, ...standIns].map((one) => one.close()));
      stage.clear();
    }
  });
}

async function play(stage: Stage, stubs: readonly Stub[], campus: { today: Campus }, json: boolean): Promise<number> {
  const screen = openScreen(json);
  const progress = openProgress();
  const signals = stopSignals();
  // The demo tells its own story; the log would tell it again.
  const log = process.env['ROSTERD_LOG_LEVEL'] === undefined ? silentLog : openLog();
  const work = { clock: systemClock, log, ...signals, progress: progress.report };
  const rosterd = await openRosterd(readConfig(stage.config), work);
  const days: Played[] = [];
  try {
    if (!json) printOpening(screen, stubs);
    for (const act of story()) {
      announce(json ? null : screen, act);
      stage.deliver(act.drop);
      campus.today = act.campus;
      const played = await playAct(rosterd, stubs, act, days.at(-1));
      progress.done();
      // Half a day says nothing.
      if (signals.signal.aborted) break;
      days.push(played);
      if (!json) printDay(screen, played);
      if (played.problems.length) break;
    }
  } finally {
    progress.done();
    signals.release();
    await rosterd.close();
  }
  const problems = days.flatMap((day) => day.problems);
  if (signals.signal.aborted) problems.push(messageOf(signals.signal.reason));
  if (json) screen.json(demoJson(days, problems));
  else printEnd(screen, stage, stubs, days, problems);
  return problems.length ? exit.failed : exit.done;
}
