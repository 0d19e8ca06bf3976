/**
 * Turns a YAML text into tokens, as libyaml does: indentation becomes starts and ends of blocks. Called by
 * yaml-nodes.ts. Refuses characters that no token begins with.
 */

import { SimpleKeys } from './yaml-keys.ts';
import { readBlock, readPlain, readQuoted } from './yaml-scalars.ts';
import { isBreak, isSpaceOrEnd, isWordChar, type Mark, YamlProblem, YamlSource } from './yaml-source.ts';
import { readDirective, readTag } from './yaml-tags.ts';
import type { Token, TokenKind, TokenOptions } from './yaml-token.ts';

/** Characters that begin neither a token nor a plain scalar. */
const NEVER_PLAIN = new Set([...'|>%@`\t']);
const AFTER_NAME = new Set([...'?:,]}%@`']);

/** The tokens of a text, one by one. */
export class Tokens {
  readonly #source: YamlSource;
  readonly #options: TokenOptions;
  /** Tokens that are read beyond the one that is asked for. */
  readonly #lookahead: number;
  readonly #queue: Token[] = [];
  #taken = 0;
  #end = 0;
  #ended = false;
  #indent = -1;
  readonly #indents: number[] = [];
  #keyAllowed = true;
  readonly #keys = new SimpleKeys();
  /** Where the quotes begin that go over several lines, by the line on which they end. */
  readonly #longQuotes = new Map<number, Mark>();

  constructor(text: string, options: TokenOptions) {
    this.#source = new YamlSource(text);
    this.#options = options;
    this.#lookahead = options.reader === 'provider' ? 2 : 0;
  }

  /** Returns the next token without consuming it. */
  peek(): Token {
    this.#fill();
    const [token] = this.#queue;
    if (token === undefined) throw new YamlProblem(this.#source, 'found unexpected end of stream');
    return token;
  }

  /** Takes the next token. */
  take(): Token {
    const token = this.peek();
    this.#queue.shift();
    this.#taken++;
    if (token.kind !== 'block end') this.#end = token.end;
    return token;
  }

  /** Offset behind the last token taken; the end of a block is no character. */
  get end(): number {
    return this.#end;
  }

  /** Returns the place at which a quote begins that ends on this line. */
  quoteEndingOn(line: number): Mark | undefined {
    return this.#longQuotes.get(line);
  }

  /** Takes the next token if it is of that kind. */
  takeIf(kind: TokenKind): Token | undefined {
    return this.peek().kind === kind ? this.take() : undefined;
  }

  #fill(): void {
    while (!this.#ended && (this.#queue.length <= this.#lookahead || this.#keys.mayBegin(this.#taken, this.#source)))
      this.#fetch();
  }

  #fetch(): void {
    this.#skipToToken();
    const source = this.#source;
    if (!this.#inFlow) this.#unroll(source.column);
    if (source.atEnd) this.#fetchEnd();
    else if (source.column === 0 && source.peek() === '%') this.#fetchDirective();
    else if (source.atDocumentMark()) this.#fetchDocumentMark();
    else this.#fetchInDocument(source.peek(), isSpaceOrEnd(source.peek(1)));
  }

  /** `spaced`: a space, a line break or the end follows the character. */
  #fetchInDocument(char: string, spaced: boolean): void {
    if (this.#fetchSign(char)) return;
    if ((char === '|' || char === '>') && !this.#inFlow) this.#fetchBlockScalar();
    else if (char === '-' && spaced) this.#fetchBlockEntry();
    else if (char === '?' && (this.#inFlow || spaced)) this.#fetchKey();
    else if (char === ':' && (this.#inFlow || spaced)) this.#fetchValue();
    else if (NEVER_PLAIN.has(char)) throw new YamlProblem(this.#source, 'found character that cannot start any token');
    else this.#fetchPlain();
  }

  /** Fetches the token of a character that begins one token only; false for any other character. */
  #fetchSign(char: string): boolean {
    if (char === '[' || char === '{') this.#fetchFlowStart(char);
    else if (char === ']' || char === '}') this.#fetchFlowEnd(char);
    else if (char === ',') this.#fetchFlowEntry();
    else if (char === '*') this.#fetchName('alias');
    else if (char === '&') this.#fetchName('anchor');
    else if (char === '!') this.#fetchTag();
    else if (char === '"' || char === "'") this.#fetchQuoted();
    else return false;
    return true;
  }

  get #inFlow(): boolean {
    return this.#keys.depth > 0;
  }

  #skipToToken(): void {
    const source = this.#source;
    for (;;) {
      while (source.peek() === ' ' || (source.peek() === '\t' && (this.#inFlow || !this.#keyAllowed))) source.skip();
      if (source.peek() === '#') source.skipComments(this.#options.reader === 'provider');
      if (!isBreak(source.peek())) return;
      source.readBreak();
      if (!this.#inFlow) this.#keyAllowed = true;
    }
  }

  #push(kind: TokenKind, mark: Mark, more: Partial<Token> = {}): void {
    this.#queue.push({ kind, mark, end: this.#source.index, text: '', handle: '', style: 'plain', ...more });
  }

  /** Puts a token in front of one that is in the queue. */
  #insert(kind: TokenKind, mark: Mark, before: number): void {
    this.#queue.splice(before - this.#taken, 0, { kind, mark, end: mark.index, text: '', handle: '', style: 'plain' });
  }

  /** Begins a block collection if the token here is indented further than the last one. */
  #roll(
    kind: 'block sequence start' | 'block mapping start',
    mark: Mark,
    before = this.#taken + this.#queue.length,
  ): void {
    if (this.#inFlow || this.#indent >= mark.column) return;
    this.#indents.push(this.#indent);
    this.#indent = mark.column;
    this.#insert(kind, mark, before);
  }

  /** Ends the block collections that are indented further than a column. */
  #unroll(column: number): void {
    while (this.#indent > column) {
      this.#push('block end', this.#source.mark);
      this.#indent = this.#indents.pop() ?? -1;
    }
  }

  /** Remembers that the token that begins here may turn out to be a key. */
  #saveKey(): void {
    if (!this.#keyAllowed) return;
    const { mark } = this.#source;
    const required = !this.#inFlow && this.#indent === mark.column;
    this.#keys.save({ mark, token: this.#taken + this.#queue.length, required });
  }

  #fetchEnd(): void {
    this.#source.endLine();
    this.#indentZero();
    this.#push('stream end', this.#source.mark);
    this.#ended = true;
  }

  /** Ends all open blocks: a directive, a document mark or the end of the text begins at the margin. */
  #indentZero(): void {
    if (!this.#inFlow) this.#unroll(-1);
    this.#keys.remove();
    this.#keyAllowed = false;
  }

  #fetchDirective(): void {
    this.#indentZero();
    const { mark } = this.#source;
    const { kind, text, handle } = readDirective(this.#source);
    this.#push(kind, mark, { text, handle });
  }

  #fetchDocumentMark(): void {
    this.#indentZero();
    const { mark } = this.#source;
    const kind = this.#source.peek() === '-' ? 'document start' : 'document end';
    this.#source.skip(3);
    this.#push(kind, mark);
  }

  #fetchFlowStart(kind: '[' | '{'): void {
    this.#saveKey();
    this.#keys.open();
    this.#keyAllowed = true;
    this.#pushSign(kind);
  }

  #fetchFlowEnd(kind: ']' | '}'): void {
    this.#keys.remove();
    this.#keys.close();
    this.#keyAllowed = false;
    this.#pushSign(kind);
  }

  #fetchFlowEntry(): void {
    this.#keys.remove();
    this.#keyAllowed = true;
    this.#pushSign(',');
  }

  #fetchBlockEntry(): void {
    if (!this.#inFlow) {
      this.#needKeyAllowed('block sequence entries are not allowed in this context');
      this.#roll('block sequence start', this.#source.mark);
    }
    this.#keys.remove();
    this.#keyAllowed = true;
    this.#pushSign('-');
  }

