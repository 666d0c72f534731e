import { z } from 'zod';
import { duration, secret } from '../../src/connector/settings.ts';
import { complaint, complaints, placeholdersIn, type Template } from './template.ts';
import { elementName } from './xml.ts';

/**
 * The forms that a request may have: what a site generates in the Integration Broker decides which one. Each is data; the
 * requests themselves are made in `request.ts`.
 */

/** A text that is a regular expression. */
export const regularExpression = z.string().refine(
  (text) => {
    try {
      return Boolean(new RegExp(text));
    } catch {
      return false;
    }
  },
  { error: 'not a regular expression' },
);

const templateText = z.string().superRefine((text, ctx) => {
  const message = complaint(text);
  if (message !== null) ctx.addIssue({ code: 'custom', message });
});
/** A path with placeholders. */
export const pathTemplate = templateText.regex(/^\//, 'a path begins with /');

const bodyTemplate = z.json().superRefine((template, ctx) => {
  for (const { path, message } of complaints(template)) ctx.addIssue({ code: 'custom', path, message });
});

/** A body that becomes elements: its keys must be names of elements. */
const elementsTemplate = z.record(z.string(), z.json()).superRefine((template, ctx) => {
  for (const { path, message } of complaints(template)) ctx.addIssue({ code: 'custom', path, message });
  for (const path of wrongNames(template))
    ctx.addIssue({ code: 'custom', path, message: `${path.at(-1)} cannot be the name of an element` });
});

function wrongNames(template: Template, path: (string | number)[] = []): (string | number)[][] {
  if (template === null || typeof template !== 'object') return [];
  if (Array.isArray(template)) return template.flatMap((entry, index) => wrongNames(entry, [...path, index]));
  return Object.entries(template).flatMap(([name, inner]) => [
    ...(elementName.test(name) ? [] : [[...path, name]]),
    ...wrongNames(inner as Template, [...path, name]),
  ]);
}

const name = z.string().regex(elementName, 'letters, digits and underscores, as PeopleTools names things');
const ci = name.describe('name of the component interface');
const emptyXml = z
  .enum(['omit', 'blank'])
  .default('omit')
  .describe('a leaf that is one placeholder without a value: left out, or an empty element');

const rest = <M extends 'GET' | 'POST' | 'PUT' | 'PATCH'>(methods: readonly [M, ...M[]]) =>
  z.strictObject({
    shape: z.literal('rest').optional().describe('a REST service operation of the site; the shape where none is named'),
    method: z.enum(methods).prefault(methods[0]).describe('method of the request'),
    path: pathTemplate.describe('path below url, with {placeholders}; values are percent-encoded'),
    body: bodyTemplate.optional().describe('body, sent as JSON; texts hold {placeholders}; left out: no body'),
    empty: z
      .enum(['null', 'omit', 'blank'])
      .default('null')
      .describe('a leaf that is one placeholder without a value: null, left out, or an empty text'),
  });

const ciRest = <A extends string>(actions: readonly [A, ...A[]]) =>
  z.strictObject({
    shape: z
      .literal('ci-rest')
      .describe('an operation of a component-interface-based REST service, CIRT_<ci>_<action>'),
    ci,
    action: z.enum(actions).describe('which of the generated operations'),
    version: z
      .string()
      .regex(/^v\d+$/i)
      .default('v1')
      .describe('version of the operation'),
    template: templateText
      .default('')
      .describe('what follows the operation in the path, such as /{id}; as the generated URI template says'),
    body: bodyTemplate
      .optional()
      .describe('the buffer of the component interface as JSON, as the generated OpenAPI says'),
    empty: z
      .enum(['null', 'omit', 'blank'])
      .default('omit')
      .describe('a leaf that is one placeholder without a value: null, left out, or an empty text'),
  });

const ciSoap = <A extends string>(actions: readonly [A, ...A[]]) =>
  z.strictObject({
    shape: z.literal('ci-soap').describe('a component interface by SOAP: <ACTION__CompIntfc__CI>'),
    ci,
    action: z.enum(actions).describe('first part of the root element, spelt as the WSDL has it'),
    via: z
      .enum(['service', 'iscript'])
      .default('service')
      .describe('PeopleSoftServiceListeningConnector, or the iScript IScript_SOAPToCI with userid and pwd headers'),
    path: pathTemplate
      .optional()
      .describe('path below url; needed for an iscript, whose path has names of the site and the portal'),
    soapAction: z
      .string()
      .min(1)
      .optional()
      .describe('SOAPAction header: external alias of the operation, such as OP.v1'),
    namespace: z.string().min(1).optional().describe('namespace of the elements, as the WSDL has it; left out: none'),
    attributes: z
      .record(name, z.string())
      .default({})
      .describe('attributes of the root element, such as preserveblanks: Y'),
    wsSecurity: z
      .boolean()
      .default(false)
      .describe('sends the OPRID as a WS-Security UsernameToken, not as HTTP Basic'),
    body: elementsTemplate.describe('properties and collections; a list repeats its element'),
    empty: emptyXml,
  });

const field = z.union([
  templateText,
  z.int(),
  z.strictObject({
    type: z.enum(['CHAR', 'DATE', 'NUMBER']).default('CHAR').describe('type in FieldTypes'),
    value: z.union([templateText, z.int()]).describe('value, with {placeholders}'),
  }),
]);

/** A record of a rowset with its fields, and the rows below it. */
export interface RowTemplate {
  record: string;
  fields: Record<string, z.output<typeof field>>;
  rows?: RowTemplate[] | undefined;
}
const row: z.ZodType<RowTemplate> = z.lazy(() =>
  z.strictObject({
    record: name.describe('name of the record'),
    fields: z.record(name, field).describe('fields: a template, or { type, value }'),
    rows: z.array(row).optional().describe('rows below this one'),
  }),
);

const rowset = z.strictObject({
  shape: z.literal('rowset').describe('a rowset-based message: FieldTypes, MsgData and PSCAMA'),
  message: name.describe('name of the message, the root element'),
  rows: z.array(row).min(1).describe('records of the one transaction'),
  audit: z
    .enum(['A', 'C', 'D'])
    .optional()
    .describe('AUDIT_ACTN; left out: A for account.create and enrolment.add, D for enrolment.remove, else C'),
  language: z.string().default('ENG').describe('LANGUAGE_CD and BASE_LANGUAGE_CD'),
  method: z.enum(['POST', 'PUT']).default('POST').describe('method of the request'),
  path: pathTemplate.describe('path below url of the REST or the HTTP listening connector'),
  http: z
    .strictObject({
      operation: z.string().min(1).describe('OperationName: external alias, such as OP.v1'),
      from: z.string().min(1).describe('From: the requesting node'),
      to: z.string().min(1).optional().describe('To: the target node'),
      password: secret.optional().describe("Password: the requesting node's, by reference"),
      type: z.enum(['Sync', 'Async']).optional().describe('OperationType'),
    })
    .optional()
    .describe('headers of the HTTP listening connector, in place of Authorization'),
  empty: emptyXml,
});

const read = z
  .discriminatedUnion('shape', [
    rest(['GET', 'POST']),
    ciRest(['G_GET', 'F_GET']).superRefine(nameFits),
    ciSoap(['GET', 'Get']).superRefine(reachable),
  ])
  .describe('the request that reads back, in one of the shapes rest, ci-rest and ci-soap');

const scalar = z.union([templateText, z.number(), z.null()]);
const confirmFields = z.strictObject({
  read,
  at: z
    .string()
    .regex(/^(\/[^/]*)+$/, 'a JSON pointer such as /data/query/rows/*')
    .describe('where in the answer to look: a JSON pointer, `*` is any of a list; in XML elements by local name'),
  is: z
    .union([scalar, z.record(z.string(), scalar)])
    .describe('what must be there: a value, or fields and their values; compared as texts, with {placeholders}'),
  absent: z.boolean().default(false).describe('true: nothing of it may be there'),
  every: duration.prefault('5s').describe('wait between two looks'),
  within: duration.prefault('15m').describe('after so long without it the item fails'),
  lookFirst: z
    .boolean()
    .default(false)
    .describe('looks before sending what was not sent by this process, and sends nothing where the state is there'),
});
/** What is absent has to be missing from something, or any other answer would do as well. */
const confirm = confirmFields.refine(
  ({ at, absent, read: { shape } }) =>
    !absent || at.split('/').length > (at.endsWith('/*') && shape === 'ci-soap' ? 3 : 2),
  { path: ['at'], error: 'with absent, at has to name what it is absent from: /data/rows/*, not /rows' },
);

const effect = {
  already: regularExpression
    .optional()
    .describe('regular expression over the words of a refusal that means: this is so already; the item counts as sent'),
  async: z.boolean().default(false).describe('true: an answer tells that the message came, not what became of it'),
  confirm: confirm
    .meta({ id: 'confirm' })
    .optional()
    .describe('reads back; the item counts as sent only when the state is there'),
};

/** What a request is made of: any of the shapes. */
export type Shape = z.infer<typeof write> | z.infer<typeof read>;
/** How to see whether a change has come into effect. */
export type Confirm = z.infer<typeof confirm>;

const write = z.discriminatedUnion('shape', [
  rest(['POST', 'PUT', 'PATCH']).extend(effect),
  ciRest(['C_POST', 'U_PUT', 'UD_PUT']).extend(effect).superRefine(nameFits),
  ciSoap(['CREATE', 'UPDATE', 'UPDATEDATA', 'Create', 'Update', 'Updatedata']).extend(effect).superRefine(reachable),
  rowset.extend(effect),
]);

/** The request of one change type, and what its answer says. */
export const operation = write.superRefine((chosen, ctx) => {
  if (!chosen.confirm?.lookFirst) return;
  const unseen = uncompared(chosen, chosen.confirm);
  if (unseen.length === 0) return;
  const names = unseen.map((one) => `{${one}}`).join(', ');
  const message = `is does not compare ${names}, which the request writes: a change of it alone would never be sent`;
  ctx.addIssue({ code: 'custom', path: ['confirm', 'lookFirst'], message });
});
export type Operation = z.infer<typeof operation>;

/** Placeholders that say what a person is; all others say which one, or how it is told. */
const states = /^(email|firstName|lastName|kind|year|status|effStatus|attributes\..*)$/;

/** States that a request writes and its read-back does not compare. */
function uncompared(written: Shape, { is, read }: Confirm): string[] {
  const compared = new Set([...placeholdersIn(is as Template), ...placeholdersOf(read)]);
  const same = (name: string): boolean =>
    compared.has(name) || (/^(effS|s)tatus$/.test(name) && (compared.has('status') || compared.has('effStatus')));
  return [...placeholdersOf(written)].filter((name) => states.test(name) && !same(name));
}

/** True when a read-back compares a state by its name, or the status of the person; all else only says whom it is about. */
export function comparesState({ is }: Confirm): boolean {
  const compared = is !== null && typeof is === 'object' ? Object.values(is) : [is];
  return compared.some((value) => {
    const names = [...placeholdersIn(value)];
    return names.length === 0 || names.some((name) => /^(effS|s)tatus$/.test(name));
  });
}

function placeholdersOf(shape: Shape): Set<string> {
  const parts: unknown[] = ['body', 'path', 'template', 'rows'].map(
    (key) => (shape as Record<string, unknown>)[key] ?? null,
  );
  return placeholdersIn(parts as Template[]);
}

/** PeopleTools gives an operation at most 30 characters. */
function nameFits({ ci, action }: { ci: string; action: string }, ctx: z.RefinementCtx): void {
  const full = `CIRT_${ci}_${action}`;
  if (full.length <= 30) return;
  ctx.addIssue({
    code: 'custom',
    path: ['ci'],
    message: `${full} has ${full.length} characters; an operation has at most 30`,
  });
}

function reachable(
  {
    via,
    path,
    soapAction,
    wsSecurity,
  }: { via: string; path?: string | undefined; soapAction?: string | undefined; wsSecurity: boolean },
  ctx: z.RefinementCtx,
): void {
  const need = (key: string, message: string): void => ctx.addIssue({ code: 'custom', path: [key], message });
  if (via === 'iscript' && path === undefined)
    need(
      'path',
      'an iscript needs its path: /psc/<site>/<portal>/<node>/s/WEBLIB_SOAPTOCI.SOAPTOCI.FieldFormula.IScript_SOAPToCI?…',
    );
  if (via === 'iscript' && wsSecurity) need('wsSecurity', 'an iscript takes userid and pwd headers');
  if (via === 'service' && soapAction === undefined)
    need(
      'soapAction',
      'the service listening connector finds the operation by SOAPAction: its external alias, such as OP.v1',
    );
}
