import type { FastifyInstance } from 'fastify';
import { type Broker, ibResponse, node, xmlType } from './stub-broker.ts';
import { type CiAnswer, nullable } from './stub-campus.ts';
import { parseStrictly, type XmlElement } from './stub-xml.ts';

/**
 * Rowset-based messages, RSTR_PERSON_SYNC and RSTR_ENRL_SYNC, asynchronous: what is wrong with the form is refused at once,
 * what is wrong with the data only the monitor shows.
 */
const messages = { RSTR_PERSON_SYNC: 'RSTR_PERSON', RSTR_ENRL_SYNC: 'RSTR_ENRL' } as const;
type MessageName = keyof typeof messages;

/** The HTTP listening connector: it answers 200 whatever happens. */
export function httpConnectorRoute(vendor: FastifyInstance, broker: Broker): void {
  vendor.post('/PSIGW/HttpListeningConnector', async (request, reply) => {
    reply.type(xmlType);
    const { operationname: operation, from, to, password } = request.headers;
    if (!operation) return ibResponse('OperationName is missing.');
    const name = String(operation).replace(/\.v1$/i, '');
    if (!Object.hasOwn(messages, name) || (to !== undefined && to !== node))
      return ibResponse(`No active routing was found for operation ${operation}.`);
    const { nodePassword } = broker.mode;
    if (!from || (nodePassword !== null && password !== nodePassword) || !broker.permits(name))
      return ibResponse(`The requesting node ${from ?? ''} is not authorized for ${name}.`);
    return ibResponse(takeMessage(name as MessageName, String(request.body ?? ''), broker));
  });
}

/** Names of the messages, for the REST listening connector. */
export const messageNames = Object.keys(messages) as MessageName[];

/** Takes a message into the queue; the words for why not, or null. */
export function takeMessage(name: MessageName, text: string, broker: Broker): string | null {
  const root = parseStrictly(text);
  if (typeof root === 'string') return root;
  const rows = rowsOf(name, root);
  if (typeof rows === 'string') return rows;
  broker.take(name, () => rows.flatMap((row) => process(name, row, broker)));
  return null;
}

interface Row {
  audit: string;
  fields: Record<string, string>;
}

function rowsOf(name: MessageName, root: XmlElement): Row[] | string {
  const record = messages[name];
  if (root.name !== name) return `the root element is ${root.name}, not ${name}`;
  const [types, data, ...more] = root.children;
  if (types?.name !== 'FieldTypes' || data?.name !== 'MsgData' || more.length > 0)
    return 'a message is FieldTypes and MsgData';
  const typed = new Map(
    types.children.map((one) => [one.name, new Map(one.children.map((f) => [f.name, f.attributes['type']]))]),
  );
  for (const one of types.children) {
    if (one.attributes['class'] !== 'R') return `FieldTypes: ${one.name} has not the class R`;
    const wrong = one.children.find((f) => !['CHAR', 'DATE', 'NUMBER'].includes(f.attributes['type'] ?? ''));
    if (wrong) return `FieldTypes: ${wrong.name} has no type`;
  }
  if (!typed.has('PSCAMA')) return 'FieldTypes: PSCAMA is missing';
  const transactions = data.children;
  if (transactions.length === 0 || transactions.some((one) => one.name !== 'Transaction'))
    return 'MsgData holds no Transaction';
  const rows: Row[] = [];
  for (const { children } of transactions) {
    const [row, cama] = children;
    if (row?.name !== record || cama?.name !== 'PSCAMA') return `a Transaction is ${record} and PSCAMA`;
    const stranger = row.children.find((one) => !typed.get(record)?.has(one.name));
    if (stranger) return `${record}.${stranger.name} is not among the FieldTypes`;
    const audit = cama.children.find((one) => one.name === 'AUDIT_ACTN')?.text ?? '';
    if (!['', 'A', 'C', 'D'].includes(audit)) return `AUDIT_ACTN is ${audit}`;
    rows.push({ audit, fields: Object.fromEntries(row.children.map((one) => [one.name, one.text])) });
  }
  return rows;
}

/** Messages say what is: a row that is there is set again. */
function process(name: MessageName, { audit, fields }: Row, { campus }: Broker): CiAnswer {
  const account = fields['ACCOUNT'] ?? '';
  const given = nullable(fields);
  if (name === 'RSTR_PERSON_SYNC')
    return campus.person(account, { ...given, ACTION: audit === 'C' ? 'UPDATE' : 'CREATE' });
  return campus.enrolment(account, fields['COURSE_CODE'] ?? '', { ...given, ACTION: audit === 'D' ? 'REMOVE' : 'ADD' });
}
