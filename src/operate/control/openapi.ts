import { z } from 'zod';
import { type Endpoint, endpoints, errorAnswers, errorBody } from './api.ts';

/** Name of the generated file in config/schemas. */
export const openapiFile = 'control.openapi.json';

type Json = Record<string, unknown>;

const mediaTypes = { json: 'application/json', ndjson: 'application/x-ndjson', text: 'text/plain' } as const;

/** The OpenAPI document of the control socket, made of the schemas that requests are checked by. */
export function openapiDocument(version: string): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const [operationId, endpoint] of Object.entries(endpoints as Record<string, Endpoint>)) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(operationId, endpoint, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'rosterd control',
      version,
      description: 'HTTP over the local socket (`control.socket`). Who may open the socket may do everything.',
    },
    servers: [{ url: 'http://localhost', description: 'over the socket; the host is not looked at' }],
    security: [],
    paths,
    components: { schemas },
  };
}

/** The text of the generated file. */
export function openapiText(version: string): string {
  return `${JSON.stringify(openapiDocument(version), null, 2)}\n`;
}

function operation(operationId: string, { summary, params, query, body, answers }: Endpoint, schemas: Json): Json {
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)];
  const responses: Json = {};
  for (const [status, { description, type, schema }] of Object.entries(answers))
    responses[status] = { description, content: { [mediaTypes[type]]: { schema: jsonOf(schema, 'output', schemas) } } };
  for (const [status, description] of Object.entries(errorAnswers))
    responses[status] = {
      description,
      content: { 'application/json': { schema: jsonOf(errorBody, 'output', schemas) } },
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
