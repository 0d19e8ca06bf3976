/**
 * Holds the text of a YAML stream and the scanner's place in it: offset, line and column. Called by the scanner and its
 * parts. Refuses characters that YAML does not allow.
 */

/** A place in a text; lines and columns are counted from 0. */
export interface Mark {
  readonly index: number;
  readonly line: number;
  readonly column: number;
}

/**
 * The error of a text that cannot be read: the reason in the words of Go's reader, and its line and offset (from 0).
 */
export class YamlProblem extends Error {
  readonly line: number;
  readonly offset: number;

  constructor({ line, index }: Pick<Mark, 'line' | 'index'>, message: string) {
    super(message);
    this.line = line;
    this.offset = index;
  }
}

const BREAKS = new Set(['\n', '\r', '\u0085', '\u2028', '\u2029']);
const FORBIDDEN = /[^\t\n\r\x20-\x7e\x85\xa0-\ufffd]/;
const LOWEST_BREAK_BEYOND_ASCII = 0x85;
/** Characters between two comments over which the second is found. */
const MAX_BETWEEN_COMMENTS = 512;

/** Returns true for a space or a tab. */
export function isBlank(char: string): boolean {
  return char === ' ' || char === '\t';
}

/** Returns true for a line break of YAML 1.1: CR, LF, NEL, LS or PS. */
export function isBreak(char: string): boolean {
  return BREAKS.has(char);
}

/** Returns true for a line break, or for the end of the text, which is the empty string. */
export function isBreakOrEnd(char: string): boolean {
  return char === '' || BREAKS.has(char);
}

/** Returns true for a blank, a line break or the end. */
export function isSpaceOrEnd(char: string): boolean {
  return isBlank(char) || isBreakOrEnd(char);
}

/** Returns true for a character that names of anchors, handles and directives may have. */
export function isWordChar(char: string): boolean {
  return /^[-0-9A-Za-z_]$/.test(char);
}

/** A text, and the place of the scanner in it. */
export class YamlSource {
  readonly text: string;
  #index = 0;
  #line = 0;
  #column = 0;

  constructor(text: string) {
    // Half a surrogate pair is not a character.
    this.text = Buffer.from(text).toString();
    if (this.text.startsWith('\uFEFF')) this.#index = 1;
    const forbidden = FORBIDDEN.exec(this.text.replace(/[\u{10000}-\u{10ffff}]/gu, '  '));
    if (forbidden !== null) {
      const before = this.text.slice(0, forbidden.index).replaceAll('\r\n', '\n');
      const line = before.split(/[\n\r\u0085\u2028\u2029]/).length - 1;
      throw new YamlProblem({ line, index: forbidden.index }, 'control characters are not allowed');
    }
  }

  get mark(): Mark {
    return { index: this.#index, line: this.#line, column: this.#column };
  }

  get index(): number {
    return this.#index;
  }

  get line(): number {
    return this.#line;
  }

  get column(): number {
    return this.#column;
  }

  get atEnd(): boolean {
    return this.#index >= this.text.length;
  }

  /** Returns the character `ahead` places after the current one, or an empty text beyond the end. */
  peek(ahead = 0): string {
    return this.text.charAt(this.#index + ahead);
  }

  /** Goes over characters that are no line breaks. */
  skip(count = 1): void {
    this.#index += count;
    this.#column += count;
  }

  /** Reads a character that is not a line break. */
  read(): string {
    const char = this.peek();
    this.skip();
    return char;
  }

  /** Reads the characters up to the first that ends a line or the text. */
  readRest(): string {
    const start = this.#index;
    while (!isBreakOrEnd(this.peek())) this.skip();
    return this.text.slice(start, this.#index);
  }

  /** Goes over spaces and tabs. */
  skipBlanks(): void {
    while (isBlank(this.peek())) this.skip();
  }

  /** Reads a line break: all but LS and PS become a line feed. */
  readBreak(): string {
    const char = this.peek();
    this.#index += char === '\r' && this.peek(1) === '\n' ? 2 : 1;
    this.#line++;
    this.#column = 0;
    return char.charCodeAt(0) > LOWEST_BREAK_BEYOND_ASCII ? char : '\n';
  }

  /** True at a line that begins with `---` or `...`, followed by a blank, a line break or the end. */
  atDocumentMark(): boolean {
    if (this.#column !== 0) return false;
    const word = this.text.slice(this.#index, this.#index + 3);
    return (word === '---' || word === '...') && isSpaceOrEnd(this.peek(3));
  }

  /** Ends the line. The end of the text counts as a separate line. */
  endLine(): void {
    if (this.#column === 0) return;
    this.#column = 0;
    this.#line++;
  }

  /**
   * Goes over a comment; with `tabs`, and if it ends no line of something else, over those below it, tabs before them.
   */
  skipComments(tabs: boolean): void {
    const ownLine = tabs && this.#startsLine();
    this.readRest();
    for (let next = this.#toNextComment(); ownLine && next !== undefined; next = this.#toNextComment()) {
      const end = this.#index + next;
      while (this.#index < end) {
        if (isBreak(this.peek())) this.readBreak();
        else this.skip();
      }
      this.readRest();
    }
  }

  #startsLine(): boolean {
    let before = this.#index - 1;
    while (isBlank(this.text.charAt(before))) before--;
    if (this.text.slice(before - 2, before + 1) === '---') before -= 3;
    return before < 0 || isBreak(this.text.charAt(before));
  }

  /** Characters up to the next comment if there is nothing but blank before it. */
  #toNextComment(): number | undefined {
    let ahead = 0;
    while (ahead < MAX_BETWEEN_COMMENTS && this.peek(ahead) !== '' && isSpaceOrEnd(this.peek(ahead))) ahead++;
    return this.peek(ahead) === '#' ? ahead : undefined;
  }
}
