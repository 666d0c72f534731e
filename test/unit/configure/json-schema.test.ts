import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configSchema, schemaFile, schemaText, writeSchemas } from '../../../src/configure/json-schema.ts';
import { readYaml } from '../../../src/configure/yaml.ts';
import { least, load, problemsOf, registry } from './sample.ts';

/** What an editor does with the schema. Without `oneOf: required`, which this reader of schemas does not know. */
function accepts(text: string): boolean {
  const json = JSON.parse(
    JSON.stringify(configSchema(registry), (key, value) => (key === 'oneOf' && isChoice(value) ? undefined : value)),
  );
  return z.fromJSONSchema(json).safeParse(readYaml(text).value).success;
}

function isChoice(value: readonly object[]): boolean {
  return value.every((one) => Object.keys(one).join() === 'required');
}

const target = "targets:\n  lms: { kind: wire, url: 'https://x.example', account: 1, token: { env: TOKEN } }\n";

describe('the JSON Schema', () => {
  it.each([
    least,
    `${least}${target}`,
    `${least}guards: { removals: { window: { days: 3 } } }\nroster: { courses: { include: [a] } }\n`,
    least.replace(
      'format: unitu',
      'map: { faculty: F, department: D, course: C, firstName: A, lastName: B, email: E }',
    ),
  ])('accepts what the loader accepts: %j', (text) => {
    expect(() => load(text)).not.toThrow();
    expect(accepts(text)).toBe(true);
  });

  it.each([
    least.replace('version: 1', 'version: 2'),
    least.replace('kind: drop', 'kind: dorp'),
    least.replace('kind: drop', 'kind: wire'),
    least.replace('from: /drops', 'form: /drops'),
    least.replace('from: /drops', 'from: /drops\n    settel: 1s'),
    least.replace('format: unitu', 'format: unity'),
    least.replace('format: unitu', 'map: { e-mail: E }'),
    least.replace('sis:', 'SIS:'),
    `${least}nonsense: 1\n`,
    `${least}${target.replace('{ env: TOKEN }', 'hunter2')}`,
    `${least}store: { kind: mongodb }\n`,
  ])('refuses what the loader refuses: %j', (text) => {
    expect(problemsOf(text)).not.toEqual([]);
    expect(accepts(text)).toBe(false);
  });

  it('wants exactly one of format and map', () => {
    const [variant] = (configSchema(registry).properties!['sources'] as { additionalProperties: { anyOf: object[] } })
      .additionalProperties.anyOf;
    expect(variant).toMatchObject({ oneOf: [{ required: ['format'] }, { required: ['map'] }] });
  });

  it('has a definition for every reference', () => {
    const recursive = { ...registry.targets[0]!, settings: z.strictObject({ body: z.json().optional() }) };
    const json = configSchema({ ...registry, targets: [recursive] });
    const named = [...JSON.stringify(json).matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name]) => name!);
    expect(named.some((name) => name.startsWith('wire.'))).toBe(true);
    expect(Object.keys(json['definitions'] as object)).toEqual(expect.arrayContaining([...new Set(named)]));
  });

  it('is written as one file, the folder with it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rosterd-schemas-'));
    const file = writeSchemas(registry, join(folder, 'new'));
    expect(file).toBe(join(folder, 'new', schemaFile));
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe(schemaText(registry));
    rmSync(folder, { recursive: true });
  });
});
