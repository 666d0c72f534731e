import { excerpt } from '../../src/base/redact.ts';
import type { HttpAnswer } from '../../src/connector/http.ts';
import type { PeoplesoftSettings } from './schema.ts';
import { readXml } from './xml.ts';

/**
 * What an answer means. The status alone does not tell: a component interface that refuses answers 200 up to PeopleTools
 * 8.58 and 400 from 8.59 on (Oracle document 3012909.1), the gateway puts errors into a 200, and a session that is not
 * logged in can get a page instead of a 401. So the body is read always.
 */
export type Verdict =
  | { meaning: 'done'; words: string }
  /** `whole`: the words before they were cut, for whoever looks for some of them. */
  | { meaning: 'refused'; words: string; whole: string }
  /** Not now. `own`: of this one request, as far as can be told; the server itself is there. */
  | { meaning: 'later'; words: string; own: boolean }
  /** The login was refused (`login`), or a page came in place of an answer. */
  | { meaning: 'denied'; words: string; login: boolean }
  /** There is no such operation. */
  | { meaning: 'missing'; words: string };

/** What the answer is to. `xml`: nothing but XML can be success, as with SOAP. `removes`: the change takes something away. */
export interface Asked {
  xml?: boolean;
  removes?: boolean;
}

/** Reads an answer by the site's rule for success. */
export function judge(answer: HttpAnswer, rule: PeoplesoftSettings['success'], asked: Asked = {}): Verdict {
  const { status } = answer;
  const uncut = (words: string | null) => `HTTP ${status}${words ? `: ${words}` : ''}${transaction(answer)}`;
  const said = (words: string | null) => uncut(words && excerpt(words, mostWords));
  const body = readBody(answer, rule, asked);
  const words = said(body.words);
  const refused: Verdict = { meaning: 'refused', words, whole: uncut(body.words) };
  const login = status === 401 || body.login === true || isSignon(answer);
  if (login || status === 403 || (status >= 300 && status < 400))
    return { meaning: 'denied', login, words: said(answer.headers['location'] ?? body.words) };
  if (status >= 300 && rule.status.includes(status) && isSuccess(status, body, asked))
    return { meaning: 'done', words };
  if (status === 404) return isHandlers(body) ? refused : { meaning: 'missing', words };
  // By SOAP 1.1 every fault has status 500, and says itself whether the request or the server is to blame.
  if (body.kind === 'error' && body.sender) return refused;
  if (status >= 500 || status === 408 || status === 429) {
    const silent = status === 500 && answer.text.trim() === '' ? 'without a word, as a production system does' : null;
    return { meaning: 'later', own: status === 500, words: said(silent ?? body.words) };
  }
  if (body.kind === 'page' && status < 300)
    return { meaning: 'denied', login: false, words: said(`a page, not an answer: ${body.words}`) };
  if (body.kind === 'error' || status >= 300 || !rule.status.includes(status)) return refused;
  // It was done or it was not: the same request again does no harm.
  if (body.kind === 'broken') return { meaning: 'later', own: true, words };
  return { meaning: 'done', words: said(body.warning ?? null) };
}

/**
 * True where an answer outside 2xx, with a status that the site calls success, can be one. What is gone cannot be taken away
 * any more, but nothing can be written to it either; and a gateway that knows no such operation says 404, too.
 */
function isSuccess(status: number, { kind, words }: Body, { removes = false }: Asked): boolean {
  if (kind !== 'fine') return false;
  return (status !== 404 && status !== 410) || (removes && !namesNoOperation.test(words ?? ''));
}

/** Words of the Integration Broker, whose messages are set 158, or of anybody else who looked for an operation in vain. */
const namesNoOperation =
  /\(158,\s?\d+\)|\b(operation|service|routing)\b[\w .-]{0,80}\bnot (be )?found|\bno (such |active )?(operation|service|routing)/i;

/**
 * True for an error with the number of a message that is not the Integration Broker's (set 158): a handler has said 404 of a
 * person. Any other 404 says that nobody is there to handle anything.
 */
function isHandlers({ kind, words }: Body): boolean {
  return kind === 'error' && /\((?!158,)\d+,\s?\d+\)/.test(words ?? '');
}

/**
 * Words of PeopleSoft for a login that it refuses: of its sign-on page, which also comes with status 200, and of its older
 * releases (Oracle document 611856.1; programs that log in look for them). In an error of a handler they may be of a person.
 */
const refusedLogin =
  /user id and\/or password (are|is) invalid|invalid user id,? or you typed the wrong password|invalid signon time|not authorized for this time period/i;

function saysDenied(words: string, { denied }: PeoplesoftSettings['success']): boolean {
  return denied !== undefined && new RegExp(denied).test(words);
}

/**
 * True for the sign-on page, or the way to it, in place of an answer to a request that had a login with it. The header tells
 * in any language; PeopleSoft's own pages go by it.
 */
function isSignon({ status, headers }: HttpAnswer): boolean {
  if (headers['respondingwithsignonpage'] !== undefined) return true;
  return status >= 300 && status < 400 && /[?&]cmd=login\b/i.test(headers['location'] ?? '');
}

