/**
 * Reads the text of a template: the tags of Mustache, without its lookups, partials and code. Called by the reader of
 * `templates`. Refuses every tag that is not listed here, with its line.
 */

import { nearest, oneOf, quote } from '../base/words.ts';
import { languages } from './languages.ts';
import type { EntryPart, TemplateToken } from './model.ts';
import { FILTER_NAMES } from './template-filters.ts';

const MAX_BYTES = 32 * 1024;
const MAX_TAGS = 2000;
const MAX_DEPTH = 3;
const MAX_FILTERS = 4;
/** The library needs the square of it to look for the end of a tag. */
const MAX_BLANKS = 1000;
/** The section that is repeated for each object. */
const LOOP = 'objects';
const PARTS: readonly EntryPart[] = ['name', 'value', 'key'];

/** The marks around a tag. */
export type Delimiters = readonly [open: string, close: string];

/** A mistake in a template; `line` counts from 0. */
export interface TemplateProblem {
  readonly line: number;
  readonly message: string;
}

/** The tokens of a template and the references in it, or its mistakes. */
export type ReadTemplate =
  | { readonly ok: true; readonly tokens: readonly TemplateToken[]; readonly references: ReadonlyMap<string, number> }
  | { readonly ok: false; readonly problems: readonly TemplateProblem[] };

/** A token of the library: type, value, offsets of start and end, and for a section the tokens in it. */
type RawToken = readonly [type: string, value: string, start: number, end: number, tokens?: readonly RawToken[]];

/** Reads a template. `references` gives the line of each, from 0. Throws: LanguagesNeeded. */
export function readTemplate(text: string, delimiters: Delimiters): ReadTemplate {
  const refuse = (message: string, line = 0): ReadTemplate => ({ ok: false, problems: [{ line, message }] });
  if (Buffer.byteLength(text) > MAX_BYTES) return refuse(`is longer than ${MAX_BYTES} bytes`);
  if (new RegExp(`\\s{${MAX_BLANKS}}`).test(text)) return refuse(`holds ${MAX_BLANKS} blanks in a row`);
  const { parseTemplate } = languages();
  let raw: readonly RawToken[];
  try {
    raw = parseTemplate(text, delimiters);
  } catch (error) {
    const [, what = '', at] =
      /^(Unclosed tag|Unopened section|Unclosed section)\b.* at (\d+)$/s.exec(String((error as Error).message)) ?? [];
    return refuse(MISTAKES[what] ?? 'cannot be read', lineAt(text, Number(at ?? 0)));
  }
  const walk = new TokenReader(text);
  const tokens = walk.read(raw, { depth: 1, inLoop: false });
  const { problems, references } = walk;
  return problems.length > 0 ? { ok: false, problems } : { ok: true, tokens, references };
}

const MISTAKES: Readonly<Record<string, string>> = {
  'Unclosed tag': 'has a tag that is not closed',
  'Unopened section': 'closes a section that is not open',
  'Unclosed section': 'has a section that is not closed, or closed by another name',
};

interface Place {
  readonly depth: number;
  readonly inLoop: boolean;
}

class TokenReader {
  readonly problems: TemplateProblem[] = [];
  readonly references = new Map<string, number>();
  readonly #text: string;
  #tags = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(raw: readonly RawToken[], place: Place): readonly TemplateToken[] {
    return raw.flatMap((token) => this.#token(token, place) ?? []);
  }

  #token([type, value, start, , inner = []]: RawToken, place: Place): TemplateToken | undefined {
    if (type === 'text') return { kind: 'text', text: value };
    if (++this.#tags > MAX_TAGS) return this.#fail(start, `has more than ${MAX_TAGS} tags`);
    switch (type) {
      case '!':
        return undefined;
      case 'name':
      case '&':
        return this.#value(value, start, place);
      case '#':
      case '^':
        return this.#section({ name: value, not: type === '^', start, inner }, place);
      case '>':
        return this.#fail(start, 'includes another template, which is not possible here');
      default:
        return this.#fail(start, 'changes the marks of tags; set "delimiters" next to "template" instead');
    }
  }

  #section(
    { name, not, start, inner }: { name: string; not: boolean; start: number; inner: readonly RawToken[] },
    place: Place,
  ): TemplateToken | undefined {
    if (place.depth > MAX_DEPTH) return this.#fail(start, `has sections nested deeper than ${MAX_DEPTH}`);
    const within = { ...place, depth: place.depth + 1 };
    if (name !== LOOP) {
      this.#refer(name, start);
      return { kind: 'if', name, not, tokens: this.read(inner, within) };
    }
    if (not) return this.#fail(start, `has {{^${LOOP}}}; only {{#${LOOP}}} has a meaning`);
    if (place.inLoop) return this.#fail(start, `has {{#${LOOP}}} in {{#${LOOP}}}`);
    return { kind: 'loop', tokens: this.read(inner, { ...within, inLoop: true }) };
  }

  #value(text: string, start: number, { inLoop }: Place): TemplateToken | undefined {
    const [name = '', ...words] = text.split('|').map((part) => part.trim());
    if (words.length > MAX_FILTERS) return this.#fail(start, `has more than ${MAX_FILTERS} filters in one tag`);
    const filters = words.flatMap((word) => {
      const filter = FILTER_NAMES.find((known) => known === word);
      if (filter === undefined) this.#fail(start, unknownFilter(word));
      return filter ?? [];
    });
    const part = inLoop ? PARTS.find((known) => known === name) : undefined;
    if (part !== undefined) return { kind: 'entry', part, filters };
    if (name === '') return this.#fail(start, 'has an empty tag');
    this.#refer(name, start);
    return { kind: 'value', name, filters };
  }

  #refer(name: string, start: number): void {
    if (!this.references.has(name)) this.references.set(name, lineAt(this.#text, start));
  }

  #fail(start: number, message: string): undefined {
    if (this.problems.length < MAX_FILTERS) this.problems.push({ line: lineAt(this.#text, start), message });
  }
}

function unknownFilter(word: string): string {
  const near = nearest(word, FILTER_NAMES);
  const hint = near === undefined ? `known are ${oneOf(FILTER_NAMES)}` : `did you mean "${near}"?`;
  return `uses the unknown filter ${quote(word)}; ${hint}`;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length - 1;
}
