import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { Path, Problem } from './problems.ts';

/** A YAML file that still knows where everything stands. */
export interface YamlFile {
  value: unknown;
  /** Problems of YAML itself. When there are any, `value` is not to be trusted. */
  problems: readonly Problem[];
  /**
   * Where a person has to look. `key`: at the key, `value`: at its value. For what is not there: at the key of the
   * nearest thing around it that is there.
   */
  place(path: Path, part: 'key' | 'value'): { line: number; column: number };
}

/** Parses one document. Anchors, aliases and merge keys (`<<`) work; a key that is given twice is a problem. */
export function readYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const lineColumn = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = [];
  for (const error of [...document.errors, ...document.warnings]) {
    const place = lineColumn(error.pos[0]);
    // What follows on the same line is nearly always the same mistake, told again.
    if (problems.some(({ line }) => line === place.line)) continue;
    problems.push({ ...place, path: '', ...explain(error, text) });
  }
  let value: unknown = null;
  try {
    if (problems.length === 0)
      for (const { offset, ...problem } of lookThrough(document))
        problems.push({ ...lineColumn(offset), path: '', ...problem });
    if (problems.length === 0) value = document.toJS();
  } catch (error) {
    const { message } = error as Error;
    const told = error instanceof RangeError ? tooDeep : { message, remedy: 'write out what the aliases stand for' };
    problems.push({ line: 1, column: 1, path: '', ...told });
  }
  return { value, problems, place: (path, part) => lineColumn(offsetOf(document, path, part)) };
}

/**
 * Finds aliases without an anchor, which the parser leaves for later without a place; and gives back their text to
 * keys that look like something else and to codes that look like numbers: the department `010` is not the number 10.
 */
function lookThrough(document: Document): { offset: number; message: string; remedy: string | null }[] {
  const found: { offset: number; message: string; remedy: string | null }[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined)
        found.push({
          offset: alias.range?.[0] ?? 0,
          message: 'an alias whose anchor does not stand before it',
          remedy: quoteStars,
        });
    },
    Scalar(part, scalar) {
      if (scalar.source === undefined || typeof scalar.value === 'symbol') return;
      const code = typeof scalar.value === 'number' && /^[-+]?0\d/.test(scalar.source);
      if (code || (part === 'key' && typeof scalar.value !== 'string')) scalar.value = scalar.source;
    },
  });
  return found;
}

/** As far as the parser, or we, get in it. */
const tooDeep = { message: 'lists or maps are nested too deep to be read', remedy: 'ten levels are more than enough' };

const quoteStars = "text that starts with * stands in quotes: '*/15 * * * *'";

/** The parser's words, where they need no knowledge of YAML; ours elsewhere. Never the text of a value. */
function explain(error: YAMLError, text: string): { message: string; remedy: string | null } {
  switch (error.code) {
    case 'DUPLICATE_KEY': {
      const key = /^["']?([^\s:"']*)/.exec(text.slice(error.pos[0], error.pos[0] + 100))?.[1];
      return { message: `the key ${key} is given twice`, remedy: 'keep one of the two' };
    }
    case 'RESOURCE_EXHAUSTION':
      return tooDeep;
    case 'MULTIPLE_DOCS':
      return { message: 'a second YAML document starts here', remedy: 'remove the line ---' };
    case 'TAG_RESOLVE_FAILED':
      return { message: 'a YAML tag that means nothing here', remedy: 'text that starts with ! stands in quotes' };
    case 'BAD_ALIAS':
      return { message: 'an alias without a name', remedy: quoteStars };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        message: 'a second ": " in one line',
        remedy: 'text with a colon and a space stands in quotes, and a nested key on its own line',
      };
    default:
      return {
        message: error.message.replace(/: ".*"$/su, ''),
        remedy: error.message.includes('alias') ? quoteStars : null,
      };
  }
}

interface Found {
  key: Node | null;
  value: Node | null;
}

function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  for (let length = path.length; length > 0; length -= 1) {
    const found = find(document, path.slice(0, length));
    if (found === null) continue;
    const wanted = length === path.length ? part : 'key';
    const empty = found.value === null || (isScalar(found.value) && !found.value.source && found.value.value === null);
    const node = (wanted === 'key' || empty ? found.key : found.value) ?? found.value;
    if (node?.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function find(document: Document, path: Path): Found | null {
  let found: Found | null = { key: null, value: document.contents };
  for (const part of path) {
    const node = resolved(document, found.value);
    if (isMap(node)) found = inMap(document, node, String(part));
    else if (isSeq(node) && typeof part === 'number' && part < node.items.length)
      found = { key: null, value: node.items[part] as Node };
    else return null;
    if (found === null) return null;
  }
  return found;
}

function resolved(document: Document, node: Node | null): Node | null | undefined {
  return isAlias(node) ? node.resolve(document) : node;
}

/** A key of the map's own, or else of a map merged into it. */
function inMap(document: Document, map: YAMLMap, key: string): Found | null {
  const pairs = map.items as Pair<Node, Node | null>[];
  for (const pair of pairs) if (isScalar(pair.key) && String(pair.key.value) === key) return pair;
  for (const pair of pairs) {
    if (!isScalar(pair.key) || typeof pair.key.value !== 'symbol') continue;
    const merged = resolved(document, pair.value);
    for (const item of isSeq(merged) ? merged.items : [merged]) {
      const source = resolved(document, item as Node);
      const found = isMap(source) ? inMap(document, source, key) : null;
      if (found !== null) return found;
    }
  }
  return null;
}