/** The `transactionid` header, by which the Service Operations Monitor finds a request. */
function transaction({ headers }: HttpAnswer): string {
  return headers['transactionid'] ? ` (transaction ${headers['transactionid']})` : '';
}

type Body = {
  kind: 'fine' | 'page' | 'error' | 'broken';
  words: string | null;
  /** A fault that the request is to blame for. */
  sender?: boolean;
  /** It is about who asks. */
  login?: boolean;
  /** What was done although something was said about it. */
  warning?: string | null;
};

function readBody(answer: HttpAnswer, rule: PeoplesoftSettings['success'], asked: Asked): Body {
  const body = formOf(answer, rule, asked);
  if (body.kind !== 'page')
    return body.kind === 'error' && saysDenied(body.words ?? '', rule) ? aboutLogin(body) : body;
  // its words are cut, and the sentence that counts may stand anywhere in it
  const text = plainText(answer.text);
  return refusedLogin.test(text) || saysDenied(text, rule) ? aboutLogin(body) : body;
}

const aboutLogin = (body: Body): Body => ({ ...body, login: true });

function formOf({ text, headers }: HttpAnswer, rule: PeoplesoftSettings['success'], { xml = false }: Asked): Body {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  const errorKeys = new Set(rule.errorKeys.map((key) => key.toLowerCase()));
  if (trimmed === '') return xml ? { kind: 'broken', words: 'an empty answer' } : { kind: 'fine', words: null };
  if (trimmed.startsWith('<')) {
    const html = /^text\/html/i.test(headers['content-type'] ?? '') && !/<(?:[\w.-]+:)?Envelope[\s>]/.test(trimmed);
    if (html || /<html[\s>]/i.test(trimmed.slice(0, 1000))) return { kind: 'page', words: plain(trimmed) };
    const tree = readXml(trimmed);
    if (tree === null) return { kind: 'broken', words: `XML that is not whole, or brings a DTD: ${plain(trimmed)}` };
    const errors = xmlError(tree, errorKeys);
    return errors ?? { kind: 'fine', words: plain(trimmed), warning: warningIn(tree) };
  }
  let json: unknown;
  try {
    json = JSON.parse(trimmed);
  } catch {
    if (/^[{[]/.test(trimmed)) return { kind: 'broken', words: `JSON that is not whole: ${plain(trimmed)}` };
    const expected = rule.text !== undefined && new RegExp(rule.text).test(trimmed) && !refusedLogin.test(trimmed);
    return { kind: expected ? 'fine' : 'page', words: plain(trimmed) };
  }
  const words = errorIn(json, errorKeys);
  if (words !== null) return { kind: 'error', words };
  if (xml) return { kind: 'broken', words: `JSON, not XML: ${plain(trimmed)}` };
  return { kind: 'fine', words: plain(trimmed), warning: warningIn(json) };
}

/**
 * The error that an XML answer holds: IBResponse of the gateway, SOAP Fault, a component interface's Error-Warning, the
 * `notification` 0 and the `transaction` of type Error of the SOAP-to-CI service, or what is an error in JSON as well.
 */
function xmlError(tree: unknown, errorKeys: ReadonlySet<string>): Body | null {
  for (const response of named(tree, 'ibresponse')) {
    const status = textIn(response, 'statuscode');
    if (!/^error$/i.test(String(response['@type'] ?? '')) && (status === null || status === '0')) continue;
    const [set, id] = [textIn(response, 'messageset'), textIn(response, 'messageid')];
    const number = set && id ? ` (${set},${id})` : '';
    return { kind: 'error', words: `${textIn(response, 'defaultmessage') ?? 'IBResponse error'}${number}` };
  }
  for (const fault of named(tree, 'fault')) {
    const words = textIn(fault, 'faultstring') ?? textIn(fault, 'text') ?? 'SOAP Fault';
    const code = textIn(fault, 'faultcode') ?? textIn(fault, 'value') ?? '';
    // the codes of WS-Security: FailedAuthentication, InvalidSecurityToken, FailedCheck and the like
    const login = /(^|:)(FailedAuthentication|\w*SecurityToken\w*|FailedCheck|InvalidSecurity)$/i.test(code);
    return { kind: 'error', words, login, sender: /(^|:)(Client|Sender)\b/i.test(code) };
  }
  const failed = ofType(tree, /^error$/i);
  if (failed.length > 0) return { kind: 'error', words: wordsIn(failed) };
  if (textIn(tree, 'notification') === '0') {
    const said = wordsIn(tree);
    return { kind: 'error', words: said.startsWith('{') ? 'the component interface refused' : said };
  }
  const words = errorIn(tree, errorKeys);
  return words === null ? null : { kind: 'error', words };
}

/** What a component interface says beside having done it. */
function warningIn(tree: unknown): string | null {
  const warned = ofType(tree, /^warning$/i);
  return warned.length === 0 ? null : `warning: ${wordsIn(warned)}`;
}

type Node = Record<string, unknown>;

/** All objects in a tree, the outer before the inner. */
function* nodes(tree: unknown): Generator<Node> {
  if (tree === null || typeof tree !== 'object') return;
  if (!Array.isArray(tree)) yield tree as Node;
  for (const inner of Object.values(tree)) yield* nodes(inner);
}

/** Elements of this name, in lower case, that hold something. */
function* named(tree: unknown, name: string): Generator<Node> {
  for (const node of nodes(tree))
    for (const [key, value] of Object.entries(node))
      if (key.toLowerCase() === name)
        for (const one of Array.isArray(value) ? value : [value])
          if (one !== null && typeof one === 'object') yield one as Node;
          else yield { '#text': one };
}

/** The text of the first element of this name. */
function textIn(tree: unknown, name: string): string | null {
  for (const node of named(tree, name)) {
    const text = shorten(String(node['#text'] ?? Object.values(node).find((one) => typeof one === 'string') ?? ''));
    if (text !== '') return text;
  }
  return null;
}

/** Messages whose `type` says so. */
function ofType(tree: unknown, type: RegExp): Node[] {
  return [...nodes(tree)].filter((node) =>
    Object.entries(node).some(([key, value]) => key.toLowerCase() === 'type' && type.test(String(value).trim())),
  );
}

/**
 * The words of the first error in an answer; null when it holds none. Keys of errors, and messages that are errors by
 * their type or severity, count however deep they lie. That all of it failed is said at the top, or in the one object around:
 * deeper down a status is that of a course or of a person. Handlers of a site's own answer so, with 200.
 */
function errorIn(value: unknown, errorKeys: ReadonlySet<string>, depth = 0): string | null {
  if (value === null || typeof value !== 'object') return null;
  const entries = Object.entries(value);
  const field = (name: string) => entries.find(([key]) => key.toLowerCase() === name)?.[1];
  for (const [key, inner] of entries)
    if (!Array.isArray(value) && errorKeys.has(key.toLowerCase()) && holdsSomething(inner)) return wordsIn(inner);
  if (['type', 'severity'].some((name) => isWord(field(name), /^error$/i))) return wordsIn(value);
  if (depth < 2 && (isWord(field('status'), /^(error|fail|failed|failure)$/i) || isWord(field('success'), /^false$/i)))
    return wordsIn(value);
  for (const [, inner] of entries) {
    const words = errorIn(inner, errorKeys, depth + 1);
    if (words !== null) return words;
  }
  const notification = field('notification');
  return notification === 0 || notification === '0' ? wordsIn(value) : null;
}

function isWord(value: unknown, word: RegExp): boolean {
  return (typeof value === 'string' || typeof value === 'boolean') && word.test(String(value).trim());
}

/**
 * True for what an error key holds when there is one. Handlers write the element or key always: empty, of the code 0, with OK
 * or with warnings only where all is well. A code 0 with other words is an error: to take one for success would lose it.
 */
function holdsSomething(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsSomething);
  if (value !== null && typeof value === 'object')
    return !isWarning(value) && Object.values(value).some(holdsSomething);
  return Boolean(value) && !/^(0*|false|no?|none|ok|success(ful)?)$/i.test(String(value).trim());
}

function isWarning(entry: unknown): boolean {
  return ofType([entry], /^warning$/i).includes(entry as Node);
}

/** The message texts inside a value where it has some, else the value as it is. */
function wordsIn(value: unknown): string {
  const texts: string[] = [];
  const collect = (part: unknown): void => {
    if (part === null || typeof part !== 'object') return;
    for (const [key, inner] of Object.entries(part))
      if (typeof inner === 'string' && /^(message|message_?text|text|detail|description|defaultmessage)$/i.test(key))
        texts.push(inner);
      else collect(inner);
  };
  collect(value);
  if (texts.length > 0) return shorten(texts.join('; '));
  return shorten(typeof value === 'string' ? value : JSON.stringify(value));
}

function plain(text: string): string {
  return shorten(plainText(text));
}

function plainText(text: string): string {
  return decode(withoutScripts(text).replace(/<[^<>]*>/g, ' ')).replace(/\s+/g, ' ');
}

/** Without scripts and styles, in one pass: a pattern that looks for each end takes minutes for a page of beginnings. */
function withoutScripts(text: string): string {
  const marks = /<(\/?)(script|style)\b/gi;
  let seen = '';
  let from = 0;
  let inside = '';
  for (const { 1: closes, 2: name, index } of text.matchAll(marks)) {
    const tag = name!.toLowerCase();
    if (!inside && !closes) {
      seen += `${text.slice(from, index)} `;
      inside = tag;
    } else if (closes && tag === inside) inside = '';
    else continue;
    from = index;
  }
  return seen + text.slice(from);
}

/** So many characters of an answer's words are kept. */
const mostWords = 300;
/** What is looked for in words may stand behind those that are kept. */
const shorten = (text: string): string => excerpt(text, 20_000);

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

function decode(text: string): string {
  return text
    .replace(/&(lt|gt|quot|apos|nbsp);/g, (_, name: string) => entities[name]!)
    .replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi, (whole, hex: string | undefined, decimal: string | undefined) => {
      const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    })
    .replace(/&amp;/g, '&');
}
