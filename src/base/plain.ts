/**
 * Text of others, fit to be looked at: what a terminal would obey, and what would turn the order of letters around, is
 * shown as `\u{1b}`. Who names a file or fills a cell must not write on the screen of whoever approves it.
 */

const obeyed = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** A text without what a terminal obeys, but for line ends and tabs. */
export function plain(text: string): string {
  return text.replace(obeyed, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/** The same on one line: for a name, which has no line ends that anybody meant. */
export function plainLine(text: string): string {
  return plain(text).replace(/[\n\t]/g, (char) => (char === '\n' ? '\\u{a}' : '\\u{9}'));
}

/** JSON that means the same, without what a terminal obeys. */
export function plainJson(json: string): string {
  return json.replace(obeyed, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}
