import type { Help, Term } from './help.ts';

/** The page rosterd(8), in the macros of man(7): what `--help` says, and what only the package knows. */
export function manual(helps: readonly Help[], about: { version: string; date: Date }): string {
  const [program, ...commands] = helps;
  if (!program) throw new Error('a manual of nothing');
  const lines = [
    `.TH ROSTERD 8 ${about.date.toISOString().slice(0, 10)} "rosterd ${about.version}" "System Administration"`,
    '.SH NAME',
    `rosterd ${'\\-'} keeps a campus in step`,
    '.SH SYNOPSIS',
    ...helps.flatMap(({ usage }) => [text(usage), '.br']).slice(0, -1),
    '.SH DESCRIPTION',
    text(program.description),
    '.SH COMMANDS',
    ...commands.flatMap((one) => [
      `.SS ${text(one.command)}`,
      text(one.description),
      ...list(one.arguments),
      ...list(one.options.filter(({ term }) => !/--help/.test(term))),
    ]),
    '.SH OUTPUT AND EXIT STATUS',
    ...program.after.flatMap((line) => [text(line), '.br']).slice(0, -1),
    '.SH SIGNALS',
    ...list([
      { term: 'SIGTERM, SIGINT', text: 'finish the batch in hand, then stop; a second one stops at once' },
      { term: 'SIGHUP', text: 'reload the configuration; a bad one is refused, and the old one stays' },
    ]),
    '.SH FILES',
    ...list([
      { term: '/etc/rosterd/rosterd.yaml', text: 'the configuration; without it the service does not start' },
      { term: '/etc/rosterd/rosterd.yaml.example', text: 'every key, explained' },
      {
        term: '/etc/rosterd/credentials',
        text: 'secrets, readable by root only; see LoadCredential in rosterd.service',
      },
      { term: '/usr/share/rosterd/rosterd.schema.json', text: 'the schema of the configuration, for editors' },
      { term: '/var/lib/rosterd', text: 'the state; kept when the package is removed or purged' },
    ]),
    '.SH ENVIRONMENT',
    ...list([{ term: 'ROSTERD_LOG_LEVEL', text: 'error, warn, info or debug; info when it is not set' }]),
    '.SH NOTES',
    text('Run by root, rosterd acts as the user rosterd, so that everything in the state stays the service’s own.'),
    '.SH SEE ALSO',
    '.BR systemctl (1),',
    '.BR journalctl (1),',
    '.BR systemd.exec (5)',
    '.PP',
    text('/usr/share/doc/rosterd/README.md'),
  ];
  return `${lines.join('\n')}\n`;
}

function list(terms: readonly Term[]): string[] {
  return terms.flatMap((one) => ['.TP', `.B ${text(one.term)}`, text(one.text || one.term)]);
}

/** Text as roff takes it: no line is a request, hyphens can be copied, and letters outside ASCII have names. */
function text(said: string): string {
  const escaped = said.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('’', '\\(cq').replaceAll('…', '...');
  const strange = /[^\x20-\x7e]/.exec(escaped);
  if (strange) throw new Error(`the manual has no name for ${strange[0]} in: ${said}`);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
