import { describe, expect, test } from 'vitest';
import { nextPage } from '../../../../connectors/canvas/api.ts';
import { courseId } from '../../../../connectors/canvas/layout.ts';
import { indexFor, judge, RowIndex } from '../../../../connectors/canvas/outcome.ts';
import { canvasSettings, type SisImportError } from '../../../../connectors/canvas/schema.ts';
import { buildSheets, Changes } from '../../../../connectors/canvas/sheets.ts';
import { course, item, person } from './items.ts';

const settings = canvasSettings.parse({ url: 'https://canvas.example.edu', token: { env: 'CANVAS_TOKEN' } });
const car = course('Car Design');
const items = [
  item('account.create', { account: person(1) }),
  item('account.create', { account: person(2) }),
  item('enrolment.add', { account: person(1), course: car }),
  item('enrolment.add', { account: person(2), course: car }),
  item('enrolment.add', { account: person(2), course: course('Bicycles') }),
];
const [user1, user2, car1, car2, bicycles2] = items.map((one) => one.item);

const ended = (workflow_state: string, errors: SisImportError[] = [], error_message?: string) => {
  const answer = { id: 42, workflow_state, data: { error_message } };
  const index = indexFor(new Changes(items, settings), errors, workflow_state.startsWith('failed'));
  const ids = items.map(({ item: id }) => id);
  const outcome = judge(ids, index, answer, errors);
  const of = (wanted: string): (string | undefined)[] =>
    outcome.results.filter((result) => result.outcome === wanted).map((result) => result.item);
  return { ...outcome, sent: of('sent'), failed: of('failed'), retry: of('retry') };
};

describe('an import that ended', () => {
  test('without messages: everything is sent', () => {
    const { results } = ended('imported');
    expect(results).toEqual(items.map((one) => ({ item: one.item, outcome: 'sent', answer: 'import 42' })));
  });

  test('row 1 is the header, so row 3 is the second item of the file', () => {
    const { results, sent, failed } = ended('imported_with_messages', [
      { file: 'users.csv', row: 3, message: 'taken' },
    ]);
    expect(failed).toEqual([user2]);
    expect(sent).toHaveLength(4);
    expect(results[1]).toEqual({ item: user2, outcome: 'failed', answer: 'import 42: taken' });
  });

  test('a refused course fails the enrolments that need it, with all reasons once', () => {
    const { results, failed } = ended('imported_with_messages', [
      { file: 'courses.csv', row: 2, message: 'no such thing' },
      { file: 'enrollments.csv', row: 2, message: 'course not found' },
      { file: 'enrollments.csv', row: 2, message: 'course not found' },
    ]);
    expect(failed).toEqual([car1, car2]);
    expect(results[2]!.answer).toBe('import 42: no such thing; course not found');
  });

  test('a message without a row is put on the row whose ids it names', () => {
    const message = `Attempted enrolling of deleted user 9500000002 in course ${courseId(car)}`;
    expect(ended('imported_with_messages', [{ file: 'enrollments.csv', row: null, message }]).failed).toEqual([car2]);
  });

  test.each([
    { file: null, message: 'something happened' },
    { file: 'enrollments.csv', message: 'something happened' },
    { file: 'enrollments.csv', row: 99, message: 'a row that was not sent' },
    { file: 'enrollments.csv', row: 1, message: 'the header' },
    { file: 'unknown.csv', row: 2, message: 'a file that was not sent' },
  ])('a message that names no item is handed on and fails nobody: %j', (error) => {
    const { unplaced, sent } = ended('imported_with_messages', [error]);
    expect(unplaced).toEqual([error]);
    expect(sent).toHaveLength(items.length);
  });

  test('a failed file fails its items, the others are sent again', () => {
    const { failed, retry } = ended('failed_with_messages', [{ file: 'users.csv', message: 'Malformed CSV' }]);
    expect(failed).toEqual([user1, user2]);
    expect(retry).toEqual([car1, car2, bicycles2]);
  });

  test('a failure that names nobody fails all, in the words of Canvas', () => {
    const said = ended('failed_with_messages', [{ file: null, message: 'Error while importing CSV.' }]).results;
    expect(said.map(({ outcome, answer }) => [outcome, answer])).toEqual(
      items.map(() => ['failed', 'import 42: Error while importing CSV.']),
    );
    expect(ended('failed', [], 'out of space').results[0]!.answer).toBe('import 42: out of space');
    expect(ended('failed').failed).toHaveLength(items.length);
  });

  test('aborted: all come again, not before Canvas runs imports again', () => {
    const { results, retry } = ended('aborted');
    expect(retry).toHaveLength(items.length);
    expect(results[0]).toMatchObject({ delayMs: 600_000 });
  });

  test('undone by somebody in Canvas: nothing counts as sent', () => {
    expect(ended('restored').failed).toHaveLength(items.length);
  });
});

describe('errors of a compared import, whose rows nobody here can count', () => {
  const sheets = buildSheets(items, settings);
  const index = new RowIndex(sheets, null);
  const about = (error: Partial<SisImportError>): (string | undefined)[] =>
    index.itemsOf({ file: 'users.csv', message: 'no', row: 3, ...error }, false).map((at) => items[at]!.item);

  test('are found by the quoted row', () => {
    expect(about({ row_info: '9500000001,S1,p1@example.edu,Pat,"Number, 1",p1@example.edu,active,3\n' })).toEqual([
      user1,
    ]);
    const quote = `${courseId(car)},,9500000002,student,active`;
    expect(about({ file: 'enrollments.csv', row_info: quote })).toEqual([car2]);
  });

  test('else by what is named, in the quote or in the message; of two people by whose row it is', () => {
    expect(about({ row_info: '{"user_id"=>"9500000001"}' })).toEqual([user1]);
    const claimed =
      "user with the SIS ID 9500000001 has already claimed 9500000002's user_id requested login information";
    expect(about({ message: claimed })).toEqual([user2]);
    expect(about({ row_info: '9500000077,S77,x,y,z,w,active' })).toEqual([]);
  });
});

describe('nextPage', () => {
  test.each([
    ['<https://c/x?page=1>; rel="current",<https://c/x?page=b:2>; rel="next",<https://c/x?page=1>; rel="first"', 'b:2'],
    ['<https://c/x?page=a,b>; rel=next', 'a,b'],
    ['<https://c/x?page=2>; rel="next", <https://c/x?page=9>; rel="last"', '2'],
  ])('takes the address as it is given: %s', (link, page) => {
    expect(nextPage(link)).toBe(`https://c/x?page=${page}`);
  });

  test('ends on a page without a next one', () => {
    expect(nextPage('<https://c/x?page=1>; rel="current",<https://c/x?page=0>; rel="prev"')).toBeUndefined();
    expect(nextPage(undefined)).toBeUndefined();
  });
});
