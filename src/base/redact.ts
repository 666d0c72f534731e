/**
 * What no log line and no error text may show: secrets, and what tells who somebody is. The sink of the log and
 * `messageOf` pass every text through `scrub`; whoever knows more of a text (the people of a batch, the cell of a row)
 * takes that out where the text is made.
 */

/** Secrets that are remembered; a rotated one is read anew, so that the oldest are of no use to anybody; ten forms of each count. */
const mostKnown = 2_000;
const known = new Set<string>();
let pattern: RegExp | null = null;

/** A secret was read: from now on no text shows it, whole, encoded for a URL, in JSON, or inside of a Basic header. */
export function hideSecret(value: string): void {
  // read for every request; one that was forgotten in favour of others is remembered again
  if (known.has(value)) return;
  for (const one of formsOf(value)) known.add(one);
  while (known.size > mostKnown) known.delete(known.values().next().value!);
  pattern = null;
}

function formsOf(value: string): string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.length >= 20);
  const form = new URLSearchParams({ '': value }).toString().slice(1);
  const forms = [value, encodeURIComponent(value), form, JSON.stringify(value).slice(1, -1), ...lines];
  // Base64 of a longer text has these characters in it, whichever of three places the secret begins at.
  const bytes = Buffer.from(value);
  if (bytes.length >= 6)
    for (const before of [0, 1, 2]) {
      const whole = Buffer.concat([Buffer.alloc(before), bytes])
        .toString('base64')
        .replace(/=+$/, '');
      const own = whole.slice(before === 0 ? 0 : before + 1, (before + bytes.length) % 3 === 0 ? undefined : -1);
      forms.push(own, own.replaceAll('+', '-').replaceAll('/', '_'));
    }
  return forms.filter((one) => one.trim() !== '');
}

/** The longest first: one secret may be the beginning of another. A short one counts as a word of its own only. */
function secrets(): RegExp | null {
  if (pattern !== null || known.size === 0) return pattern;
  const all = [...known].sort((a, b) => b.length - a.length);
  const parts = all.map((one) => (one.length < 6 ? `(?<![\\w])${RegExp.escape(one)}(?![\\w])` : RegExp.escape(one)));
  pattern = new RegExp(parts.join('|'), 'gu');
  return pattern;
}

/** User and password of a URL, also a user alone; the scheme stays. */
const urlLogin = /\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#@"'<>]*@/gi;
/** `Authorization` as servers echo it. */
const authorization = /\b(Bearer|Basic)\s+(?=[a-z]*[\d.~+/=_-])[\w.~+/=-]{8,}/gi;
const letter = String.raw`[^\s@"'\x60<>()[\]{},;:=\\/]`;
const host = String.raw`(?:@|%40)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`;
/**
 * Begins with a word only, so that a long one is gone through once and not from each of its letters. What hangs on to an
 * address (`ann@a.edu|bob@b.edu`) begins no word, and goes with it.
 */
const email = new RegExp(`(?<!${letter})${letter}+${host}(?:${letter}*${host})*`, 'giu');

/** A text without secrets and e-mail addresses. */
export function scrub(text: string): string {
  const all = secrets();
  const open = all ? text.replace(all, '[secret]') : text;
  return open.replace(urlLogin, '$1').replace(authorization, '$1 [secret]').replace(email, '[e-mail]');
}

/**
 * The beginning of what another side said, however much that is, without secrets and e-mail addresses: about `atLeast`
 * characters of it, and fewer where much was hidden. Half a secret would be known by nobody, so that what stands at the
 * cut goes as well.
 */
export function scrubBeginning(text: string, atLeast: number): string {
  const half = Math.max(addressAtMost, longestKnown());
  const most = atLeast + 2 * half;
  if (text.length <= most) return scrub(text);
  const left = scrub(text.slice(0, most));
  return `${left.slice(0, Math.max(0, left.length - half))}…`;
}

/** An address, or the login in a URL, is not longer. */
const addressAtMost = 2_000;

function longestKnown(): number {
  let longest = 0;
  for (const { length } of known) longest = Math.max(longest, length);
  return longest;
}

/**
 * What another side said, for a message: on one line, without secrets, and not longer than so many characters. Secrets go
 * before it is cut: half of one would be known by nobody.
 */
export function excerpt(text: string, longest = 200): string {
  const line = scrubBeginning(text, longest)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

/**
 * The words of an error that nobody here wrote: the runtime and packages quote what they stumbled over, which may be
 * somebody's row. Whatever is quoted goes, and long numbers go with it.
 */
export function scrubStranger(text: string): string {
  return withoutCurly(scrub(text).replace(/(["'`])[\s\S]*\1/g, '$1…$1')).replace(/\d{5,}/g, '[number]');
}

/** From the first mark that opens to the last that closes; a pattern would look for the last from each that opens. */
function withoutCurly(text: string): string {
  const from = text.search(/[“‘]/);
  const to = Math.max(text.lastIndexOf('”'), text.lastIndexOf('’'));
  return from >= 0 && to > from ? `${text.slice(0, from)}“…”${text.slice(to + 1)}` : text;
}

/**
 * A text without the values given, which it may quote as they are, in another case, or encoded for a URL, in JSON or in
 * HTML. A value counts as a whole word only; one letter is nobody. Where the text was cut, the beginning of a value at its
 * end is taken out as well.
 */
export function without(text: string, values: Iterable<string>): string {
  const forms = [...new Set(values)].filter((value) => value.length > 1).flatMap(quotedForms);
  let left = text;
  let folded = text.toLowerCase();
  for (const form of forms) {
    if (!folded.includes(form.toLowerCase())) continue;
    left = left.replace(new RegExp(`(?<![\\p{L}\\p{N}])${RegExp.escape(form)}(?![\\p{L}\\p{N}])`, 'giu'), '[…]');
    folded = left.toLowerCase();
  }
  return withoutTail(left, forms);
}

/** At each mark of a cut and at the end: looks at the last beginnings of words, the furthest first. */
function withoutTail(text: string, forms: readonly string[]): string {
  const folded = forms.map((form) => form.toLowerCase());
  return text
    .split('…')
    .map((part) => {
      const from = Math.max(0, part.length - 100);
      for (const { index } of part.slice(from).matchAll(/(?<![\p{L}\p{N}])[\p{L}\p{N}+]/gu)) {
        const tail = part.slice(from + index).toLowerCase();
        if (tail.length < 3) break;
        if (folded.some((form) => form.startsWith(tail))) return `${part.slice(0, from + index)}[…]`;
      }
      return part;
    })
    .join('…');
}

function quotedForms(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const ascii = json.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const url = encodeURIComponent(value);
  const html = value.replaceAll('&', '&amp;');
  const quotes = ['&#39;', '&#x27;', '&apos;', '%27'].map((mark) => html.replaceAll("'", mark));
  return [...new Set([value, url, url.replaceAll('%20', '+'), json, ascii, html, ...quotes])];
}
