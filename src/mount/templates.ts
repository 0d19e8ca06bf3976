/**
 * Makes the files of `templates` from the texts that were read. `mount.ts` calls it. Texts that are no UTF-8, that a format
 * cannot hold, or that make a file too large are refused; no message holds anything of a text.
 */

import { ProviderError } from '../base/errors.ts';
import { nextTurn } from '../base/turns.ts';
import { quote } from '../base/words.ts';
import type { TemplateRef, TemplateSpec, TemplateToken } from '../spc/model.ts';
import { FILTERS, type FilterName, UnfitText } from '../spc/template-filters.ts';
import type { ObjectVersion } from '../wire/contract.ts';
import { contentVersionOf } from './content-version.ts';
import type { ConvertedObject } from './convert/convert.ts';
import { MAX_ANSWER_BYTES, type MadeFile } from './response.ts';

/** Limit of one file, in characters. */
const MAX_FILE_CHARS = 1024 * 1024;
/** Limit of the characters that the filters of a volume read. */
const MAX_FILTERED_CHARS = 32 * 1024 * 1024;
/** Limit of the tags that a volume writes: those of its templates, once for each entry of their loops. */
const MAX_WRITTEN_TAGS = 1_000_000;

type Entry = TemplateSpec['entries'][number];

/**
 * Returns the files. The version of a file is a digest of its template and of the versions that went into it.
 * Throws: ERR_BAD_CONTENT, ERR_TOO_LARGE.
 */
export async function renderTemplates(
  templates: readonly TemplateSpec[],
  objects: readonly ConvertedObject[],
  signal: AbortSignal,
): Promise<readonly MadeFile[]> {
  const texts = new Texts(objects);
  const made: MadeFile[] = [];
  for (const template of templates) {
    await nextTurn(signal);
    const { path, mode, label } = template;
    const contents = Buffer.from(new Renderer(template, texts).text());
    made.push({ file: { path, mode, contents }, source: versionOf(template, objects), owner: label });
  }
  return made;
}

function versionOf({ path, digest, refs, entries }: TemplateSpec, objects: readonly ConvertedObject[]): ObjectVersion {
  const used = new Set([...refs.values(), ...entries.map(({ ref }) => ref)].map(({ object }) => object));
  const versions = [...used].map((index) => objects[index]?.source);
  return { id: `template/${path}`, version: contentVersionOf(JSON.stringify([digest, versions])) };
}

/** The texts of a volume, and how much of them its templates may still use. */
class Texts {
  readonly #objects: readonly ConvertedObject[];
  readonly #known = new Map<TemplateRef, string | undefined>();
  #filteredLeft = MAX_FILTERED_CHARS;
  #tagsLeft = MAX_WRITTEN_TAGS;
  #charsLeft = MAX_ANSWER_BYTES;

  constructor(objects: readonly ConvertedObject[]) {
    this.#objects = objects;
  }

  /** Returns a text; undefined: the object or the part is optional and not there. */
  find(ref: TemplateRef): string | undefined {
    const known = this.#known.get(ref);
    if (known !== undefined || this.#known.has(ref)) return known;
    const text = this.#read(ref);
    this.#known.set(ref, text);
    return text;
  }

  #read({ object, path }: TemplateRef): string | undefined {
    const drafts = this.#objects[object]?.drafts ?? [];
    const draft = drafts.find((one) => one.path === path) ?? drafts.find((one) => one.path === `${path}/0`);
    if (draft === undefined) return undefined;
    const text = draft.contents.toString();
    if (Buffer.from(text).equals(draft.contents)) return text;
    throw new UnfitText(`${quote(path)} is no text in UTF-8; give the secret its objectEncoding, or leave it out`);
  }

