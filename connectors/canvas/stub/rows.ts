import { keepEnrollment, type StubCourse, type StubEnrollment, type StubRoster } from './roster.ts';
import { type Cell, RowError, type RowOptions, refuseIf, statusOf } from './row.ts';
import type { Importer } from './upload.ts';
import { applyUser } from './users.ts';

/**
 * The rules for one row of each file, with the words that Canvas uses when it refuses one (canvas-lms `lib/sis/*.rb`
 * and the messages in its specs). A status is matched by its beginning, as Canvas does.
 */

/** Applies one row or throws `RowError`. */
export const applyRow: Record<Importer, (roster: StubRoster, cell: Cell, options: RowOptions) => void> = {
  account: applyAccount,
  term: applyTerm,
  course: applyCourse,
  section: applySection,
  user: applyUser,
  enrollment: applyEnrollment,
};

function applyAccount(roster: StubRoster, cell: Cell, { skipDeletes }: RowOptions): void {
  const id = cell('account_id');
  const parent = cell('parent_account_id');
  refuseIf(id === '', 'No account_id given for an account');
  refuseIf(parent !== '' && !roster.accounts.has(parent), `Parent account didn't exist for ${id}`);
  const status = statusOf(
    cell('status'),
    ['active', 'deleted'],
    `Improper status "${cell('status')}" for account ${id}`,
  );
  const name = cell('name') || (roster.accounts.get(id)?.name ?? '');
  refuseIf(name === '', `No name given for account ${id}, skipping`);
  if (skipDeletes && isDelete(cell)) return;
  roster.accounts.set(id, { account_id: id, parent_account_id: parent || null, name, status });
}

function applyTerm(roster: StubRoster, cell: Cell, { skipDeletes }: RowOptions): void {
  const id = cell('term_id');
  refuseIf(id === '', 'No term_id given for a term');
  const status = statusOf(cell('status'), ['active', 'deleted'], `Improper status "${cell('status')}" for term ${id}`);
  refuseIf(cell('name') === '', `No name given for term ${id}`);
  if (skipDeletes && isDelete(cell)) return;
  roster.terms.set(id, {
    term_id: id,
    name: cell('name'),
    start_date: dateOf(cell('start_date')),
    end_date: dateOf(cell('end_date')),
    status,
  });
}

function applyCourse(roster: StubRoster, cell: Cell, { skipDeletes }: RowOptions): void {
  const id = cell('course_id');
  refuseIf(id === '', 'No course_id given for a course');
  refuseIf(cell('short_name') === '', `No short_name given for course ${id}`);
  refuseIf(cell('long_name') === '', `No long_name given for course ${id}`);
  const words = ['active', 'deleted', 'completed', 'unpublished', 'published'] as const;
  const status = statusOf(cell('status'), words, `Improper status "${cell('status')}" for course ${id}`);
  if (skipDeletes && isDelete(cell)) return;
  const known = roster.courses.get(id);
  // A term or an account that is not there is passed over without a word.
  const term = roster.terms.has(cell('term_id')) ? cell('term_id') : null;
  const account = roster.accounts.has(cell('account_id')) ? cell('account_id') : null;
  roster.courses.set(id, {
    course_id: id,
    short_name: cell('short_name'),
    long_name: cell('long_name'),
    term_id: term ?? known?.term_id ?? null,
    account_id: account ?? known?.account_id ?? null,
    integration_id: cell('integration_id') || (known?.integration_id ?? null),
    workflow_state: courseState(known?.workflow_state, status),
  });
  if (status === 'deleted') dropEnrollments(roster, ({ course_id }) => course_id === id);
}

function dropEnrollments(roster: StubRoster, fits: (enrollment: StubEnrollment) => boolean): void {
  for (const enrollment of roster.enrollments.values()) if (fits(enrollment)) enrollment.status = 'deleted';
}

function isDelete(cell: Cell): boolean {
  return /deleted/i.test(cell('status'));
}

