import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { canvasStubOfTest, stateOf } from '../support/canvas.ts';
import { temporaryFolder } from '../support/drop.ts';

/** `mode: full` by the command itself: a drop, two days, and what Canvas has. */

const main = join(import.meta.dirname, '../../src/main.ts');

test('a second day is compared with the first, and somebody who left is suspended', async () => {
  const stub = await canvasStubOfTest();
  const folder = temporaryFolder();
  const config = join(folder, 'rosterd.yaml');
  writeFileSync(
    config,
    `version: 1
institution: example-university
stateDir: ${folder}/var
sources:
  students: { kind: csv-drop, from: 'file://${folder}', files: '*.csv', format: unitu, settle: 0s }
targets:
  canvas: { kind: canvas, url: '${stub.url}', token: { env: CANVAS_TEST_TOKEN }, mode: full, sections: course, pollEvery: 20ms }
`,
  );
  const day = async (name: string, without: number): Promise<Record<string, number>> => {
    const rows = Array.from({ length: 60 }, (_, n) => `Eng,Mech,C${n % 3},F${n},L${n},p${n}@example.edu,S${n},1`);
    const text = ['faculty,department,course,firstName,lastName,email,id,year', ...rows.toSpliced(without, 1)];
    writeFileSync(join(folder, `${name}.csv`), `${text.join('\n')}\n`);
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'sync', '-c', config, '--json']);
    return (JSON.parse(stdout) as { outbox: { canvas: Record<string, number> } }).outbox.canvas;
  };
  expect(await day('day-1', 0)).toMatchObject({ queued: 0, failed: 0 });
  expect(await day('day-2', 1)).toMatchObject({ queued: 0, failed: 0 });
  const { users, enrollments, imports } = stateOf(stub);
  expect(users.filter(({ status }) => status !== 'active').map((user) => user.integration_id)).toEqual(['S1']);
  expect(enrollments.filter(({ status }) => status === 'active')).toHaveLength(59);
  expect(imports.map((one) => [one.workflow_state, one.compared_with])).toEqual([
    ['imported', null],
    ['imported', 1],
  ]);
  expect(imports[1]!.counts).toMatchObject({ users: 2, enrollments: 2, courses: 0, sections: 0 });

  // a person asks for all of it anew
  const { stdout } = await promisify(execFile)(process.execPath, [main, 'queue', 'fill', 'canvas', '-c', config]);
  expect(JSON.parse(stdout)).toMatchObject({ target: 'canvas', queued: 0, remastered: true });
  const whole = stateOf(stub).imports[2]!;
  expect([whole.workflow_state, whole.compared_with]).toEqual(['imported', null]);
  expect(whole.counts).toMatchObject({ users: 60 });
});
