import { z } from 'zod';
import type { Endpoint } from './control/shapes.ts';

/** OpenAPI documents, made of the schemas that requests are checked by. */

type Json = Record<string, unknown>;

/** What a document says beside its endpoints. */
export interface Described {
  info: { title: string; version: string; description: string };
  servers: readonly { url: string; description: string }[];
  security: readonly Json[];
  securitySchemes?: Json;
  endpoints: Readonly<Record<string, Endpoint>>;
  /** What every endpoint may answer beside its own answers, by status, all with one body. */
  errors: { answers: Readonly<Record<number, string>>; body: z.ZodType };
}

const mediaTypes = { json: 'application/json', ndjson: 'application/x-ndjson', text: 'text/plain' } as const;

/** Makes the document. */
export function openapiOf({ info, servers, security, securitySchemes, endpoints, errors }: Described): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const [operationId, endpoint] of Object.entries(endpoints)) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = {
      ...paths[path],
      [endpoint.method.toLowerCase()]: operation(operationId, endpoint, errors, schemas),
    };
  }
  const components = { schemas, ...(securitySchemes ? { securitySchemes } : {}) };
  return { openapi: '3.1.0', info, servers, security, paths, components };
}

/** The text of a generated file. */
export function jsonText(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** A schema by itself, for a file of its own: what comes out, with all that it refers to inside. */
export function schemaDocument(schema: z.ZodType, title: string): Json {
  const { id: _, ...json } = z.toJSONSchema(schema, { io: 'output', target: 'draft-2020-12' }) as Json;
  const { $schema, ...rest } = json;
  return { $schema, title, ...rest };
}

function operation(
  operationId: string,
  { summary, params, query, body, answers }: Endpoint,
  errors: Described['errors'],
  schemas: Json,
): Json {
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)];
  const responses: Json = {};
  for (const [status, { description, type, schema }] of Object.entries(answers))
    responses[status] = { description, content: { [mediaTypes[type]]: { schema: jsonOf(schema, 'output', schemas) } } };
  for (const [status, description] of Object.entries(errors.answers))
    responses[status] = {
      description,
      content: { 'application/json': { schema: jsonOf(errors.body, 'output', schemas) } },
    };
  return {
    operationId,
    summary,
    ...(parameters.length ? { parameters } : {}),
    ...(body
      ? { requestBody: { required: true, content: { 'application/json': { schema: jsonOf(body, 'input', schemas) } } } }
      : {}),
    responses,
  };
}

function parametersOf(where: 'path' | 'query', object: z.ZodObject): Json[] {
  const { properties = {}, required = [] } = jsonOf(object, 'input', {}) as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...rest } = schema as Json;
    return {
      ...{ name, in: where, required: where === 'path' || required.includes(name) },
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

/** The schema as JSON; what has an id is put among the components, once, and referred to. */
function jsonOf(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const json = z.toJSONSchema(schema, {
    ...{ io, target: 'draft-2020-12' as const, unrepresentable: 'any' as const },
    // text of a query is made a number before it is checked
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodNumber && zodSchema.def.coerce) jsonSchema.type = 'integer';
    },
  }) as Json;
  const {
    $schema: _,
    $defs = {},
    id,
    ...own
  } = JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json & {
    $defs?: Record<string, Json>;
  };
  for (const [name, definition] of Object.entries($defs as Record<string, Json>)) {
    const { id: _id, ...rest } = definition;
    schemas[name] = rest;
  }
  if (typeof id !== 'string') return own;
  schemas[id] = own;
  return { $ref: `#/components/schemas/${id}` };
}
