import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { sourceConnectors, targetConnectors } from '../../../connectors/index.ts';
import { schemaFile, schemaText } from '../../../src/configure/json-schema.ts';
import { loadConfig } from '../../../src/configure/load.ts';
import { sourceSchema, targetSchema } from '../../../src/configure/schema.ts';

const registry = { sources: sourceConnectors, targets: targetConnectors };
const pathOf = (name: string): string => fileURLToPath(new URL(`../../../config/${name}`, import.meta.url));
const example = pathOf('rosterd.example.yaml');

describe('config/rosterd.example.yaml', () => {
  const config = loadConfig(example, registry);

  it('shows a named format and a map, in the order that counts', () => {
    expect(config.sources.map(({ name, format }) => [name, format.kind])).toEqual([
      ['sis-students', 'unitu'],
      ['hr-staff', 'map'],
      ['sis-api', 'map'],
      ['sis-oneroster', 'declared'],
      ['sis-push', 'unitu'],
      ['campus-directory', 'map'],
    ]);
  });

  it('shows every kind of connector that there is', () => {
    const shown = [...config.sources, ...config.targets].map(({ connector }) => connector.kind);
    const known = [...sourceConnectors, ...targetConnectors].map(({ kind }) => kind);
    expect([...new Set(shown)].sort()).toEqual([...known].sort());
  });

  it('shows every key that the top of a file has, and says true things about defaults', () => {
    const written = parse(readFileSync(example, 'utf8'));
    const top = JSON.parse(schemaText(registry)).properties;
    expect(Object.keys(written).sort()).toEqual(Object.keys(top).sort());
    expect(config.sources[0]!.limits).toEqual({ percent: 10, atLeast: 20, window: { days: 7, percent: 25 } });
    expect(config.sources[1]!.limits).toEqual({ percent: 5, atLeast: 5, window: { days: 7, percent: 25 } });
  });
});

describe('config/schemas', () => {
  it('is what the code says now', () => {
    const current = readFileSync(pathOf(`schemas/${schemaFile}`), 'utf8') === schemaText(registry);
    expect(current, 'config/schemas is not current: run `npm run schemas` and commit what it writes').toBe(true);
  });
});

it('no connector has a key of its own that every source or target has: it would never get it', () => {
  const keysOf = (schema: z.ZodType): string[] => {
    const { properties = {}, anyOf = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
      properties?: object;
      anyOf?: { properties?: object }[];
    };
    return [properties, ...anyOf.map((one) => one.properties ?? {})].flatMap(Object.keys);
  };
  const taken = [
    ...registry.sources.map(({ kind, settings }) => ({ kind, keys: keysOf(settings), common: sourceSchema.shape })),
    ...registry.targets.map(({ kind, settings }) => ({ kind, keys: keysOf(settings), common: targetSchema.shape })),
  ];
  for (const { keys } of taken) expect(keys.length).toBeGreaterThan(2);
  expect(
    taken.flatMap(({ kind, keys, common }) => keys.filter((key) => key in common).map((key) => `${kind}.${key}`)),
  ).toEqual([]);
});
