import { z } from 'zod';
import { oneRosterSettings } from '../../src/connector/oneroster/settings.ts';
import { duration, secret, size } from '../../src/connector/settings.ts';

/** Settings of a drop folder: what is written, and what the code uses. */

/** Where the folder is. */
export type Place =
  | { kind: 'file'; path: string }
  | { kind: 'sftp'; username: string; host: string; port: number; path: string };

const fileForm = /^file:\/\/(\/.*|\.{1,2}(?:\/.*)?)$/;
const sftpForm = /^sftp:\/\/([^/@]*)@(\[[0-9A-Fa-f:.]+\]|[^/:@[\]]+)(?::(\d{1,5}))?(\/.*)?$/;

const from = z
  .string()
  .transform((text, context): Place => {
    const refuse = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    try {
      const file = fileForm.exec(text);
      if (file) return { kind: 'file', path: decodeURIComponent(file[1]!) };
      const sftp = sftpForm.exec(text);
      if (sftp) {
        const [, user, host, port = '22', path = '/'] = sftp;
        if (user!.includes(':')) return refuse('no password in an address: use password: { env: NAME } or { file: … }');
        if (user === '') return refuse('say who logs in: sftp://user@host/folder');
        if (Number(port) < 1 || Number(port) > 65535) return refuse(`${port} is not a port`);
        const username = decodeURIComponent(user!);
        return {
          kind: 'sftp',
          username,
          host: host!.replace(/^\[|\]$/g, ''),
          port: Number(port),
          path: decodeURIComponent(path),
        };
      }
    } catch {
      return refuse('has a % that is not followed by two hexadecimal digits; write a plain % as %25');
    }
    if (/^sftp:\/\/[^/@]*(\/|$)/.test(text)) return refuse('say who logs in: sftp://user@host/folder');
    return refuse('is neither file:///folder nor sftp://user@host:port/folder');
  })
  .describe('the folder: file:///var/drops (local or mounted) or sftp://user@host:22/drops (~ is the home: /~/drops)');

const fingerprint = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, "a host key is written as ssh-keygen -l prints it: 'SHA256:…'")
  .transform((text) => text.replace(/=$/, ''));

const text = (bytes: string) => z.string().min(1).describe(bytes);

/** The keys of `kind: csv-drop`, beside the common ones of every source. */
export const settings = z
  .strictObject({
    from,
    hostKey: z
      .union([fingerprint, z.array(fingerprint).min(1)])
      .transform((keys) => (typeof keys === 'string' ? [keys] : keys))
      .optional()
      .describe('fingerprint of the SFTP server, or a list of them: SHA256:…'),
    knownHosts: text('an OpenSSH known_hosts file that has the SFTP server').optional(),
    password: secret.optional().describe('password of the SFTP account: { env: NAME } or { file: /path }'),
    privateKey: secret.optional().describe('private key (PEM or OpenSSH) of the SFTP account: { file: /path }'),
    passphrase: secret.optional().describe('passphrase of the private key: { env: NAME } or { file: /path }'),
    files: text('pattern of the file names to read: students-*.csv').refine(
      (pattern) => !pattern.includes('/'),
      'is a pattern of file names; the folder belongs into from',
    ),
    pick: z.enum(['newest', 'all']).default('newest').describe('read the newest matching file, or all of them'),
    settle: duration.prefault('10s').describe('a file is read when size and time did not change for so long'),
    done: text('suffix of the marker that says that a file is whole: .done').optional(),
    maxFileSize: size.prefault('2GB').describe('larger files are refused'),
    maxRows: z.number().int().positive().default(5_000_000).describe('more rows in one pull are refused'),
    maxRowBytes: size
      .prefault('64KB')
      .refine((bytes) => bytes >= 64 && bytes <= 16 * 1024 ** 2, 'is between 64B and 16MB')
      .describe('a longer row is quarantined'),
    delimiter: z
      .enum([',', ';', '\t', '|', '\\t'])
      // YAML reads '\t' as two characters and "\t" as a tab; both are meant as one
      .transform((mark) => (mark === '\\t' ? '\t' : mark))
      .default(',')
      .describe('what stands between cells: a comma, a semicolon, a tab (\\t) or a bar'),
    encoding: z
      .enum(['utf-8', 'utf-16', 'windows-1252'])
      .default('utf-8')
      .describe('the encoding of the files; utf-16 goes by its byte order mark'),
    finalNewline: z
      .enum(['required', 'optional'])
      .default('required')
      .describe('required: a last line without a line end means that the file was cut'),
    contents: z
      .enum(['table', 'oneroster'])
      .default('table')
      .describe('what a file is: one table, or a zip of OneRoster CSV files'),
    ...oneRosterSettings,
    archive: text(
      'folder, relative to the drop folder, that files are moved to once their data is taken over',
    ).optional(),
    connectTimeout: duration.prefault('20s').describe('longest time to connect and log in'),
    timeout: duration
      .prefault('60s')
      .refine((ms) => ms > 0, 'is longer than nothing')
      .describe('longest silence of the SFTP server while an answer is due'),
  })
  .superRefine((value, context) => {
    const issue = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    const remote = ['hostKey', 'knownHosts', 'password', 'privateKey', 'passphrase'] as const;
    if (value.from.kind === 'file') {
      for (const key of remote)
        if (value[key] !== undefined) issue(key, 'belongs to sftp:// only; from is a local folder');
    } else {
      if (value.hostKey === undefined && value.knownHosts === undefined)
        issue('hostKey', 'sftp:// needs hostKey (ssh-keyscan HOST | ssh-keygen -lf - prints it) or knownHosts');
      if (value.password === undefined && value.privateKey === undefined)
        issue('password', 'sftp:// needs password or privateKey');
      if (value.passphrase !== undefined && value.privateKey === undefined)
        issue('passphrase', 'opens a privateKey, and there is none');
    }
    for (const key of ['disabledUsers', 'enrolments'] as const)
      if (value.contents !== 'oneroster' && value[key] !== undefined) issue(key, 'needs contents: oneroster');
    if (value.contents === 'oneroster' && (value.delimiter !== ',' || value.encoding !== 'utf-8'))
      issue('contents', 'OneRoster files are UTF-8 with commas: leave out delimiter and encoding');
    if (value.archive !== undefined && /^\.?\/*$/.test(value.archive))
      issue('archive', 'is another folder than the drop folder');
    if (value.done?.includes('/')) issue('done', 'is a suffix such as .done');
  });

export type CsvDropSettings = z.output<typeof settings>;
