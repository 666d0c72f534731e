import { scrub } from '../../src/base/redact.ts';
import type { HttpAnswer } from '../../src/connector/http.ts';
import type { PeoplesoftSettings } from './schema.ts';

/**
 * What an answer means. The status alone does not tell: a component interface that refuses answers 200 up to PeopleTools
 * 8.58 and 400 from 8.59 on (Oracle document 3012909.1), the gateway puts errors into a 200, and a session that is not
 * logged in can get a page instead of a 401. So the body is read always.
 */
export type Verdict =
  | { meaning: 'done'; words: string }
  | { meaning: 'refused'; words: string }
  | { meaning: 'later'; words: string }
  /** Credentials, or a page in place of an answer. */
  | { meaning: 'denied'; words: string }
  /** There is no such operation. */
  | { meaning: 'missing'; words: string };

/** Reads an answer by the site's rule for success. */
export function judge(answer: HttpAnswer, rule: PeoplesoftSettings['success']): Verdict {
  const { status } = answer;
  const said = (words: string | null) => `HTTP ${status}${words ? `: ${words}` : ''}${transaction(answer)}`;
  const body = readBody(answer, rule);
  if (status >= 300 && rule.status.includes(status)) return { meaning: 'done', words: said(body.words) };
  if (status === 401 || status === 403 || (status >= 300 && status < 400))
    return { meaning: 'denied', words: said(answer.headers['location'] ?? body.words) };
  if (status === 404) return { meaning: 'missing', words: said(body.words) };
  // By SOAP 1.1 every fault has status 500, and says itself whether the request or the server is to blame.
  if (body.kind === 'error' && body.sender) return { meaning: 'refused', words: said(body.words) };
  if (status >= 500 || status === 408 || status === 429) return { meaning: 'later', words: said(body.words) };
  if (body.kind === 'page' && status < 300)
    return { meaning: 'denied', words: said(`a page, not an answer: ${body.words}`) };
  if (body.kind === 'error' || !rule.status.includes(status)) return { meaning: 'refused', words: said(body.words) };
  return { meaning: 'done', words: said(null) };
}

/** The `transactionid` header, by which the Service Operations Monitor finds a request. */
function transaction({ headers }: HttpAnswer): string {
  return headers['transactionid'] ? ` (transaction ${headers['transactionid']})` : '';
}

type Body = { kind: 'fine' | 'page' | 'error'; words: string | null; sender?: boolean };

function readBody({ text, headers }: HttpAnswer, rule: PeoplesoftSettings['success']): Body {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  if (trimmed === '') return { kind: 'fine', words: null };
  if (trimmed.startsWith('<')) {
    const html = /^text\/html/i.test(headers['content-type'] ?? '') || /<html[\s>]/i.test(trimmed.slice(0, 1000));
    if (html) return { kind: 'page', words: plain(trimmed) };
    return xmlError(trimmed) ?? { kind: 'fine', words: plain(trimmed) };
  }
  let json: unknown;
  try {
    json = JSON.parse(trimmed);
  } catch {
    const expected = rule.text !== undefined && new RegExp(rule.text).test(trimmed);
    return { kind: expected ? 'fine' : 'page', words: plain(trimmed) };
  }
  const words = jsonError(json, new Set(rule.errorKeys.map((key) => key.toLowerCase())));
  return words === null ? { kind: 'fine', words: plain(trimmed) } : { kind: 'error', words };
}

/**
 * The error that an XML answer holds: IBResponse of the gateway, SOAP Fault, a component interface's Error-Warning, or
 * the `notification` 0 of the SOAP-to-CI service. Four flat shapes, so that expressions do; anything else is no error.
 */
function xmlError(xml: string): Body | null {
  const source = xml.replace(/<!--[\s\S]*?-->/g, '');
  if (/<IBResponse\b[^>]*\btype\s*=\s*["']error["']/i.test(source)) {
    const [set, id] = [element(source, 'MessageSet'), element(source, 'MessageID')];
    const number = set && id ? ` (${set},${id})` : '';
    return { kind: 'error', words: `${element(source, 'DefaultMessage') ?? 'IBResponse error'}${number}` };
  }
  if (/<(?:[\w.-]+:)?Fault[\s>]/.test(source)) {
    const words = element(source, 'faultstring') ?? element(source, 'Text') ?? 'SOAP Fault';
    const code = element(source, 'faultcode') ?? element(source, 'Value') ?? '';
    return { kind: 'error', words, sender: /(^|:)(Client|Sender)\b/i.test(code) };
  }
  const failed = element(source, 'notification') === '0';
  if (failed || /<type>\s*Error\s*<\/type>/i.test(source))
    return { kind: 'error', words: element(source, 'MessageText') ?? 'the component interface refused' };
  return null;
}

/** Text of the first element of this local name, whatever its prefix and case; null when there is none. */
function element(xml: string, name: string): string | null {
  const found = new RegExp(`<(?:[\\w.-]+:)?${name}(?:\\s[^>]*)?>([\\s\\S]*?)</(?:[\\w.-]+:)?${name}\\s*>`, 'i').exec(
    xml,
  );
  const text = found?.[1]?.replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, '$1').replace(/<[^>]*>/g, ' ');
  return text === undefined || text.trim() === '' ? null : shorten(decode(text));
}

/** The words of the first error in a JSON answer, however deep; null when it holds none. */
function jsonError(value: unknown, errorKeys: ReadonlySet<string>): string | null {
  if (value === null || typeof value !== 'object') return null;
  const entries = Object.entries(value);
  const field = (name: string) => entries.find(([key]) => key.toLowerCase() === name)?.[1];
  for (const [key, inner] of entries)
    if (!Array.isArray(value) && errorKeys.has(key.toLowerCase()) && holdsSomething(inner)) return wordsIn(inner);
  if (String(field('type')).toLowerCase() === 'error') return wordsIn(value);
  for (const [, inner] of entries) {
    const words = jsonError(inner, errorKeys);
    if (words !== null) return words;
  }
  const notification = field('notification');
  return notification === 0 || notification === '0' ? wordsIn(value) : null;
}

function holdsSomething(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value !== null && typeof value === 'object') return Object.keys(value).length > 0;
  return Boolean(value) && !['0', 'false', 'n', 'no', 'none'].includes(String(value).trim().toLowerCase());
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
  const visible = text.replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ');
  return shorten(decode(visible));
}

function shorten(text: string): string {
  // before it is cut: half a secret would be known by nobody
  const line = scrub(text).replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

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
