import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import type { Told } from './daemon-site.ts';

/** Holds answers against an OpenAPI document, and knows which of its endpoints were asked. */

// biome-ignore lint/suspicious/noExplicitAny: a document is what the validator says that it is
type Json = any;

/** A validator of JSON Schema 2020-12 that is not ours. */
export function validator(): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true });
  addFormats.default(ajv);
  return ajv;
}

export class Contract {
  readonly document: Json;
  /** `operationId status` of what was asked. */
  readonly asked = new Set<string>();

  constructor(document: Json) {
    this.document = document;
  }

  /** Fails when the document has no such answer, or another. */
  holds(method: string, path: string, answer: Told): void {
    const operation = this.document.paths[path][method.toLowerCase()];
    this.asked.add(`${operation.operationId} ${answer.status}`);
    const response = operation.responses[answer.status];
    expect(response, `${operation.operationId} may answer ${answer.status}`).toBeDefined();
    const [[type, { schema }]] = Object.entries(response.content) as [[string, Json]];
    expect(String(answer.headers['content-type'])).toContain(type);
    const check = validator().compile(this.#whole(schema));
    const values = type.includes('ndjson')
      ? answer.text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
      : [answer.json ?? answer.text];
    expect(values.length).toBeGreaterThan(0);
    for (const value of values) {
      check(value);
      expect(check.errors ?? [], JSON.stringify(value)).toEqual([]);
    }
  }

  /** Fails when an endpoint of the document was never asked. */
  everyEndpointAsked(): void {
    const operations = Object.values(this.document.paths).flatMap((path) => Object.values(path as object));
    const asked = new Set([...this.asked].map((one) => one.split(' ')[0]));
    expect([...asked].sort(), 'every endpoint is asked here').toEqual(
      operations.map(({ operationId }) => operationId).sort(),
    );
  }

  /** A schema with what it refers to in its place. */
  #whole(schema: Json): Json {
    if (Array.isArray(schema)) return schema.map((one) => this.#whole(one));
    if (typeof schema !== 'object' || schema === null) return schema;
    if (schema.$ref) return this.#whole(this.document.components.schemas[schema.$ref.split('/').at(-1)]);
    return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, this.#whole(value)]));
  }
}
