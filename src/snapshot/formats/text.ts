/** Plain text handling under the field rules: what is trimmed, collapsed and refused, the same for every field. */

/** True for Unicode white space. JavaScript's own `\s` lacks U+0085 (next line), which mainframe exports contain. */
function isWhite(code: number): boolean {
  if (code < 0x80) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  return code === 0x85 || /\s/u.test(String.fromCharCode(code));
}

/**
 * True when `text` is printable ASCII with single spaces inside, and so is its own tidy form. Nearly every cell of
 * real data is, and this loop costs a fraction of normalising and replacing.
 */
export function isPlain(text: string): boolean {
  let before = 0x20;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || (code === 0x20 && before === 0x20)) return false;
    before = code;
  }
  return before !== 0x20 || text.length === 0;
}

/** Without white space at both ends. A loop, because a `\s+$` pattern takes quadratic time on hostile cells. */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhite(text.charCodeAt(start))) start += 1;
  while (end > start && isWhite(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** Trimmed and in Unicode form NFC; white space inside stays as it is. */
export function tidy(text: string): string {
  return isPlain(text) ? text : trimmed(text.normalize('NFC'));
}

/**
 * Tidy and in lower case. Lower case can leave NFC (U+1FBA U+0345 becomes two characters that NFC writes as one), and a
 * value that is another on its second way through would be a change that nobody made, at every snapshot.
 */
export function lowered(text: string): string {
  return tidy(tidy(text).toLowerCase());
}

/** Tidy, and every run of white space inside is one space. */
export function collapsed(text: string): string {
  return isPlain(text) ? text : trimmed(text.normalize('NFC').replace(/[\s\u0085]+/gu, ' '));
}

/** A value for people to read: quoted, escaped, not longer than a few words. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 24 ? `${text.slice(0, 23)}…` : text);
}

/**
 * A reason without the values that `shown` put into it, for whoever is not meant to see rows: a row whose cells have moved
 * has a name or an address anywhere. How long it is still tells a slip of the keyboard from a shifted column.
 */
export function withoutShown(reason: string): string {
  return reason.replace(/"(?:[^"\\]|\\.)*"/g, (quoted) => {
    const length = (JSON.parse(quoted) as string).length;
    return `a text of ${length} ${length === 1 ? 'character' : 'characters'}`;
  });
}

const control = /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f]/u;
const lineControl = /[\t\n\v\f\r\u0085]/u;

/**
 * Why a tidy text cannot be taken, or null. Damage counts: U+FFFD stands where a file was read in the wrong encoding,
 * and half a surrogate pair cannot be written as UTF-8, so neither may replace a good name.
 */
export function damage(text: string, allow: 'line breaks' | 'one line' = 'one line'): string | null {
  if (isPlain(text)) return null;
  if (control.test(text)) return 'contains a control character';
  if (allow === 'one line' && lineControl.test(text)) return 'contains a tab or a line break';
  if (text.includes('\ufffd') || !text.isWellFormed()) return 'contains a damaged character (wrong encoding?)';
  return null;
}
