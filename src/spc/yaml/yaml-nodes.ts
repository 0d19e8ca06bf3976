/**
 * Puts the tokens of a YAML stream together into documents, by the grammar of libyaml. Called by attempt.ts and
 * stream.ts. Refuses tokens in the wrong place, directives of other versions, and nesting beyond a limit.
 */

import { type Mark, YamlProblem } from './yaml-source.ts';
import type { Token, TokenKind, TokenOptions } from './yaml-token.ts';
import { Tokens } from './yaml-tokens.ts';

/** A value of a document as it is written; lines are counted from 0. */
export type YamlNode = ScalarNode | ListNode | MapNode | AliasNode;

interface Placed {
  readonly line: number;
  /** Offset of its first character; anchor and tag are before it. */
  readonly start: number;
  /** Offset behind its last character. */
  readonly end: number;
  /** Empty if there is none. */
  readonly anchor: string;
}

/** A scalar; one that is not written at all is plain and empty. */
export interface ScalarNode extends Placed {
  readonly kind: 'scalar';
  readonly text: string;
  readonly style: Token['style'];
  /** Written out, such as `tag:yaml.org,2002:str`; empty if there is none. */
  readonly tag: string;
}

/** A sequence. */
export interface ListNode extends Placed {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
}

/** A mapping. */
export interface MapNode extends Placed {
  readonly kind: 'map';
  readonly pairs: readonly (readonly [YamlNode, YamlNode])[];
}

/** A reference to an anchor. */
export interface AliasNode extends Placed {
  readonly kind: 'alias';
  readonly name: string;
}

/** One document, and the line on which it begins. */
export interface YamlDocument {
  readonly line: number;
  readonly root: YamlNode;
}

const TAGS_ALWAYS: readonly (readonly [string, string])[] = [
  ['!', '!'],
  ['!!', 'tag:yaml.org,2002:'],
];
const END_OF_VALUE: ReadonlySet<TokenKind> = new Set(['key', 'value', 'block end']);
const END_OF_DOCUMENT: ReadonlySet<TokenKind> = new Set([
  'version directive',
  'tag directive',
  'document start',
  'document end',
  'stream end',
]);

/** The place of a value. */
interface Context {
  /** Outside of brackets. */
  readonly block: boolean;
  /** A list may begin in the column of the key before it. */
  readonly indentless: boolean;
  readonly depth: number;
}

/** Reads documents of a stream, each when the caller needs it; an error is a {@link YamlProblem}. */
export class DocumentReader {
  readonly #tokens: Tokens;
  readonly #maxDepth: number;
  #tags = new Map(TAGS_ALWAYS);
  #first = true;
  /** Places of the brackets that are open. */
  readonly #brackets: Mark[] = [];

  constructor(text: string, { maxDepth, ...options }: TokenOptions & { readonly maxDepth: number }) {
    this.#tokens = new Tokens(text, options);
    this.#maxDepth = maxDepth;
  }

  /** Returns the next document, or undefined at the end. */
  next(): YamlDocument | undefined {
    const tokens = this.#tokens;
    const line = this.nextLine();
    if (line === undefined) return undefined;
    const implicit = this.#first;
    this.#first = false;
    const { kind } = tokens.peek();
    this.#tags = new Map(TAGS_ALWAYS);
    const bare = implicit && (kind === 'document end' || !END_OF_DOCUMENT.has(kind));
    if (!bare) {
      this.#readDirectives();
      const start = tokens.takeIf('document start');
      if (start === undefined) throw new YamlProblem(tokens.peek().mark, 'did not find expected <document start>');
    }
    const empty = !bare && END_OF_DOCUMENT.has(tokens.peek().kind);
    const root = empty ? this.#empty() : this.#node({ block: true, indentless: false, depth: 0 });
    tokens.takeIf('document end');
    return { line, root };
  }

