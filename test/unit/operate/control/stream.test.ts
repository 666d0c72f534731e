import { expect, test } from 'vitest';
import type { RunLine } from '../../../../src/operate/control/api.ts';
import { Stream } from '../../../../src/operate/control/stream.ts';
import { SteppedClock } from '../../../support/stepped-clock.ts';

/** Lines for somebody who may read slowly, or leave. */

const accepted: RunLine = { type: 'accepted', sources: ['sis'] };
const end: RunLine = { type: 'end', exit: 0, busy: [], outbox: {} };

test('a slow reader gets every outcome, and of progress the newest words', async () => {
  const stream = new Stream(new SteppedClock('2026-01-15T00:00:00Z'));
  stream.push(accepted);
  for (let n = 0; n < 10_000; n += 1) stream.progress('sis', `${n} rows read`);
  const lines = stream.lines();
  expect(JSON.parse((await lines.next()).value!)).toEqual(accepted);
  expect(JSON.parse((await lines.next()).value!)).toEqual({ type: 'progress', who: 'sis', text: '9999 rows read' });
  const next = lines.next();
  stream.push(end);
  stream.end();
  expect(JSON.parse((await next).value!)).toEqual(end);
  expect((await lines.next()).done).toBe(true);
  await stream.ended;
});

test('no word of a target comes after its outcome', async () => {
  const stream = new Stream(new SteppedClock('2026-01-15T00:00:00Z'));
  stream.progress('crm', '3 of 4 sent');
  stream.push({ type: 'delivery', delivery: { target: 'crm', sent: 4, failed: 0, paused: false, error: null } });
  stream.end();
  const types = [];
  for await (const line of stream.lines()) types.push(JSON.parse(line).type);
  expect(types).toEqual(['delivery']);
});

test('whoever leaves keeps nobody from ending', async () => {
  const stream = new Stream(new SteppedClock('2026-01-15T00:00:00Z'));
  stream.push(accepted);
  for await (const _ of stream.lines()) break;
  stream.progress('sis', 'more');
  stream.push(end);
  stream.end();
  await stream.ended;
  expect((await stream.lines().next()).done).toBe(true);
});