  tag(): void {
    if (--this.#tagsLeft < 0)
      throw new TooMuch(`the templates of this volume write more than ${MAX_WRITTEN_TAGS} tags`);
  }

  filtered(chars: number): void {
    this.#filteredLeft -= chars;
    if (this.#filteredLeft < 0)
      throw new TooMuch(`the filters of this volume read more than ${MAX_FILTERED_CHARS} characters`);
  }

  written(chars: number): void {
    this.#charsLeft -= chars;
    if (this.#charsLeft < 0) throw new TooMuch('the files of templates are larger together than the driver accepts');
  }
}

/** A limit is passed. */
class TooMuch extends Error {}

/** Writes one file. */
class Renderer {
  readonly #template: TemplateSpec;
  readonly #texts: Texts;
  readonly #pieces: string[] = [];
  #chars = 0;

  constructor(template: TemplateSpec, texts: Texts) {
    this.#template = template;
    this.#texts = texts;
  }

  text(): string {
    const { body, label } = this.#template;
    try {
      if (body.kind === 'tokens') this.#tokens(body.tokens, undefined);
      else FORMATS[body.kind](this.#present(), (text) => this.#write(text));
      return this.#pieces.join('');
    } catch (error) {
      const code =
        error instanceof TooMuch ? 'ERR_TOO_LARGE' : error instanceof UnfitText ? 'ERR_BAD_CONTENT' : undefined;
      if (code === undefined) throw error;
      throw new ProviderError(code, `failed to mount objects, error: ${label}: ${(error as Error).message}`);
    }
  }

  #tokens(tokens: readonly TemplateToken[], entry: PresentEntry | undefined): void {
    for (const token of tokens) {
      this.#texts.tag();
      this.#token(token, entry);
    }
  }

  #token(token: TemplateToken, entry: PresentEntry | undefined): void {
    switch (token.kind) {
      case 'text':
        this.#write(token.text);
        break;
      case 'value':
        this.#write(this.#filter(this.#find(token.name) ?? '', token.filters));
        break;
      case 'entry':
        this.#write(this.#filter(entry?.[token.part] ?? '', token.filters));
        break;
      case 'if':
        if ((this.#find(token.name) === undefined) === token.not) this.#tokens(token.tokens, entry);
        break;
      case 'loop':
        for (const one of this.#present()) this.#tokens(token.tokens, one);
    }
  }

  #find(name: string): string | undefined {
    const ref = this.#template.refs.get(name);
    return ref === undefined ? undefined : this.#texts.find(ref);
  }

  #filter(text: string, filters: readonly FilterName[]): string {
    return filters.reduce((text, filter) => {
      this.#texts.filtered(text.length);
      return FILTERS[filter](text);
    }, text);
  }

  #present(): readonly PresentEntry[] {
    return this.#template.entries.flatMap(({ ref, ...entry }: Entry) => {
      const value = this.#texts.find(ref);
      return value === undefined ? [] : [{ ...entry, value }];
    });
  }

  #write(text: string): void {
    this.#chars += text.length;
    if (this.#chars > MAX_FILE_CHARS) throw new TooMuch(`the file would have more than ${MAX_FILE_CHARS} characters`);
    this.#texts.written(text.length);
    this.#pieces.push(text);
  }
}

/** An entry that is there. */
interface PresentEntry {
  readonly name: string;
  readonly key: string;
  readonly value: string;
}

type Write = (text: string) => void;

/** The writers of the formats. */
const FORMATS: Readonly<
  Record<'dotenv' | 'properties' | 'json', (entries: readonly PresentEntry[], write: Write) => void>
> = {
  dotenv(entries, write) {
    for (const { key, value } of entries) write(`${key}=${FILTERS.dotenv(value)}\n`);
  },
  properties(entries, write) {
    for (const { key, value } of entries) write(`${FILTERS.properties(key)}=${FILTERS.properties(value)}\n`);
  },
  json(entries, write) {
    const members = entries.map(({ key, value }) => `\n  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
    write('{');
    for (const [index, member] of members.entries()) write(`${index === 0 ? '' : ','}${member}`);
    write('\n}\n');
  },
};
