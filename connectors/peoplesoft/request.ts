import type { Secret } from '../../src/base/secret.ts';
import type { HttpRequest } from '../../src/connector/http.ts';
import type { PeoplesoftSettings } from './schema.ts';
import type { RowTemplate, Shape } from './shapes.ts';
import { type Empty, fillBody, fillPath, type Template, type Values } from './template.ts';
import { type Element, fitsXml, writeXml } from './xml.ts';

/** Makes requests of the shapes. The same functions make what is sent and what a preview shows. */

/** Who asks, as it goes into a request. */
export interface Credentials {
  /** The whole `Authorization` header. */
  authorization: string;
  /** An OPRID and its password; null where the login is a token. */
  oprid: { username: string; password: string } | null;
  /** What stands for another secret. */
  reveal(secret: Secret): string;
}

/** A request that can be sent. */
export type Draft = Required<Pick<HttpRequest, 'method' | 'path' | 'headers'>> & { body?: string };

/** What a preview shows in the place of every secret. */
export function hiddenCredentials({ auth }: PeoplesoftSettings): Credentials {
  return {
    authorization: '{secret}',
    oprid: 'username' in auth ? { username: auth.username, password: '{secret}' } : null,
    reveal: () => '{secret}',
  };
}

type Site = Pick<PeoplesoftSettings, 'node' | 'gateway'>;
type Made = Draft | { impossible: string };
type Of<S> = Extract<Shape, { shape?: S }>;

/** The request of one item, or the words for why there cannot be one. */
export function requestFor(shape: Shape, values: Values, site: Site, who: Credentials): Made {
  switch (shape.shape) {
    case 'ci-rest':
      return ciRest(shape, values, site, who);
    case 'ci-soap':
      return ciSoap(shape, values, site, who);
    case 'rowset':
      return rowset(shape, values, site, who);
    default:
      return json(shape.method, shape, values, site, who);
  }
}

/** A path as it stands in the configuration, below the gateway of the site. */
export function pathOf(shape: Shape, { gateway }: Pick<Site, 'gateway'>): string {
  if (shape.shape === 'ci-rest') {
    const { ci, action, version, template } = shape;
    return `${gateway}/RESTListeningConnector/{node}/CIRT_${ci}_${action}.${version}${template}`;
  }
  return belowGateway(shape.path ?? '/PSIGW/PeopleSoftServiceListeningConnector/{node}', gateway);
}

/** Paths are written with the gateway's usual name. */
export function belowGateway(path: string, gateway: string): string {
  return path.replace(/^\/PSIGW(?=\/|$)/, gateway);
}

function filledPath(shape: Shape, values: Values, site: Site): { path: string } | { impossible: string } {
  const template = pathOf(shape, site);
  const filled = fillPath(template, values);
  if ('path' in filled) return filled;
  const value = values[filled.unusable] ?? '';
  return {
    impossible: `the path ${template} cannot hold {${filled.unusable}}, which is ${value === '' ? 'missing' : value}`,
  };
}

function ciRest(shape: Of<'ci-rest'>, values: Values, site: Site, who: Credentials): Made {
  const method = shape.action.endsWith('_GET') ? 'GET' : shape.action === 'C_POST' ? 'POST' : 'PUT';
  return json(method, shape, values, site, who);
}

function json(
  method: Draft['method'],
  shape: Of<'rest'> | Of<'ci-rest'>,
  values: Values,
  site: Site,
  who: Credentials,
): Made {
  const place = filledPath(shape, values, site);
  if ('impossible' in place) return place;
  const headers = { authorization: who.authorization, accept: 'application/json' };
  const { body } = shape;
  if (body === undefined) return { method, ...place, headers };
  return {
    ...{ method, ...place, headers: { ...headers, 'content-type': 'application/json' } },
    body: JSON.stringify(fillBody(body as Template, values, shape.empty)),
  };
}

const soapNamespace = 'http://schemas.xmlsoap.org/soap/envelope/';
const encodingNamespace = 'http://schemas.xmlsoap.org/soap/encoding/';
const wsse = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const passwordText = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText';