/** A blank date clears; one that cannot be read is none. */
function dateOf(text: string): string | null {
  return text === '' || Number.isNaN(Date.parse(text)) ? null : text;
}

/** `active` leaves a published course published, and brings a concluded one back. */
function courseState(
  before: StubCourse['workflow_state'] | undefined,
  status: 'active' | 'deleted' | 'completed' | 'unpublished' | 'published',
): StubCourse['workflow_state'] {
  if (status === 'deleted' || status === 'completed') return status;
  if (status === 'published' || before === 'completed' || before === 'available') return 'available';
  return 'unpublished';
}

function applySection(roster: StubRoster, cell: Cell, { skipDeletes }: RowOptions): void {
  const id = cell('section_id');
  const course = cell('course_id');
  refuseIf(id === '', `No section_id given for a section in course ${course}`);
  refuseIf(course === '', `No course_id given for a section ${id}`);
  const refusal = `Improper status "${cell('status')}" for section ${id} in course ${course}`;
  const status = statusOf(cell('status'), ['active', 'deleted'], refusal);
  refuseIf(cell('name') === '', `No name given for section ${id} in course ${course}`);
  refuseIf(!roster.courses.has(course), `Section ${id} references course ${course} which doesn't exist`);
  if (skipDeletes && isDelete(cell)) return;
  roster.sections.set(id, { section_id: id, course_id: course, name: cell('name'), status });
  if (status === 'deleted') dropEnrollments(roster, ({ section_id }) => section_id === id);
}

const roles = ['student', 'teacher', 'ta', 'observer', 'designer'];
/** Roles that this account has made itself; capitals count. */
const customRoles = ['Auditor', 'Course Assistant'];

function applyEnrollment(roster: StubRoster, cell: Cell, { skipDeletes }: RowOptions): void {
  const courseGiven = cell('course_id');
  const sectionGiven = cell('section_id');
  const integration = cell('user_integration_id');
  const userGiven = integration || cell('user_id');
  refuseIf(courseGiven === '' && sectionGiven === '', 'No course_id or section_id given for an enrollment');
  refuseIf(userGiven === '', 'No user_id given for an enrollment');
  const words = ['active', 'deleted', 'completed', 'inactive'] as const;
  const status = statusOf(cell('status'), words, `Improper status "${cell('status')}" for an enrollment`);

  const user = integration ? roster.integrations.get(integration) : roster.users.get(userGiven);
  const ids = `Course ID: ${courseGiven}, Section ID: ${sectionGiven}`;
  if (!user) throw new RowError(`User not found for enrollment (User ID: ${userGiven}, ${ids})`);
  const section = roster.sections.get(sectionGiven);
  const nothing = `Neither course nor section existed for user enrollment (${ids}, User ID: ${userGiven})`;
  refuseIf(!roster.courses.has(courseGiven) && !section, nothing);
  refuseIf(sectionGiven !== '' && !section, `An enrollment referenced a non-existent section ${sectionGiven}`);
  const missing = courseGiven !== '' && !roster.courses.has(courseGiven);
  refuseIf(missing, `An enrollment referenced a non-existent course ${courseGiven}`);
  const course = courseGiven || section!.course_id;
  const unrelated = `An enrollment listed a section (${sectionGiven}) and a course (${course}) that are unrelated`;
  refuseIf(section !== undefined && section.course_id !== course, `${unrelated} for user (${user.user_id})`);
  const role = customRoles.includes(cell('role')) ? cell('role') : cell('role').toLowerCase();
  refuseIf(![...roles, ...customRoles].includes(role), `Improper role "${cell('role')}" for an enrollment`);
  if (skipDeletes && isDelete(cell)) return;

  const store = (kept: StubEnrollment['status']): void => {
    const identity = { course_id: course, section_id: section?.section_id ?? null, user_id: user.user_id, role };
    keepEnrollment(roster, { ...identity, status: kept });
  };
  if (status === 'active' && user.status === 'deleted') {
    store('deleted');
    throw new RowError(`Attempted enrolling of deleted user ${user.user_id} in course ${course}`);
  }
  store(status);
}
