import { renameUser, type StubRoster, type StubUser } from './roster.ts';
import { type Cell, RowError, type RowOptions, refuseIf, statusOf } from './row.ts';

/** The rules of users.csv: one login, one SIS ID and one integration ID belong to one user (canvas-lms user_importer). */
export function applyUser(roster: StubRoster, cell: Cell, { skipDeletes, takeOver }: RowOptions): void {
  const id = cell('user_id');
  const login = cell('login_id');
  refuseIf(id === '', 'No user_id given for a user');
  refuseIf(login === '', `No login_id given for user ${id}`);
  refuseIf(cell('status') === '', `No status given for user ${id}`);
  const words = ['active', 'suspended', 'deleted'] as const;
  const status = statusOf(cell('status'), words, `Improper status for user ${id}`);
  if (skipDeletes && /deleted/i.test(cell('status'))) return;
  const provider = cell('authentication_provider_id');
  refuseIf(provider !== '', `unrecognized authentication provider ${provider} for ${id}, skipping`);

  const holder = roster.logins.get(login.toLowerCase());
  // by SIS ID, else by login
  const known = roster.users.get(id) ?? holder;
  const claimed = (by: StubUser, what: string): string =>
    `An existing Canvas user with the SIS ID ${by.user_id} has already claimed ${id}'s ${what}, skipping`;
  const integration = cell('integration_id') || (known?.integration_id ?? null);
  const namesake = integration === null ? undefined : roster.integrations.get(integration);
  if (namesake && namesake !== known && status !== 'deleted')
    throw new RowError(claimed(namesake, 'requested integration_id'));
  const isOther = known !== undefined && known.user_id !== id;
  if (holder && ((isOther && !takeOver) || (holder !== known && status !== 'deleted')))
    throw new RowError(claimed(holder, 'user_id requested login information'));
  if (isOther) renameUser(roster, known, id);

  const user: StubUser = known ?? {
    user_id: id,
    integration_id: null,
    login_id: login,
    name: '',
    sortable_name: '',
    email: null,
    status,
  };
  free(roster, user);
  const given = [cell('first_name'), cell('last_name')].filter((part) => part !== '').join(' ');
  const reversed = [cell('last_name'), cell('first_name')].filter((part) => part !== '').join(', ');
  user.name = cell('full_name') || given || user.name || login;
  user.sortable_name = cell('sortable_name') || reversed || user.sortable_name || user.name;
  user.login_id = login;
  user.integration_id = integration;
  user.status = status;
  roster.users.set(id, user);
  if (integration !== null && (!namesake || namesake === user)) roster.integrations.set(integration, user);
  // a session hangs on the login, of which a user has one here
  if (status === 'deleted') {
    roster.signedIn.delete(id);
    dropEnrollments(roster, id);
  } else roster.logins.set(login.toLowerCase(), user);

  const email = cell('email');
  if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email))
    throw new RowError(`The email address associated with user '${id}' is invalid (email: '${email}')`);
  if (email !== '') user.email = email;
}

function free(roster: StubRoster, user: StubUser): void {
  if (roster.logins.get(user.login_id.toLowerCase()) === user) roster.logins.delete(user.login_id.toLowerCase());
  if (user.integration_id !== null && roster.integrations.get(user.integration_id) === user)
    roster.integrations.delete(user.integration_id);
}

/** A user has one login here, so that deleting it takes away the enrolments. */
function dropEnrollments(roster: StubRoster, userId: string): void {
  for (const enrollment of roster.enrollments.values())
    if (enrollment.user_id === userId) enrollment.status = 'deleted';
}
