import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { SourceConfig } from '../../../src/configure/config.ts';
import { pull } from '../../../src/pull/pull.ts';
import { formatOf } from '../../../src/snapshot/formats/index.ts';
import { memorySource } from '../../support/memory-source.ts';

test('what a dead process spooled for this source is taken away; another source’s spool may be in use', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'rosterd-pull-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  for (const name of ['spool-sis.dead', 'spool-sis-staff.live']) mkdirSync(join(stateDir, name));
  const source: SourceConfig = {
    ...{ name: 'sis', connector: memorySource, enabled: true, dryRun: false, role: 'authoritative' },
    ...{ schedule: null, timezone: 'UTC', jitterMs: 0, freshnessMs: null },
    limits: { percent: 10, atLeast: 20, window: { days: 7, percent: 25 } },
    ...{ format: { kind: 'unitu' }, settings: { answer: [] } },
  };
  const never = new AbortController().signal;
  const work = { clock: systemClock, log: silentLog, signal: never, abort: never, progress: () => {} };
  const answer = await pull(source, formatOf(source.format), null, stateDir, work);
  const during = readdirSync(stateDir).sort();
  expect(during).toHaveLength(2);
  expect(during[0]).toBe('spool-sis-staff.live');
  expect(during[1]).toMatch(/^spool-sis\.(?!dead)/);
  await answer!.close();
  expect(readdirSync(stateDir)).toEqual(['spool-sis-staff.live']);
});
