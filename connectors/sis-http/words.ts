import { excerpt, scrubBeginning } from '../../src/base/redact.ts';

/** What a server says in an error body, fit for a message: short, and without anything that may be about a person. */

/** In the order in which they tell most. */
const names = ['imsx_description', 'error_description', 'message', 'detail', 'error', 'title', 'description', 'code'];

/**
 * Known shapes: OneRoster (`imsx_description`, also inside `imsx_StatusInfo`), OAuth 2, RFC 9457, a flat string, an
 * object under `error` or a list under `errors`. Empty when there is nothing to say.
 */
export function wordsOf(body: string): string {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    // pages of HTML are for browsers
    return /^\s*</.test(body) ? '' : tidied(body);
  }
  return tidied([...new Set(textsOf(json, 0))].join(', '));
}

function textsOf(json: unknown, depth: number): string[] {
  if (typeof json === 'string') return [json];
  if (json === null || typeof json !== 'object' || depth > 3) return [];
  if (Array.isArray(json)) return textsOf(json[0], depth + 1);
  const all = json as Record<string, unknown>;
  const inside = ['imsx_StatusInfo', 'error', 'errors'].flatMap((name) =>
    typeof all[name] === 'object' ? textsOf(all[name], depth + 1) : [],
  );
  const name = names.find((one) => typeof all[one] === 'string' && all[one] !== '');
  return [...(name === undefined ? [] : [all[name] as string]), ...minorOf(all), ...inside];
}

/** OneRoster's minor code: the field that says which parameter it was about. */
function minorOf(all: Record<string, unknown>): string[] {
  const minor = all['imsx_CodeMinor'] ?? all['imsx_codeMinor'];
  const fields = (minor as { imsx_codeMinorField?: unknown } | undefined)?.imsx_codeMinorField;
  if (!Array.isArray(fields)) return [];
  return fields.flatMap((field: { imsx_codeMinorFieldValue?: unknown }) =>
    typeof field?.imsx_codeMinorFieldValue === 'string' ? [field.imsx_codeMinorFieldValue] : [],
  );
}

/** Begins with a capital, and no sentence: nobody can tell a name from another word. */
const named = /(?<!^|[.!?]\s+|[\p{L}\p{N}'’])\p{Lu}[\p{L}\p{N}'’]*/gu;

/** So much is looked at: of what a message shows, most may be taken out. */
const enough = 2_000;

/**
 * Secrets, addresses, long numbers, what stands in quotes, and the queries of URLs go; so do words inside of a sentence
 * that begin with a capital, for a server that stumbles over a person may say whose name it is.
 */
function tidied(text: string): string {
  // the secrets first: what goes with the rest may be the beginning of one
  const plain = scrubBeginning(text, enough)
    .replace(/\?[^\s"']*/g, '?…')
    .replace(/(?<!\S)\S*@\S*/g, '…')
    // what was cut may end inside of quotes
    .replace(/"[^"]*(?:"|…$)|(?<!\w)'[^']*(?:'(?!\w)|…$)/g, '…')
    .replace(/(?<!\S)\S*\d{4,}\S*/g, '…')
    .replace(named, '…')
    .replace(/…(?:\s*…)+/g, '…');
  return excerpt(plain);
}
