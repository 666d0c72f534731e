import { Misconfigured } from '../base/errors.ts';

/** A place in the configuration: keys and list indexes from the top. */
export type Path = readonly (string | number)[];

/** One thing that a person has to edit. Line and column are from 1. */
export interface Problem {
  line: number;
  column: number;
  /** As people write it: `sources.sis-students.files[0]`; empty for the file as a whole. */
  path: string;
  message: string;
  remedy: string | null;
}

/**
 * All problems of a file at once, because finding them one start after the other is what people hate most about
 * configuration files. The message has one line per problem: `file:line:column: path: message; remedy`.
 */
export class ConfigErrors extends Misconfigured {
  readonly problems: readonly Problem[];
  constructor(file: string, problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    super(sorted.map((problem) => lineOf(file, problem)).join('\n'));
    this.problems = sorted;
  }
}

function lineOf(file: string, { line, column, path, message, remedy }: Problem): string {
  return `${file}:${line}:${column}: ${path ? `${path}: ` : ''}${message}${remedy ? `; ${remedy}` : ''}`;
}

/** `['a', 'b', 0]` → `a.b[0]`. */
export function pathText(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    '',
  );
}
