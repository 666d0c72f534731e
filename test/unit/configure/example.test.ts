import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { sourceConnectors, targetConnectors } from '../../../connectors/index.ts';
import { schemaFile, schemaText } from '../../../src/configure/json-schema.ts';
import { loadConfig } from '../../../src/configure/load.ts';

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
