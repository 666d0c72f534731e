import { expect, test } from 'vitest';
import { Chronicle } from './chronicle.ts';
import type { Act, Edit } from './story.ts';

/** Stories that once went wrong, or that chance finds too seldom. Sources are `sis` and `hr`; courses C1 to C3. */

function drop(source: 'sis' | 'hr', ...edits: Edit[]): Act {
  return { act: 'drop', source: source === 'sis' ? 0 : 1, edits, how: 'complete', shuffle: 'as is' };
}
const put = (who: number, course: 1 | 2 | 3): Edit => ({ edit: 'put', who, course: course - 1 });
const leave = (who: number): Edit => ({ edit: 'leave', who });
const guest = (who: number): Edit => ({ edit: 'guest', who, rows: 'all' });
const empty: Edit = { edit: 'empty' };
const approve: Act = { act: 'approve', source: 0, right: true };
/** 0: everything, 1: all but C3, 2: C1 only. */
const scope = (to: number): Act => ({ act: 'scope', scope: to });

const stories: Record<string, Act[]> = {
  'a held leaver of whom the other source knows the name is taken by neither before somebody approves': [
    drop('sis', put(0, 1), put(1, 1)),
    drop('hr', put(0, 2), guest(0)),
    drop('sis', empty),
    drop('hr', { edit: 'rename', who: 0 }),
    approve,
    drop('hr', guest(0)),
  ],
  'who is known by name only under another address is found again under the old one': [
    drop('sis', put(0, 1)),
    drop('sis', guest(0), { edit: 'email', who: 0, email: 3 }),
    drop('sis', put(3, 1)),
    drop('sis', guest(0)),
  ],
  'two sources that let go of one person do not wait for each other for ever': [
    drop('sis', put(0, 2)),
    scope(2),
    drop('hr', put(0, 1)),
  ],
  'both let go of one person while one of them is held': [
    drop('sis', put(0, 1), put(1, 1)),
    drop('hr', put(0, 2)),
    drop('hr', leave(0)),
    drop('sis', empty),
  ],
  'an address that only the second source says may be all that is left of somebody': [
    drop('sis', put(1, 1)),
    drop('hr', put(5, 1)),
    drop('hr', { edit: 'id', who: 5, id: 1 }),
  ],
  'a course that another source has taken up does not vanish by an approval': [
    drop('sis', put(1, 2)),
    drop('sis', empty),
    drop('hr', put(0, 2)),
    approve,
  ],
  'the word of the other source is not taken over for an empty snapshot that is refused': [
    drop('sis', put(0, 1), put(1, 1)),
    drop('hr', put(0, 1), { edit: 'rename', who: 0 }),
    drop('sis', empty),
    drop('sis'),
  ],
  'a broken row that tells only the address of the second source is still about that person': [
    drop('sis', put(1, 1)),
    drop('hr', put(1, 2), { edit: 'email', who: 1, email: 4 }, put(0, 1)),
    drop('hr', { edit: 'break', who: 1, leaves: 'e-mail' }),
  ],
  'rules that were tried out and taken back leave nothing behind in another source': [
    drop('sis', put(3, 1)),
    drop('hr', put(3, 2)),
    scope(2),
    drop('sis', put(0, 1), leave(3)),
    approve,
    drop('sis', put(1, 1)),
    scope(0),
  ],
  'an approval does not take a course that is in scope again': [
    drop('sis', put(4, 1), empty),
    drop('hr', put(4, 3)),
    scope(1),
    drop('sis'),
    scope(0),
    approve,
  ],
  'an approval does not take somebody who is in quarantine elsewhere since': [
    drop('sis', put(4, 1), put(5, 1)),
    drop('sis', leave(4)),
    drop('sis', empty),
    drop('hr', put(0, 1), put(4, 2), { edit: 'break', who: 4, leaves: 'id' }),
    approve,
  ],
};

test.each(Object.entries(stories))('%s', async (_name, acts) => {
  const chronicle = new Chronicle({
    sources: ['sis', 'hr'],
    nameless: null,
    guarded: false,
    archive: false,
    crowd: 0,
    acts,
  });
  await using _site = chronicle.site;
  for (const act of acts) await chronicle.step(act);
  await chronicle.settle();
  await chronicle.checkEnd();
  await chronicle.tidy();
  await chronicle.settle();
  await chronicle.checkEnd();
  expect(chronicle.complaints).toEqual([]);
});
