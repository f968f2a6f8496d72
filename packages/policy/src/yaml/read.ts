import {
  Composer,
  CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type ParsedNode,
  type Scalar,
} from 'yaml';
import { limits } from './limits.ts';
import type { MapEntry, YamlNode } from './node.ts';

/** Where reading reports what it finds; `offset` is in UTF-16 units. */
export type ReportYaml = (offset: number, message: string) => void;
/** Applied to the text of every scalar value (not to keys): templating. The value stands at `offset` up to `end`. */
export type Replace = (text: string, offset: number, end: number) => string;

/**
 * Reads untrusted YAML 1.2 (one document). Everything is bounded before it is expanded: tokens before parsing, depth
 * before composing, nodes while aliases are followed. Returns `undefined` after reporting where nothing usable is left.
 */
export function readYaml(text: string, report: ReportYaml, replace?: Replace): YamlNode | undefined {
  if (text.length > limits.textBytes) {
    report(0, `at most ${limits.textBytes} bytes expected, ${text.length} found`);
    return undefined;
  }
  const tokens = parseTokens(text, report);
  if (!tokens) return undefined;
  const documents = [
    ...new Composer({
      version: '1.2',
      schema: 'failsafe',
      uniqueKeys: false,
      prettyErrors: false,
      keepSourceTokens: true,
      logLevel: 'silent',
    }).compose(tokens, true, text.length),
  ];
  const document = documents[0];
  if (!document) {
    report(0, 'a session expected, an empty text found');
    return undefined;
  }
  if (documents.length > 1) {
    report(documents[1]?.range[0] ?? 0, 'one YAML document expected, more found');
    return undefined;
  }
  for (const error of document.errors) report(error.pos[0], `YAML: ${error.message}`);
  if (document.errors.length > 0) return undefined;
  if (document.contents === null) {
    report(0, 'a session expected, an empty text found');
    return undefined;
  }
  return new Conversion(report, replace).convert(document.contents);
}

function parseTokens(text: string, report: ReportYaml): CST.Token[] | undefined {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > limits.tokens) {
      report(0, `at most ${limits.tokens} YAML tokens expected, more found`);
      return undefined;
    }
    tokens.push(...parser.next(lexeme));
  }
  tokens.push(...parser.end());
  const deep = firstTooDeep(tokens);
  if (deep !== undefined) {
    report(deep, `at most ${limits.depth} lists and maps inside each other expected, more found`);
    return undefined;
  }
  return tokens;
}

/** Offset of the first collection nested too deeply. Iterative, since the text may nest to any depth. */
function firstTooDeep(tokens: readonly CST.Token[]): number | undefined {
  const work: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({
    token,
    depth: 0,
  }));
  for (let next = work.pop(); next; next = work.pop()) {
    const { token, depth } = next;
    if (depth > limits.depth) return token.offset;
    if (token.type === 'document') {
      if (token.value) work.push({ token: token.value, depth });
    } else if ('items' in token) {
      for (const item of token.items) {
        if (item.key) work.push({ token: item.key, depth: depth + 1 });
        if (item.value) work.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

/** Refused by {@link Conversion}; the problem is already reported. */
class Stop extends Error {}

class Conversion {
  readonly #report: ReportYaml;
  readonly #replace: Replace | undefined;
  readonly #anchors = new Map<string, { readonly node: YamlNode | undefined; readonly size: number }>();
  #nodes = 0;

  constructor(report: ReportYaml, replace: Replace | undefined) {
    this.#report = report;
    this.#replace = replace;
  }

  convert(node: ParsedNode): YamlNode | undefined {
    try {
      return this.#node(node);
    } catch (error) {
      if (error instanceof Stop) return undefined;
      throw error;
    }
  }

  #stop(offset: number, message: string): never {
    this.#report(offset, message);
    throw new Stop();
  }

  #count(size: number, offset: number): void {
    this.#nodes += size;
    if (this.#nodes > limits.nodes) {
      this.#stop(offset, `at most ${limits.nodes} YAML nodes expected after following aliases, more found`);
    }
  }

  #node(node: ParsedNode): YamlNode {
    const offset = node.range[0];
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target)
        return this.#stop(offset, `an anchor &${node.source} before this alias expected, none found`);
      if (!target.node)
        return this.#stop(offset, `an alias to something else expected, one to its own parent found`);
      this.#count(target.size, offset);
      return target.node;
    }
    const before = this.#nodes;
    this.#count(1, offset);
    const anchor = node.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, { node: undefined, size: 0 });
    const read = this.#content(node, offset);
    if (anchor !== undefined) this.#anchors.set(anchor, { node: read, size: this.#nodes - before });
    return read;
  }

  #content(node: Exclude<ParsedNode, { source: string; type: 'ALIAS' }>, offset: number): YamlNode {
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#node(item));
      return { type: 'list', offset, items, tag: this.#tag(node.tag, 'seq') };
    }
    if (isMap(node)) {
      const seen = new Set<string>();
      const entries: MapEntry[] = [];
      for (const pair of node.items) {
        const entry = this.#entry(pair.key, pair.value, offset);
        if (seen.has(entry.key))
          this.#report(entry.keyOffset, `each key once expected, ${show(entry.key)} found again`);
        else entries.push(entry);
        seen.add(entry.key);
      }
      return { type: 'map', offset, entries, tag: this.#tag(node.tag, 'map') };
    }
    if (!isScalar(node)) return this.#stop(offset, 'a scalar, list or map expected, something else found');
    const plain = node.type === 'PLAIN' || node.type === undefined || node.type === null;
    const written = this.#text(node, offset);
    const text = this.#replace ? this.#replace(written, offset, node.range[1]) : written;
    const tag = this.#tag(node.tag, 'str');
    // What a variable brought in is always a string: a value `~` must not make a key count as absent.
    return { type: 'scalar', offset, text, plain: plain && node.tag === undefined && text === written, tag };
  }

  #entry(key: ParsedNode, value: ParsedNode | null, mapOffset: number): MapEntry {
    const keyOffset = key?.range[0] ?? mapOffset;
    if (!isScalar(key)) return this.#stop(keyOffset, 'a string as key expected, a list, map or alias found');
    this.#count(1, keyOffset);
    const read: YamlNode =
      value === null
        ? { type: 'scalar', offset: keyOffset, text: '', plain: true, tag: undefined }
        : this.#node(value);
    return { key: this.#text(key, keyOffset), keyOffset, value: read };
  }

  /** An escape can write half a surrogate pair, which no UTF-8 and no canonical JSON expresses. */
  #text(node: Scalar.Parsed | Scalar, offset: number): string {
    const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
    return text.isWellFormed()
      ? text
      : this.#stop(offset, 'Unicode text expected, half a surrogate pair found');
  }

  /** The explicit tag, if it is not the one that the node has anyway. */
  #tag(tag: string | undefined, kind: 'seq' | 'map' | 'str'): string | undefined {
    return tag === undefined || tag === `tag:yaml.org,2002:${kind}` ? undefined : tag;
  }
}

function show(key: string): string {
  return JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key);
}
