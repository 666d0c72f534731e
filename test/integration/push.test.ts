import { describe, expect, test } from 'vitest';
import { key, PushSite, student, students } from '../support/pushing.ts';

/** What is pushed, and what becomes of it: a real daemon, over real sockets. */

describe('a list', () => {
  test.each([
    ['under data', (list: unknown) => list],
    ['under data.students', (list: unknown) => ({ students: list })],
  ])('%s is answered with its run, and is the roster when that is over', async (_, shape) => {
    const site = await PushSite.make();
    await site.start();
    const { status, body } = await site.push(shape([...students(0, 3), student(1, { course: 'Welding', year: 1 })]));
    expect(status).toBe(202);
    expect(body).toEqual({
      ...{ run: expect.stringMatching(/^\d{8}-\d{6}-sis-/), answer: 'snapshot', accepted: 4, refused: 0 },
      ...{ records: [], dropped: {}, note: null, repeated: false },
    });
    await site.says('run.applied');
    expect(await site.stop()).toBe(0);
    const [run] = await site.runs();
    expect(run).toMatchObject({ run: body.run, trigger: 'push', status: 'applied', snapshot: { records: 4 } });
    expect(await site.active()).toEqual(['id0', 'id1', 'id2']);
    expect((await site.accounts()).get('id1')!.courses.sort()).toEqual(['Car Design', 'Welding']);
  });
});
