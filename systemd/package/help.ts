import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What `--help` says of one command, taken apart. The manual and the completion are made of it, so that they agree. */
export interface Help {
  /** Empty for the program itself. */
  command: string;
  usage: string;
  description: string;
  arguments: readonly Term[];
  options: readonly Term[];
  commands: readonly Term[];
  /** Lines after the lists. */
  after: readonly string[];
}

/** One line of a list: `-c, --config <file>` and what it means. */
export interface Term {
  term: string;
  text: string;
}

/** Asks a program for the help of itself and of all its commands; `cache` is a folder for what is compiled meanwhile. */
export async function helpOf(node: string, main: string, cache: string): Promise<Help[]> {
  const env = { ...process.env, NODE_COMPILE_CACHE: cache };
  const ask = async (command: string): Promise<Help> => {
    const { stdout } = await promisify(execFile)(node, [main, ...(command ? [command] : []), '--help'], { env });
    return { command, ...parseHelp(stdout) };
  };
  const program = await ask('');
  const names = program.commands.map(({ term }) => term.split(' ')[0]!).filter((name) => name !== 'help');
  const all = [program];
  // two at a time: each is a process
  for (let at = 0; at < names.length; at += 2) all.push(...(await Promise.all(names.slice(at, at + 2).map(ask))));
  return all;
}

/** Takes the text of commander apart. Throws when it has another form: better no manual than half of one. */
export function parseHelp(text: string): Omit<Help, 'command'> {
  const lists: Record<string, Term[]> = { 'Arguments:': [], 'Options:': [], 'Commands:': [] };
  const [first = '', ...lines] = text.trimEnd().split('\n');
  if (!first.startsWith('Usage: ')) throw new Error(`no help of a known form: ${first}`);
  const before: string[] = [];
  const after: string[] = [];
  let list: Term[] | null = null;
  for (const line of lines) {
    const [, term, said] = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
    if (lists[line]) list = lists[line];
    else if (list && term !== undefined) list.push({ term, text: said ?? '' });
    else if (list?.length && /^ {3,}\S/.test(line)) {
      const last = list.at(-1)!;
      last.text = `${last.text} ${line.trim()}`.trim();
    } else if (line.trim()) (list ? after : before).push(line.trim());
  }
  return {
    usage: first.slice('Usage: '.length),
    description: before.join(' '),
    arguments: lists['Arguments:']!,
    options: lists['Options:']!,
    commands: lists['Commands:']!,
    after,
  };
}
