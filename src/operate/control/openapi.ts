import { jsonText, openapiOf } from '../openapi.ts';
import { endpoints, errorAnswers, errorBody } from './api.ts';

/** Name of the generated file in config/schemas. */
export const openapiFile = 'control.openapi.json';

/** The OpenAPI document of the control socket. */
export function openapiDocument(version: string): Record<string, unknown> {
  return openapiOf({
    info: {
      title: 'rosterd control',
      version,
      description: 'HTTP over the local socket (`control.socket`). Who may open the socket may do everything.',
    },
    servers: [{ url: 'http://localhost', description: 'over the socket; the host is not looked at' }],
    security: [],
    endpoints,
    errors: { answers: errorAnswers, body: errorBody },
  });
}

/** The text of the generated file. */
export function openapiText(version: string): string {
  return jsonText(openapiDocument(version));
}
