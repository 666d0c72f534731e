import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Registry } from './config.ts';
import { jsonSchema } from './explain.ts';
import { fileSchema, namePattern, sourceSchema, targetSchema } from './schema.ts';

type Json = z.core.JSONSchema.BaseSchema;

/** Name of the generated file. */
export const schemaFile = 'rosterd.schema.json';

/** One of the two. What a map has to name depends on the role, and is the loader's to say. */
const mapOrFormat: Json = { oneOf: [{ required: ['format'] }, { required: ['map'] }] };

/** The JSON Schema of the whole file, for editors: what `load.ts` checks, with a variant for each kind. */
export function configSchema(registry: Registry): Json {
  const file = jsonSchema(fileSchema);
  const definitions: Record<string, unknown> = {};
  const variants = (direction: 'source' | 'target', common: Json): Json => ({
    anyOf: registry[`${direction}s`].map((connector) => ({
      ...variant(
        connector.kind,
        connector.description,
        shared(direction, common, definitions),
        lifted(connector.kind, connector.settings, definitions),
      ),
      ...(connector.direction === 'source' && !connector.defaultMap ? mapOrFormat : {}),
    })),
  });
  const named = { propertyNames: { type: 'string', pattern: namePattern.source } } as const;
  const sources = { ...named, minProperties: 1, additionalProperties: variants('source', sourceJson()) };
  const targets = { ...named, additionalProperties: variants('target', jsonSchema(targetSchema)) };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'rosterd configuration',
    definitions,
    ...file,
    properties: {
      ...file.properties,
      sources: { ...(file.properties!['sources'] as Json), ...sources },
      targets: { ...(file.properties!['targets'] as Json), ...targets },
    },
  };
}

/** The keys of every source; the map, by far the largest piece, once instead of twice. */
function sourceJson(): Json {
  const json = jsonSchema(sourceSchema);
  const map = JSON.stringify(json.properties!['map']);
  const format = JSON.stringify(json.properties!['format']).replace(map, '{"$ref":"#/definitions/source.map"}');
  return { ...json, properties: { ...json.properties, format: JSON.parse(format) } };
}

/** Keys that all entries of one direction have are written once, and referred to. */
function shared(direction: string, common: Json, definitions: Record<string, unknown>): Json {
  const properties: Record<string, Json> = {};
  for (const [key, schema] of Object.entries(common.properties ?? {})) {
    definitions[`${direction}.${key}`] = schema;
    properties[key] = { $ref: `#/definitions/${direction}.${key}` };
  }
  return { ...common, properties };
}

/** References point at the top of the file, so what they name has to move there, under a name of its own. */
function lifted(kind: string, settings: z.ZodType, definitions: Record<string, unknown>): Json {
  const { definitions: named = {}, ...schema } = JSON.parse(
    JSON.stringify(jsonSchema(settings)).replaceAll('"#/definitions/', `"#/definitions/${kind}.`),
  ) as Json & { definitions?: Record<string, unknown> };
  for (const [name, definition] of Object.entries(named)) definitions[`${kind}.${name}`] = definition;
  return schema;
}

function variant(kind: string, description: string, common: Json, own: Json): Json {
  return {
    type: 'object',
    description,
    properties: { ...own.properties, ...common.properties, kind: { type: 'string', const: kind, description } },
    required: [...new Set([...(common.required ?? []), ...(own.required ?? [])])],
    additionalProperties: false,
  };
}

/** The text of the generated file. */
export function schemaText(registry: Registry): string {
  return `${JSON.stringify(configSchema(registry), null, 2)}\n`;
}

/** Writes the generated file into a folder and returns its path. */
export function writeSchemas(registry: Registry, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, schemaFile);
  writeFileSync(file, schemaText(registry));
  return file;
}
