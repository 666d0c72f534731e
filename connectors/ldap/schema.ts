import { isIP } from 'node:net';
import { FilterParser } from 'ldapts';
import { z } from 'zod';
import { duration, secret } from '../../src/connector/settings.ts';

/** Settings of a directory: what is written, and what the code uses. */

/** Where the directory is. `url` is what messages name it by. */
export interface Place {
  url: string;
  tls: boolean;
  host: string;
  port: number;
}

const url = z
  .string()
  .transform((text, context): Place => {
    const refuse = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const [, scheme, host, port] =
      /^(ldaps?):\/\/(\[[0-9A-Fa-f:.]+\]|[^/:@[\]?#\s]+)(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
    if (scheme === undefined || host === undefined)
      return refuse(
        /@/.test(text)
          ? 'no name and no password in an address: use bindDN and password'
          : 'is ldaps://host, ldaps://host:636 or ldap://host with startTLS: true; base and filter are keys of their own',
      );
    const tls = scheme === 'ldaps';
    const number = Number(port ?? (tls ? 636 : 389));
    if (number < 1 || number > 65535) return refuse(`${port} is not a port`);
    return { url: `${scheme}://${host}:${number}`, tls, host: host.replace(/^\[|\]$/g, ''), port: number };
  })
  .describe('the directory: ldaps://host, ldaps://host:636, or ldap://host with startTLS');

const text = (what: string) => z.string().min(1).describe(what);

const filter = z
  .string()
  .superRefine((written, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    if (!/^\(.*\)$/s.test(written)) return refuse('a filter stands in brackets: (objectClass=person)');
    // the library closes brackets that were left open; in a value they are written \28 and \29
    if (written.split('(').length !== written.split(')').length) return refuse('is no filter: a bracket is missing');
    try {
      FilterParser.parseString(written);
    } catch (error) {
      refuse(`is no filter: ${(error as Error).message}`);
    }
  })
  .describe(
    'which entries, as in RFC 4515; default: people (objectClass=person, in Active Directory people and no computers)',
  );

const attribute = z.string().regex(/^[A-Za-z0-9][\w.;-]*$/, 'is the name of an attribute, such as memberOf');

const search = {
  base: text('where to search: ou=people,dc=example,dc=edu'),
  filter: filter.optional(),
  scope: z
    .enum(['sub', 'one', 'base'])
    .optional()
    .describe('sub (the default): the base and all below; one: its children; base: itself'),
  allowEmpty: z.boolean().optional().describe('true: that this search finds nobody is no sign of missing rights'),
};

/** One search of a pull. `filter` null: the default of the server's kind. */
export interface Search {
  base: string;
  filter: string | null;
  scope: 'sub' | 'one' | 'base';
  allowEmpty: boolean;
}

/** The keys of `kind: ldap`, beside the common ones of every source. */
export const settings = z
  .strictObject({
    url,
    startTLS: z.boolean().default(false).describe('true: ldap:// is made secure before anything is said'),
    ca: text('file with the certificates to trust, in PEM; default: the ones that Node trusts').optional(),
    insecure: z
      .boolean()
      .default(false)
      .describe('true: plain ldap:// to another machine, for everybody on the way to read'),
    bindDN: text('who logs in, as a DN (in Active Directory also user@domain); default: anonymous').optional(),
    password: secret.optional(),
    connectTimeout: duration
      .prefault('20s')
      .refine((ms) => ms > 0, 'is longer than nothing')
      .describe('longest time to connect and log in'),
    timeout: duration
      .prefault('60s')
      .refine((ms) => ms > 0, 'is longer than nothing')
      .describe('longest silence of the server while an answer is due'),
    base: search.base.optional(),
    filter: search.filter,
    scope: search.scope,
    allowEmpty: search.allowEmpty,
    searches: z.array(z.strictObject(search)).min(1).optional().describe('several searches instead of base and filter'),
    pageSize: z.number().int().min(1).max(10_000).default(1000).describe('entries that are asked for at a time'),
    maxEntries: z.number().int().positive().default(5_000_000).describe('more entries in one pull are refused'),
    each: attribute.optional().describe('one row for each value of this attribute, instead of one for each entry'),
    binary: z.array(attribute).default([]).describe('attributes that are no text; their values are given as base64'),
    mayBeMissing: z
      .array(attribute)
      .default([])
      .describe(
        'attributes of the map that rightly nobody may have; any other that nobody has makes a pull incomplete',
      ),
    disabledAccounts: z
      .enum(['leave-out', 'keep'])
      .default('leave-out')
      .describe('what becomes of entries whose userAccountControl says disabled'),
    referrals: z
      .enum(['refuse', 'ignore'])
      .default('refuse')
      .describe('refuse: an answer that lies in part on another server is incomplete; ignore: what is here is all'),
    incremental: z.enum(['off', 'on']).default('off').describe('on: between full pulls only changed entries are read'),
    full: duration.prefault('1d').describe('with incremental: everything is read at least once in this time'),
  })
  .superRefine((value, context) => {
    const issue = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    const { url: place } = value;
    if (place.tls && value.startTLS) issue('startTLS', 'belongs to ldap://; ldaps:// is secure from the start');
    if (!place.tls && !value.startTLS && !value.insecure && !isHere(place.host))
      issue(
        'url',
        'everybody on the way could read and change what goes over ldap://: use ldaps://, or startTLS: true',
      );
    if (value.insecure && (place.tls || value.startTLS)) issue('insecure', 'contradicts ldaps:// and startTLS');
    if (value.ca !== undefined && !place.tls && !value.startTLS) issue('ca', 'belongs to ldaps:// or startTLS');
    if (value.bindDN !== undefined && value.password === undefined)
      issue('password', 'is missing: a login without one would be anonymous, and might see less');
    if (value.password !== undefined && value.bindDN === undefined)
      issue('bindDN', 'is missing: whose password is it?');
    if (value.searches === undefined && value.base === undefined)
      issue('base', 'is missing (or searches, for several)');
    if (value.searches !== undefined)
      for (const key of ['base', 'filter', 'scope', 'allowEmpty'] as const)
        if (value[key] !== undefined) issue(key, 'belongs into each of the searches');
  })
  .transform(({ base, filter, scope, allowEmpty, searches, ...rest }) => ({
    ...rest,
    searches: (searches ?? [{ base: base!, filter, scope, allowEmpty }]).map(
      (one): Search => ({
        base: one.base,
        filter: one.filter ?? null,
        scope: one.scope ?? 'sub',
        allowEmpty: one.allowEmpty ?? false,
      }),
    ),
  }));

export type LdapSettings = z.output<typeof settings>;

/** This machine: nothing that is said leaves it. */
function isHere(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