/** The envelope of PeopleTools, "Creating SOAP/XML Requests"; a generated service also has a namespace of its own. */
function ciSoap(shape: Of<'ci-soap'>, values: Values, site: Site, who: Credentials): Made {
  const place = filledPath(shape, values, site);
  if ('impossible' in place) return place;
  const inside = elementsOf(fillBody(shape.body as Template, values, shape.empty) as Record<string, Template>);
  const root: Element = [
    `${shape.action}__CompIntfc__${shape.ci}`,
    inside,
    { ...(shape.namespace === undefined ? {} : { xmlns: shape.namespace }), ...shape.attributes },
  ];
  const token = shape.wsSecurity && who.oprid;
  const header: Element[] = token ? [['SOAP-ENV:Header', [usernameToken(token)]]] : [];
  const envelope: Element = [
    'SOAP-ENV:Envelope',
    [...header, ['SOAP-ENV:Body', [root]]],
    { 'xmlns:SOAP-ENC': encodingNamespace, 'xmlns:SOAP-ENV': soapNamespace },
  ];
  if (!fits(envelope)) return unfit;
  if (shape.via === 'iscript') {
    const { username, password } = who.oprid!;
    // as the Excel-to-CI client sends it: the body is no form, whatever the type says
    const type = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/xml, text/html' };
    return {
      method: 'POST',
      ...place,
      headers: { userid: username, pwd: password, ...type },
      body: writeXml(envelope),
    };
  }
  return {
    ...{ method: 'POST', ...place },
    headers: {
      ...(token ? {} : { authorization: who.authorization }),
      ...{ accept: 'text/xml', 'content-type': 'text/xml; charset=utf-8', soapaction: shape.soapAction! },
    },
    body: writeXml(envelope),
  };
}

function usernameToken({ username, password }: { username: string; password: string }): Element {
  const token: Element = [
    'wsse:UsernameToken',
    [
      ['wsse:Username', username],
      ['wsse:Password', password, { Type: passwordText }],
    ],
  ];
  return ['wsse:Security', [token], { 'xmlns:wsse': wsse, 'SOAP-ENV:mustUnderstand': '1' }];
}

function elementsOf(fields: Readonly<Record<string, Template>>): Element[] {
  return Object.entries(fields).flatMap(([name, value]): Element[] => {
    const all = Array.isArray(value) ? value : [value];
    return all.map((one): Element => {
      if (one !== null && typeof one === 'object') return [name, elementsOf(one as Record<string, Template>)];
      return [name, String(one ?? '')];
    });
  });
}

const unfit = { impossible: 'a value holds a character that XML cannot carry' } as const;

function fits([, content]: Element): boolean {
  return typeof content === 'string' ? fitsXml(content) : content.every(fits);
}

/** AUDIT_ACTN where the site names none: added, changed, deleted. */
const audits: Readonly<Record<string, 'A' | 'C' | 'D'>> = {
  'account.create': 'A',
  'enrolment.add': 'A',
  'enrolment.remove': 'D',
};

const camaFields = ['LANGUAGE_CD', 'AUDIT_ACTN', 'BASE_LANGUAGE_CD', 'MSG_SEQ_FLG', 'PROCESS_INSTANCE'] as const;

/** The application message of a rowset: its field types, then one transaction, each row with its PSCAMA. */
function rowset(shape: Of<'rowset'>, values: Values, site: Site, who: Credentials): Made {
  const place = filledPath(shape, values, site);
  if ('impossible' in place) return place;
  const audit = shape.audit ?? audits[String(values['type'])] ?? 'C';
  const isRow = { class: 'R' };
  const cama = [shape.language, audit, shape.language, '', '0'];
  const fullCama: Element = ['PSCAMA', camaFields.map((name, i): Element => [name, cama[i]!]), isRow];
  const shortCama: Element = ['PSCAMA', [['AUDIT_ACTN', audit]], isRow];
  const camaTypes = camaFields.map(
    (name): Element => [name, '', { type: name === 'PROCESS_INSTANCE' ? 'NUMBER' : 'CHAR' }],
  );
  const types = new Map<string, Element[]>();
  const rows = (templates: readonly RowTemplate[], below: boolean): Element[] =>
    templates.flatMap(({ record, fields, rows: inner = [] }): Element[] => {
      const known = types.get(record) ?? [];
      types.set(record, known);
      const own = Object.entries(fields).flatMap(([name, field]): Element[] => {
        const { type, value } = typeof field === 'object' ? field : { type: 'CHAR', value: field };
        if (!known.some(([other]) => other === name)) known.push([name, '', { type }]);
        return elementsOf(fillBody({ [name]: value }, values, shape.empty as Empty) as Record<string, Template>);
      });
      return [[record, [...own, ...rows(inner, true)], isRow], below ? shortCama : fullCama];
    });
  const transaction = rows(shape.rows, false);
  const fieldTypes = [...types].map(([record, fields]): Element => [record, fields, isRow]);
  const message: Element = [
    shape.message,
    [
      ['FieldTypes', [...fieldTypes, ['PSCAMA', camaTypes, isRow]]],
      ['MsgData', [['Transaction', transaction]]],
    ],
  ];
  if (!fits(message)) return unfit;
  const { http } = shape;
  const login: Record<string, string> = http
    ? {
        OperationName: http.operation,
        From: http.from,
        ...(http.to === undefined ? {} : { To: http.to }),
        ...(http.password === undefined ? {} : { Password: who.reveal(http.password) }),
        ...(http.type === undefined ? {} : { OperationType: http.type }),
      }
    : { authorization: who.authorization };
  return {
    ...{ method: shape.method, ...place },
    headers: { ...login, accept: 'text/xml', 'content-type': 'text/xml; charset=utf-8' },
    body: writeXml(message),
  };
}
