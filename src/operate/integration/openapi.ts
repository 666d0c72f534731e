import { jsonText, openapiOf, schemaDocument } from '../openapi.ts';
import { headerNames } from './admit.ts';
import { endpoints, envelope, errorAnswers, errorBody, queueItem } from './api.ts';

/** The OpenAPI document of the integration API. */
export function integrationDocument(version: string): Record<string, unknown> {
  const schemes = headerNames.flatMap(({ key, secret }) => [key, secret]);
  return openapiOf({
    info: {
      title: 'rosterd integration',
      version,
      description:
        'For systems that look at the queue and answer in place of a target. Each request shows a key and its secret, in headers of one of two kinds.',
    },
    servers: [{ url: 'http://localhost:8480', description: 'where `listen` of the configuration is' }],
    security: headerNames.map(({ key, secret }) => ({ [key]: [], [secret]: [] })),
    securitySchemes: Object.fromEntries(schemes.map((name) => [name, { type: 'apiKey', in: 'header', name }])),
    endpoints,
    errors: { answers: errorAnswers, body: errorBody },
  });
}

/** The contract files: name in config/schemas → text. */
export function contractFiles(version: string): Record<string, string> {
  return {
    'integration.openapi.json': jsonText(integrationDocument(version)),
    'queue-item.schema.json': jsonText(schemaDocument(queueItem, 'rosterd queue item')),
    'envelope.schema.json': jsonText(schemaDocument(envelope, 'rosterd envelope')),
  };
}