  /** Returns the line on which the next document begins, or undefined at the end. */
  nextLine(): number | undefined {
    const tokens = this.#tokens;
    if (!this.#first) while (tokens.takeIf('document end') !== undefined);
    const { kind, mark } = tokens.peek();
    return kind === 'stream end' ? undefined : mark.line;
  }

  #readDirectives(): void {
    const seen = new Set<string>();
    for (;;) {
      const token = this.#tokens.takeIf('version directive') ?? this.#tokens.takeIf('tag directive');
      if (token === undefined) return;
      const name = token.kind === 'version directive' ? '%YAML' : token.handle;
      this.#readDirective(token, seen.has(name));
      seen.add(name);
    }
  }

  #readDirective({ kind, text, handle, mark }: Token, isSeen: boolean): void {
    if (kind === 'version directive') {
      if (isSeen) throw new YamlProblem(mark, 'found duplicate %YAML directive');
      if (text !== '1.1') throw new YamlProblem(mark, 'found incompatible YAML document');
    } else {
      if (isSeen) throw new YamlProblem(mark, 'found duplicate %TAG directive');
      this.#tags.set(handle, text);
    }
  }

  /** Returns a value that is not written; its place is behind the last token. */
  #empty(line = this.#tokens.peek().mark.line, tag = '', anchor = ''): ScalarNode {
    const { end } = this.#tokens;
    return { kind: 'scalar', line, start: end, end, anchor, text: '', style: 'plain', tag };
  }

  #node({ block, indentless, depth }: Context): YamlNode {
    const tokens = this.#tokens;
    const first = tokens.peek().mark;
    if (depth > this.#maxDepth) throw new YamlProblem(first, `it nests deeper than ${this.#maxDepth}`);
    const alias = tokens.takeIf('alias');
    if (alias !== undefined)
      return { kind: 'alias', line: first.line, start: first.index, end: alias.end, anchor: '', name: alias.text };
    const { anchor, tag } = this.#properties();
    const { kind, mark, end, text, style } = tokens.peek();
    const place = { line: mark.line, start: mark.index, anchor };
    if (kind === 'scalar') {
      tokens.take();
      return { kind, ...place, end, text, style, tag: tag ?? '' };
    }
    const collection = this.#collection(kind, { block, indentless, depth });
    if (collection !== undefined) return { ...collection, ...place, end: tokens.end };
    if (anchor !== '' || tag !== undefined) return this.#empty(first.line, tag, anchor);
    throw new YamlProblem(this.#blame(), 'did not find expected node content');
  }

  /** Reads the list or map that begins with a token of this kind, if one does. */
  #collection(
    kind: TokenKind,
    { block, indentless, depth }: Context,
  ): Pick<ListNode, 'kind' | 'items'> | Pick<MapNode, 'kind' | 'pairs'> | undefined {
    if (indentless && kind === '-') return { kind: 'list', items: this.#indentlessItems(depth) };
    if (kind === '[') return { kind: 'list', items: this.#flowItems(depth) };
    if (kind === '{') return { kind: 'map', pairs: this.#flowPairs(depth) };
    if (block && kind === 'block sequence start') return { kind: 'list', items: this.#blockItems(depth) };
    if (block && kind === 'block mapping start') return { kind: 'map', pairs: this.#blockPairs(depth) };
    return undefined;
  }

  /** Anchor and tag of a value, in either order. */
  #properties(): { readonly anchor: string; readonly tag: string | undefined } {
    const tokens = this.#tokens;
    const before = tokens.takeIf('anchor');
    const tag = tokens.takeIf('tag');
    const anchor = before ?? (tag === undefined ? undefined : tokens.takeIf('anchor'));
    return { anchor: anchor?.text ?? '', tag: tag && this.#tagOf(tag) };
  }

  #tagOf({ handle, text, mark }: Token): string {
    if (handle === '') return text;
    const prefix = this.#tags.get(handle);
    if (prefix === undefined) throw new YamlProblem(mark, 'found undefined tag handle');
    return prefix + text;
  }

  /** Reads the value behind a sign; the value is empty if a token of `ends` comes next. */
  #behind({ mark }: Token, ends: ReadonlySet<TokenKind>, how: Context): YamlNode {
    const nothing = ends.has(this.#tokens.peek().kind);
    return nothing ? this.#empty(mark.line) : this.#node({ ...how, depth: how.depth + 1 });
  }

  /** Reads key and value after the sign of a key. */
  #pair(sign: Token, ends: ReadonlySet<TokenKind>, how: Context): readonly [YamlNode, YamlNode] {
    const key = this.#behind(sign, new Set([...ends, 'value']), how);
    const colon = this.#tokens.takeIf('value');
    return [key, colon === undefined ? this.#empty(key.line) : this.#behind(colon, ends, how)];
  }

  #blockItems(depth: number): YamlNode[] {
    const tokens = this.#tokens;
    const start = tokens.take().mark;
    const items = this.#items(new Set(['-', 'block end']), depth);
    if (tokens.takeIf('block end') === undefined)
      throw new YamlProblem(this.#blame(start), "did not find expected '-' indicator");
    return items;
  }

  #indentlessItems(depth: number): YamlNode[] {
    return this.#items(new Set(['-', ...END_OF_VALUE]), depth);
  }

  #items(ends: ReadonlySet<TokenKind>, depth: number): YamlNode[] {
    const items: YamlNode[] = [];
    for (let sign = this.#tokens.takeIf('-'); sign !== undefined; sign = this.#tokens.takeIf('-'))
      items.push(this.#behind(sign, ends, { block: true, indentless: false, depth }));
    return items;
  }

  #blockPairs(depth: number): (readonly [YamlNode, YamlNode])[] {
    const tokens = this.#tokens;
    const start = tokens.take().mark;
    const pairs: (readonly [YamlNode, YamlNode])[] = [];
    for (let sign = tokens.takeIf('key'); sign !== undefined; sign = tokens.takeIf('key'))
      pairs.push(this.#pair(sign, END_OF_VALUE, { block: true, indentless: true, depth }));
    if (tokens.takeIf('block end') === undefined) throw this.#noKey(start);
    return pairs;
  }

  /** Returns the error for a text that is not a key. If a quote ended before it, that quote is likely the mistake. */
  #noKey(start: Mark): YamlProblem {
    const place = this.#blame(start);
    const quote = this.#tokens.quoteEndingOn(place.line);
    if (quote === undefined) return new YamlProblem(place, 'did not find expected key');
    return new YamlProblem(
      quote,
      'did not find expected key; the quote that opens here is closed on a later line, before other text',
    );
  }

  #flowItems(depth: number): YamlNode[] {
    const how: Context = { block: false, indentless: false, depth };
    return this.#inBrackets(']', () => {
      const sign = this.#tokens.takeIf('key');
      if (sign === undefined) return this.#node({ ...how, depth: depth + 1 });
      const { line, index } = sign.mark;
      const pairs = [this.#pair(sign, new Set([',', ']']), how)];
      return { kind: 'map', line, start: index, end: this.#tokens.end, anchor: '', pairs };
    });
  }

  #flowPairs(depth: number): (readonly [YamlNode, YamlNode])[] {
    const how: Context = { block: false, indentless: false, depth };
    return this.#inBrackets('}', () => {
      const sign = this.#tokens.takeIf('key');
      if (sign !== undefined) return this.#pair(sign, new Set([',', '}']), how);
      const key = this.#node({ ...how, depth: depth + 1 });
      return [key, this.#empty(key.line)] as const;
    });
  }

  /** Calls `read` for each entry up to the closing bracket, and returns the results. */
  #inBrackets<T>(close: ']' | '}', read: () => T): T[] {
    const tokens = this.#tokens;
    this.#brackets.push(tokens.take().mark);
    const entries: T[] = [];
    while (tokens.takeIf(close) === undefined) {
      if (entries.length > 0 && tokens.takeIf(',') === undefined)
        throw new YamlProblem(this.#blame(), `did not find expected ',' or '${close}'`);
      if (tokens.takeIf(close) !== undefined) break;
      entries.push(read());
    }
    this.#brackets.pop();
    return entries;
  }

  /**
   * Returns the place of a token that is not allowed; at the end of the text, the place of the open bracket or block.
   */
  #blame(start?: Mark): Mark {
    const { kind, mark } = this.#tokens.peek();
    return kind === 'stream end' ? (this.#brackets.at(-1) ?? start ?? mark) : mark;
  }
}
