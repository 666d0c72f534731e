import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Broker, node, unauthorized, xmlType } from './stub-broker.ts';
import { type CiAction, type CiAnswer, type ComponentName, components, message, propertiesOf } from './stub-campus.ts';
import { parseStrictly, type XmlElement } from './stub-xml.ts';
import { type Element, writeXml } from './xml.ts';

/**
 * Component interfaces by SOAP: the service listening connector, where each generated service has a namespace, and the
 * iScript of Excel-to-CI, which has none. Requests and errors are the documented ones; the form of success is the stub's.
 */

const envelopeNamespace = 'http://schemas.xmlsoap.org/soap/envelope/';
const wsseNamespace = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
/** Ends of the names of generated operations, `CI_<ci>_<end>`. */
const ends = { CREATE: 'C', GET: 'G', UPDATE: 'UP', UPDATEDATA: 'UD' } as const;
type SoapAction = keyof typeof ends;

interface Call {
  action: SoapAction;
  component: ComponentName;
  properties: Record<string, string>;
}

/** Registers both ways in. */
export function soapRoutes(vendor: FastifyInstance, broker: Broker): void {
  vendor.post<{ Params: { node: string } }>(
    '/PSIGW/PeopleSoftServiceListeningConnector/:node',
    async (request, reply) => {
      if (request.params.node !== node) return reply.code(404).send();
      const envelope = parseStrictly(String(request.body ?? ''));
      const token = typeof envelope === 'string' ? null : usernameToken(envelope);
      if (!(token ? broker.knows(token) : broker.admits(request)))
        return token
          ? fault(reply, 'wsse:FailedAuthentication', 'The security token could not be authenticated')
          : unauthorized(reply);
      const call = typeof envelope === 'string' ? envelope : callOf(envelope, true);
      if (typeof call === 'string') return fault(reply, 'SOAP-ENV:Client', call);
      const operation = `CI_${call.component}_${ends[call.action]}`;
      if (!new RegExp(`^"?${operation}\\.v1"?$`, 'i').test(String(request.headers['soapaction'])))
        return fault(
          reply,
          'SOAP-ENV:Client',
          `No active service operation for SOAPAction ${request.headers['soapaction']}`,
        );
      if (!broker.permits(operation)) return unauthorized(reply);
      const { errors, found } = execute(call, broker);
      if (errors.length > 0) {
        const messages = errors.map(
          (error): Element => ['Message', Object.entries(error).map(([name, value]): Element => [name, String(value)])],
        );
        const keys = components[call.component].keys.map((key): Element => [key, call.properties[key] ?? '']);
        return answer(reply, [
          call.component,
          [
            ['Error-Warning', messages],
            ['Key_information', keys],
          ],
        ]);
      }
      return answer(reply, [call.component, found ?? [['notification', '1']]]);
    },
  );

  vendor.post(
    '/psc/:site/:portal/:node/s/WEBLIB_SOAPTOCI.SOAPTOCI.FieldFormula.IScript_SOAPToCI',
    async (request, reply) => {
      const { userid, pwd } = request.headers;
      // an iScript answers a wrong login with a page, not with a 401
      if (!broker.knows({ username: String(userid ?? ''), password: String(pwd ?? '') }))
        return reply.type('text/html; charset=UTF-8').send('<div>Your User ID and/or Password are invalid.</div>');
      const envelope = parseStrictly(String(request.body ?? ''));
      const call = typeof envelope === 'string' ? envelope : callOf(envelope, false);
      const { errors, found }: { errors: CiAnswer; found?: Element[] | undefined } =
        typeof call === 'string'
          ? { errors: [message(91, 1, call)] }
          : broker.permits(call.component)
            ? execute(call, broker)
            : {
                errors: [
                  message(91, 3, `You are not authorized to access the component interface. {${call.component}}`),
                ],
              };
      const said = (type: string, text: string): Element => [
        'transaction',
        [
          ['type', type],
          ['messagetext', text],
        ],
      ];
      const transactions =
        errors.length > 0 ? errors.map((error) => said('Error', error.MessageText)) : [said('OK', '')];
      const name = typeof call === 'string' ? 'SOAPToCI' : `${call.action}__CompIntfc__${call.component}Response`;
      const notification: Element = ['notification', errors.length > 0 ? '0' : '1'];
      return answer(reply, [name, [notification, ['detail', transactions], ...(found ?? [])]]);
    },
  );
}

function answer(reply: FastifyReply, content: Element): FastifyReply {
  const envelope: Element = [
    'SOAP-ENV:Envelope',
    [['SOAP-ENV:Body', [content]]],
    { 'xmlns:SOAP-ENV': envelopeNamespace },
  ];
  return reply.type(xmlType).send(writeXml(envelope));
}

/** By SOAP 1.1 a fault has status 500. */
function fault(reply: FastifyReply, code: string, text: string): FastifyReply {
  reply.code(500);
  return answer(reply, [
    'SOAP-ENV:Fault',
    [
      ['faultcode', code],
      ['faultstring', text],
    ],
  ]);
}

function usernameToken({ children }: XmlElement): { username: string; password: string } | null {
  const security = children.find(({ name }) => name === 'Header')?.children.find(({ name }) => name === 'Security');
  if (security?.namespace !== wsseNamespace) return null;
  const token = security.children.find(({ name }) => name === 'UsernameToken')?.children ?? [];
  const text = (wanted: string): string => token.find(({ name }) => name === wanted)?.text ?? '';
  return { username: text('Username'), password: text('Password') };
}

/** What an envelope asks for, or why it is refused. */
function callOf(envelope: XmlElement, withNamespace: boolean): Call | string {
  if (envelope.name !== 'Envelope' || envelope.namespace !== envelopeNamespace)
    return 'the root element is no SOAP envelope';
  const body = envelope.children.find(({ name }) => name === 'Body');
  const [root] = body?.children ?? [];
  if (!root || body!.children.length !== 1) return 'the body must hold one element';
  const [, action, component] = /^(CREATE|GET|UPDATE|UPDATEDATA)__CompIntfc__(\w+)$/i.exec(root.name) ?? [];
  if (!action || !Object.hasOwn(components, component!)) return `${root.name} is no request of a component interface`;
  const namespace = withNamespace ? `http://xmlns.oracle.com/Enterprise/Tools/schemas/${component}.V1` : null;
  const stray = [root, ...root.children].find((one) => one.namespace !== namespace);
  if (stray) return `${stray.name} is in the namespace ${stray.namespace}, not in ${namespace}`;
  const properties = Object.fromEntries(root.children.map(({ name, text }) => [name, text]));
  return { action: action.toUpperCase() as SoapAction, component: component as ComponentName, properties };
}

function execute({ action, component, properties }: Call, broker: Broker): { errors: CiAnswer; found?: Element[] } {
  if (action !== 'GET') return { errors: broker.campus.component(component, action as CiAction, properties) };
  broker.read();
  const person = component === 'RSTR_PERSON' ? broker.campus.persons.get(properties['ACCOUNT'] ?? '') : undefined;
  if (!person) return { errors: [message(91, 50, `No rows exist for the specified keys. {${component}}`)] };
  return {
    errors: [],
    found: Object.entries(propertiesOf(person)).map(([name, value]): Element => [name, String(value ?? '')]),
  };
}