  #fetchKey(): void {
    if (!this.#inFlow) {
      this.#needKeyAllowed('mapping keys are not allowed in this context');
      this.#roll('block mapping start', this.#source.mark);
    }
    this.#keys.remove();
    this.#keyAllowed = !this.#inFlow;
    this.#pushSign('key');
  }

  #fetchValue(): void {
    const key = this.#keys.take(this.#source);
    if (key !== undefined) {
      this.#insert('key', key.mark, key.token);
      this.#roll('block mapping start', key.mark, key.token);
      this.#keyAllowed = false;
    } else {
      if (!this.#inFlow) {
        this.#needKeyAllowed('mapping values are not allowed in this context');
        this.#roll('block mapping start', this.#source.mark);
      }
      this.#keyAllowed = !this.#inFlow;
    }
    this.#pushSign('value');
  }

  #needKeyAllowed(otherwise: string): void {
    if (!this.#keyAllowed) throw new YamlProblem(this.#source, otherwise);
  }

  #pushSign(kind: TokenKind): void {
    const { mark } = this.#source;
    this.#source.skip();
    this.#push(kind, mark);
  }

  #fetchName(kind: 'alias' | 'anchor'): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const source = this.#source;
    const { mark } = source;
    source.skip();
    while (isWordChar(source.peek())) source.skip();
    const text = source.text.slice(mark.index + 1, source.index);
    if (text === '' || !(isSpaceOrEnd(source.peek()) || AFTER_NAME.has(source.peek())))
      throw new YamlProblem(mark, 'did not find expected alphabetic or numeric character');
    this.#push(kind, mark, { text });
  }

  #fetchTag(): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const { mark } = this.#source;
    this.#push('tag', mark, readTag(this.#source));
  }

  #fetchBlockScalar(): void {
    this.#keys.remove();
    this.#keyAllowed = true;
    const { mark } = this.#source;
    this.#push('scalar', mark, { ...readBlock(this.#source, this.#indent), style: 'block' });
  }

  #fetchQuoted(): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const { mark } = this.#source;
    this.#push('scalar', mark, { text: readQuoted(this.#source, this.#options.json), style: 'quoted' });
    if (this.#source.line > mark.line) this.#longQuotes.set(this.#source.line, mark);
  }

  #fetchPlain(): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const { mark } = this.#source;
    const { text, end, endsLine } = readPlain(this.#source, this.#indent + 1, this.#inFlow);
    if (endsLine) this.#keyAllowed = true;
    this.#push('scalar', mark, { text, end });
  }
}
