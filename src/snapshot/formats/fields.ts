import { collapsed, damage, lowered, shown, tidy } from './text.ts';

/**
 * The rules of every canonical field, whatever source and format it came from. A rule gives the canonical value or an
 * `Unreadable`. Rules are idempotent: a canonical value goes through its rule unchanged. Reasons reach logs, so they
 * never show an e-mail, a name, an id or a number; year and kind are shown.
 */
export class Unreadable {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Longest e-mail that a mail server takes (RFC 5321: a path of 256 octets less its brackets). */
const longestEmail = 254;
const longestId = 255;
const longestPersonName = 200;
const longestCourseName = 300;
const longestAttribute = 2000;

/** Faculty, department or course: never blank, on one line. */
export function readCourseName(field: 'faculty' | 'department' | 'course', raw: string): string | Unreadable {
  const text = collapsed(raw);
  if (text === '') return new Unreadable(`${field} is blank`);
  return sound(field, text, longestCourseName);
}

/** First or last name; blank is possible here, because people with one name exist. The row needs one of the two. */
export function readPersonName(field: 'firstName' | 'lastName', raw: string): string | Unreadable {
  return sound(field, collapsed(raw), longestPersonName);
}

/** Why something that stands where an address should is none. */
export const noAddress = 'email is not an address';

/** Why a row without an address is none; `advice`: what to do about it, where its format knows. */
export function blankEmail(advice?: string): string {
  return advice === undefined ? 'email is blank' : `email is blank: ${advice}`;
}

/** The e-mail address, in lower case. */
export function readEmail(raw: string): string | Unreadable {
  const text = lowered(raw);
  if (text === '') return new Unreadable(blankEmail());
  if (text.length > longestEmail) return new Unreadable(`email is longer than ${longestEmail} characters`);
  return isAddress(text) ? text : new Unreadable(noAddress);
}

/** The institution's id, letter case kept: `AB1` and `ab1` may be two people. */
export function readId(raw: string): string | null | Unreadable {
  const text = tidy(raw);
  return text === '' ? null : sound('id', text, longestId);
}

/** A number that this roster issued, carried back by the source. */
export function readNumber(raw: string): string | null | Unreadable {
  const text = tidy(raw);
  if (text === '') return null;
  if (text.length === 10 && /^95[01]\d{7}$/.test(text)) return text;
  return new Unreadable('number is not ten digits that start with 950 or 951');
}

/** Year of study. Only the digits themselves: `1.0` or `first` says that a column is not what the map takes it for. */
export function readYear(raw: string): number | null | Unreadable {
  const text = tidy(raw);
  if (text === '') return null;
  const digit = text.charCodeAt(0) - 0x30;
  if (text.length === 1 && digit >= 0 && digit <= 7) return digit;
  return new Unreadable(`year is ${shown(text)}: a whole number from 0 to 7, or blank`);
}

/** Student unless it says otherwise. */
export function readKind(raw: string): 'student' | 'staff' | Unreadable {
  const text = tidy(raw);
  const lower = text.toLowerCase();
  if (lower === '' || lower === 'student') return 'student';
  return lower === 'staff' ? 'staff' : new Unreadable(`kind is ${shown(text)}: student or staff, or blank for student`);
}

/** What stays when an id is renamed: GUIDs and the like, in lower case. */
export function readAlias(raw: string): string | null | Unreadable {
  const text = lowered(raw);
  return text === '' ? null : sound('alias', text, longestId);
}

/** Whether the row is a reason for an account; yes unless it says otherwise. */
export function readProvision(raw: string): boolean | Unreadable {
  const text = tidy(raw);
  const lower = text.toLowerCase();
  if (lower === '' || lower === 'yes' || lower === 'true') return true;
  if (lower === 'no' || lower === 'false') return false;
  return new Unreadable(`provision is ${shown(text)}: yes or no, or blank for yes`);
}

/** An attribute; null when blank. Line breaks stay, because postal addresses have them. */
export function readAttribute(name: string, raw: string): string | null | Unreadable {
  const text = tidy(raw);
  return text === '' ? null : sound(name, text, longestAttribute, 'line breaks');
}

function sound(field: string, text: string, longest: number, allow?: 'line breaks'): string | Unreadable {
  if (text.length > longest) return new Unreadable(`${field} is longer than ${longest} characters`);
  const reason = damage(text, allow);
  return reason === null ? text : new Unreadable(`${field} ${reason}`);
}

/**
 * The shape `something@something.something`. Local parts belong to their mail server, so only what can hide or split
 * an address is refused there: white space, invisible characters, and the marks of lists and display names.
 */
function isAddress(text: string): boolean {
  const sign = text.indexOf('@');
  if (sign < 1 || sign > 64 || text.indexOf('@', sign + 1) !== -1) return false;
  let labelStart = sign + 1;
  let dots = 0;
  for (let index = sign + 1; index <= text.length; index += 1) {
    const code = index === text.length ? 0x2e : text.charCodeAt(index);
    if (code === 0x2e) {
      if (index === labelStart || text.charCodeAt(labelStart) === 0x2d || text.charCodeAt(index - 1) === 0x2d)
        return false;
      if (index < text.length) dots += 1;
      labelStart = index + 1;
    } else if (code < 0x80 && !isHostCharacter(code)) return false;
  }
  return dots > 0 && !unsafeInAddress.test(text);
}

const unsafeInAddress = /[\s\p{Cc}\p{Cf}\p{Cs}\p{Z}\ufffd"(),:;<>[\\\]]/u;

function isHostCharacter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2d;
}
