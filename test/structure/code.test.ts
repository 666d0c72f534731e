import { describe, expect, test } from 'vitest';
import { files, read, sources, withoutComments } from './project.ts';

/** Lines of the product that fit, without comments, as `file:line: text`. `keep` sees the line before as well. */
function lines(fits: (line: string, before: string) => boolean, among = sources): string[] {
  return among.flatMap((file) => {
    const raw = read(file).split('\n');
    return withoutComments(raw.join('\n'))
      .split('\n')
      .flatMap((line, i) => (fits(line, raw[i - 1] ?? '') ? [`${file}:${i + 1}: ${line.trim()}`] : []));
  });
}

describe('documentation', () => {
  test('every exported function, class and type says what it is', () => {
    const bare = sources.flatMap(undocumented);
    expect(bare, 'write above it, in /** … */, what a caller needs to know and cannot see').toEqual([]);
  });

  test('a missing one would be found, one of any form is seen', () => {
    const text = [
      '/** One line. */',
      'export function told(): void {}',
      'export async function* bare(): AsyncGenerator<void> {}',
      '/**',
      ' * Many lines.',
      ' */',
      '// biome-ignore lint/suspicious/noExplicitAny: for a reason',
      'export const alsoTold = 1;',
      '',
      'export interface Bare {}',
      '/** An overload. */',
      'export function twice(of: string): void;',
      'export function twice(of: number): void;',
      "export type { Other } from './other.ts';",
      'export abstract class Bare2 {}',
    ].join('\n');
    expect(exportsWithout(text)).toEqual(['bare', 'Bare', 'Bare2']);
  });

  function undocumented(file: string): string[] {
    return exportsWithout(read(file)).map((name) => `${file}: ${name}`);
  }

  /** Names of exported declarations without a doc comment; lines as the formatter leaves them. */
  function exportsWithout(text: string): string[] {
    const told = new Set<string>();
    const found: string[] = [];
    const declaration =
      /^export (?:declare )?(?:abstract )?(?:async )?(function|class|interface|type|const|let|enum)\*? (\w+)/;
    const all = text.split('\n');
    all.forEach((line, i) => {
      const [, form, name] = declaration.exec(line) ?? [];
      if (form === undefined || name === undefined) return;
      let above = i - 1;
      while (all[above]?.startsWith('//')) above -= 1;
      // a constant and a type of the same name are one thing, and so are overloads
      if (all[above]?.endsWith('*/')) told.add(name);
      else if (!told.has(name) && !derived(line)) found.push(name);
    });
    return found;
  }

  /** `export type X = z.infer<typeof x>` repeats the schema above it, which is the one to document. */
  function derived(line: string): boolean {
    return /^export type \w+ = (z\.(infer|input|output)<typeof \w+>|\(typeof \w+\)\[number\]);$/.test(line);
  }
});

describe('habits', () => {
  test('nothing prints past the screen and the log', () => {
    expect(
      lines((line) => /\bconsole\s*\./.test(line)),
      'results go through operate/screen.ts, what happened through the log',
    ).toEqual([]);
  });

  test('no `any` without its reason', () => {
    const any = /[:<|(,=] ?any\b(?!['`\w-])|\bas any\b|\bany\[\]/;
    expect(any.test('const x: any = 1;') && any.test('f<any>(y)') && any.test('y as any')).toBe(true);
    expect(
      lines((line, before) => any.test(line) && !before.includes('biome-ignore lint/suspicious/noExplicitAny: ')),
      'use unknown and prove it, or say in a biome-ignore why it must be',
    ).toEqual([]);
  });

  test('nothing switches the compiler off', () => {
    const all = files.filter((file) => file.endsWith('.ts'));
    const off = new RegExp(`@ts-${'(ignore|nocheck|expect-error)'}`);
    const found = all.filter((file) => off.test(read(file)));
    expect(found, 'give the compiler the type it asks for').toEqual([]);
  });

  test('time comes from the clock that is passed in', () => {
    // The clock itself; stubs play other people's servers; the screen and the limit of redraws are not decisions.
    const exempt = (file: string): boolean =>
      file === 'src/base/clock.ts' || /\/stub|\/operate\/|connector\/stub\.ts$/.test(file);
    expect(
      lines(
        (line) => /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/.test(line),
        sources.filter((file) => !exempt(file)),
      ),
      'take a Clock: a test must not have to wait',
    ).toEqual([]);
  });

  test('no test waits for time to pass', () => {
    const tests = files.filter((file) => /^test\/.*\.test\.ts$/.test(file));
    expect(
      lines((line) => /\bsetTimeout\(\s*(resolve|done|r)\b|timers\/promises/.test(line), tests),
      'wait for the event itself, or hand over a clock',
    ).toEqual([]);
  });
});
