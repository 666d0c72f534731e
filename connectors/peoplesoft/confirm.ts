import type { HttpAnswer } from '../../src/connector/http.ts';
import { judge, type Verdict } from './answer.ts';
import type { PeoplesoftSettings } from './schema.ts';
import type { Confirm } from './shapes.ts';
import { fillBody, type Template, type Values } from './template.ts';
import { readXml } from './xml.ts';

/** What a read-back shows: the state, something else, or that nobody may look. */
export interface Look {
  shows: 'state' | 'other' | 'nothing';
  words: string;
  verdict: Verdict;
}

/**
 * Reads the answer of a read-back. Whatever is not the answer that was expected, an error, an empty one, one in which the
 * place is missing, never shows a state: also not that something is absent.
 */
export function lookAt(
  answer: HttpAnswer,
  confirm: Confirm,
  values: Values,
  rule: PeoplesoftSettings['success'],
): Look {
  const verdict = judge(answer, rule, { xml: confirm.read.shape === 'ci-soap' });
  if (verdict.meaning === 'denied') return { shows: 'nothing', words: verdict.words, verdict };
  return { ...shownBy(answer, verdict, confirm, values), verdict };
}

function shownBy(
  answer: HttpAnswer,
  verdict: Verdict,
  confirm: Confirm,
  values: Values,
): Pick<Look, 'shows' | 'words'> {
  if (verdict.meaning !== 'done') return { shows: 'other', words: `the read-back says ${verdict.words}` };
  const tree = treeOf(answer.text);
  const keys = confirm.at.slice(1).split('/').map(unescaped);
  // in XML an empty list leaves nothing behind, so that what it would be in has to do
  const isXml = answer.text.trim().startsWith('<');
  const place = keys.slice(0, keys.at(-1) === '*' && isXml ? -2 : -1);
  // any answer at all lacks what is looked for at its top
  if (confirm.absent && place.length === 0)
    return {
      shows: 'other',
      words: 'the read-back cannot show that something is absent: at names nothing that it is in',
    };
  if (tree === null || typeof tree !== 'object' || found(tree, place).length === 0)
    return { shows: 'other', words: `the read-back has no /${place.join('/')}` };
  const wanted = fillBody(confirm.is as Template, values);
  const there = found(tree, keys).some((one) => matches(one, wanted));
  if (there !== confirm.absent) return { shows: 'state', words: 'the read-back shows it' };
  return { shows: 'other', words: `the read-back ${there ? 'still shows it' : 'does not show it'}` };
}

function treeOf(text: string): unknown {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  if (trimmed.startsWith('<')) return readXml(trimmed);
  try {
    return JSON.parse(trimmed);
  } catch {
    return null;
  }
}

/** RFC 6901. */
function unescaped(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** What is at a pointer. `*` is any of a list; one thing is a list of one, because XML does not tell them apart. */
function found(tree: unknown, keys: readonly string[]): unknown[] {
  let all: unknown[] = [tree];
  for (const key of keys)
    all = all.flatMap((one): unknown[] => {
      if (key === '*') return Array.isArray(one) ? one : [one];
      if (one === null || typeof one !== 'object' || !Object.hasOwn(one, key)) return [];
      return [(one as Record<string, unknown>)[key]];
    });
  return all;
}

function matches(one: unknown, wanted: Template): boolean {
  if (wanted === null || typeof wanted !== 'object') return textOf(one) === textOf(wanted);
  if (one === null || typeof one !== 'object') return false;
  return Object.entries(wanted).every(([name, value]) => {
    const own = Object.hasOwn(one, name) ? (one as Record<string, unknown>)[name] : undefined;
    // a field that is not there is no field that is empty
    return own !== undefined && textOf(own) === textOf(value);
  });
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value).trim();
  const own = (value as Record<string, unknown>)['#text'];
  return own === undefined ? null : String(own).trim();
}
