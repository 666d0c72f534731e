import type { MessageResponse } from 'ldapts';
import { Denied, Incomplete, Misconfigured, type RosterdError, Unavailable } from '../../src/base/errors.ts';
import { excerpt } from '../../src/base/redact.ts';

/** What a result code means for what happens next (RFC 4511, A.2). */

/** Sub-codes that Active Directory gives with code 49 as `data 52e`. */
const reasons: Readonly<Record<string, string>> = {
  '525': 'no such user',
  '52e': 'wrong name or password',
  '530': 'not allowed to log in at this hour',
  '531': 'not allowed to log in from this machine',
  '532': 'the password has expired',
  '533': 'the account is disabled',
  '701': 'the account has expired',
  '773': 'the password must be changed first',
  '775': 'the account is locked',
};

const secureRemedy = 'the server wants a secure connection: use ldaps://, or ldap:// with startTLS: true';
const rightsRemedy = 'have the directory give this account the right to read there';
const limitRemedy =
  'have the directory lift the limit for this account (OpenLDAP: limits … size.prtotal=unlimited size.soft=unlimited time=unlimited)';

/** The server's own words, short. */
export function wordsOf({ status, errorMessage }: MessageResponse): string {
  const said = excerpt(errorMessage);
  return `code ${status}${said ? `, ${said}` : ''}`;
}

/** Why a login was refused. `who` is its DN. */
export function loginRefusal(result: MessageResponse, where: string, who: string): RosterdError {
  const said = `${where} does not let ${who} in (${wordsOf(result)})`;
  switch (result.status) {
    case 8:
    case 13:
      return new Denied(said, { remedy: secureRemedy });
    case 34:
      return new Misconfigured(said, { remedy: 'write bindDN as a DN: cn=rosterd,ou=services,dc=example,dc=edu' });
    case 49: {
      const reason = reasons[/\bdata ([0-9a-f]+)/i.exec(result.errorMessage)?.[1]?.toLowerCase() ?? ''];
      return new Denied(said, { remedy: `${reason ? `${reason}: ` : ''}check bindDN and password` });
    }
    case 51:
    case 52:
      return new Unavailable(said);
    default:
      return new Denied(said, { remedy: 'check bindDN, password and the rules of the directory' });
  }
}

/** Why the answer to a search is not the whole truth. `what` names the search. */
export function searchRefusal(result: MessageResponse, what: string): RosterdError {
  const said = (why: string): string => `${what}: ${why} (${wordsOf(result)})`;
  switch (result.status) {
    case 1:
      // Active Directory says so to who is not logged in
      return /successful bind|without authentication/i.test(result.errorMessage)
        ? new Denied(said('the server answers nobody who is not logged in'), { remedy: 'give bindDN and password' })
        : new Incomplete(said('the server could not answer'));
    case 3:
      return new Incomplete(said('the server ended the search at its time limit'), { remedy: limitRemedy });
    case 4:
      return new Incomplete(said('the server gave a part of the entries and ended at its size limit'), {
        remedy: limitRemedy,
      });
    case 8:
    case 13:
      return new Denied(said('refused'), { remedy: secureRemedy });
    case 10:
      return new Incomplete(said('the server says that this part of the directory is on another server'), {
        remedy: 'give the url of the server that has it',
      });
    case 11:
      return new Incomplete(said('the server ended the search at a limit of its administrator'), {
        remedy: limitRemedy,
      });
    case 12:
      return new Incomplete(said('the server does not read page by page'), {
        remedy: 'have the directory allow the paged results control to this account',
      });
    case 32:
      return new Incomplete(said('there is no such base, or this account may not see it'), {
        remedy: `correct base, or ${rightsRemedy}`,
      });
    case 34:
      return new Misconfigured(said('the base is no DN'), { remedy: 'correct base' });
    case 50:
      return new Denied(said('this account may not read there'), { remedy: rightsRemedy });
    case 51:
    case 52:
      return new Unavailable(said('the server cannot answer now'));
    default:
      return new Incomplete(said('the server did not answer in full'));
  }
}
