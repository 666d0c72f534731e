import { z } from 'zod';
import { changeTypes } from '../../connector/target.ts';
import { planTypes } from '../../reconcile/model.ts';

/** Shapes that endpoints share. */

/** ISO 8601. */
export const time = z.iso.datetime().describe('a time, ISO 8601 in UTC');
/** A number of things. */
export const count = z.int().min(0);
/** A name of the configuration, or an id. */
export const name = z.string().min(1).max(200);
/** See `changeTypes`. */
export const changeType = z.enum(changeTypes);
/** See `planTypes`. */
export const planType = z.enum(planTypes);

/** Where a row was seen first: see `RowOrigin`. */
export const origin = z.strictObject({ source: z.string(), snapshot: count, file: z.string(), line: count });

/** `limit` of a page. */
export const page = (most: number, usual: number) =>
  z.coerce.number().int().min(1).max(most).default(usual).describe(`how many, at most ${most}`);
/** Nothing is asked with it. */
export const none = z.strictObject({});

/** One endpoint. Bodies are JSON; what is left out of a query or body has its default. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT';
  /** As fastify writes it: `/v1/runs/:run`. */
  path: string;
  summary: string;
  params: z.ZodObject;
  query: z.ZodObject;
  body: z.ZodType | null;
  /** Status → what comes with it. A stream has one value of the schema a line. */
  answers: Readonly<Record<number, { description: string; type: 'json' | 'ndjson' | 'text'; schema: z.ZodType }>>;
}

/** An endpoint that answers 200 with JSON. */
export const json = <S extends z.ZodType>(description: string, schema: S) => ({
  200: { description, type: 'json' as const, schema },
});

/** What the handler of an endpoint is handed: everything checked, defaults filled in. */
export interface AskedOf<E extends Endpoint> {
  params: z.output<E['params']>;
  query: z.output<E['query']>;
  body: E['body'] extends z.ZodType ? z.output<E['body']> : null;
}
