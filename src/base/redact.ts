/**
 * Removes the secrets of a request from foreign text: a server or a proxy may send back parts of the request. The
 * transport cleans answers with it, and each Mount its message and its log lines. It does not know the values of
 * vaults, which no message contains.
 */

import { ProviderError } from './errors.ts';
import type { LogFields, Logger } from './log.ts';
import { REDACTED } from './secret.ts';
import { spellings } from './spellings.ts';

/** Shorter texts and short words are part of other words, and protect nothing. */
const MIN_LENGTH = 4;
const SHORT_WORD = /^\p{L}{1,7}$/u;
/** Shorter base64 cannot be distinguished from other words. */
const MIN_BASE64_LENGTH = 8;
/** Shortest line of a PEM text that is hidden by itself. */
const MIN_LINE_LENGTH = 16;
/** Longer texts are searched for in parts, which keeps each pattern small. */
const MAX_PART_LENGTH = 1000;
/** A JWT, or the beginning of one. */
const JWT = /\beyJ[\w-]{10,}(?:\.[\w-]*){0,2}/g;

/** One text to hide. */
interface Form {
  readonly text: string;
  /** Its longest part that no encoding changes: a text without this part does not contain the form. */
  readonly anchor: string;
  /** Compiled when the anchor is first found. */
  pattern?: RegExp;
}

/** Knows secrets and hides them in all their encodings; see {@link spellings} and {@link formsOf}. */
export class Redactor {
  #sources: (() => readonly string[])[] = [];
  #forms: readonly Form[] | undefined;

  /** Adds secrets, which are read when the next text is cleaned. White space around them is ignored. */
  learn(secrets: () => readonly string[]): void {
    this.#sources.push(secrets);
    this.#forms = undefined;
  }

  /** The text with `[redacted]` in place of each secret and of each text that looks like a token. */
  text(text: string): string {
    this.#forms ??= formsOfAll(this.#sources.flatMap((secrets) => secrets()));
    let clean = text.replace(JWT, REDACTED);
    for (const form of this.#forms) {
      if (!clean.includes(form.anchor)) continue;
      form.pattern ??= new RegExp(spellings(form.text), 'g');
      clean = clean.replace(form.pattern, REDACTED);
    }
    return clean;
  }

  /** A copy of the error whose message and details hold no secret; the error itself if it holds none. */
  error(error: ProviderError): ProviderError {
    const { code, message, details, cause } = error;
    const cleanDetails = this.#fields(details);
    const errors = error.errors.map((one) => this.error(one));
    const failed = error.failed.map((name) => this.text(name));
    const isSame = failed.every((name, index) => name === error.failed[index]);
    const same = isSame && this.text(message) === message && cleanDetails === details;
    if (same && errors.every((one, index) => one === error.errors[index])) return error;
    return new ProviderError(code, this.text(message), { cause, details: cleanDetails, errors, failed });
  }

  /** A logger whose warnings and errors hold no secret. Lines of other levels contain no foreign text. */
  log(log: Logger): Logger {
    const clean = (level: 'error' | 'warn') => (message: string, fields?: LogFields) =>
      log[level](this.text(message), fields === undefined ? undefined : this.#fields(fields));
    return {
      error: clean('error'),
      warn: clean('warn'),
      info: (message, fields) => log.info(message, fields),
      detail: (message, fields) => log.detail(message, fields),
      debug: (message, fields) => log.debug(message, fields),
      with: (fields) => this.log(log.with(fields)),
    };
  }

  /** The fields with cleaned texts; the same object if nothing changed. */
  #fields<T extends object>(fields: T): T {
    const entries = Object.entries(fields);
    const clean = entries.map(([name, value]) => [name, typeof value === 'string' ? this.text(value) : value] as const);
    return clean.every(([, value], index) => value === entries[index]?.[1]) ? fields : (Object.fromEntries(clean) as T);
  }
}

/** All forms of all secrets, the longest first. */
function formsOfAll(secrets: readonly string[]): readonly Form[] {
  const known = secrets
    .map((secret) => secret.trim())
    .filter((secret) => secret.length >= MIN_LENGTH && !SHORT_WORD.test(secret));
  const texts = [...new Set(known.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  return texts.map((text) => ({ text, anchor: longest(text.match(/[A-Za-z0-9]+/g) ?? []) }));
}

/** A secret and its lines, each also in base64 and hex. */
function formsOf(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  const worthy = lines.filter((line) => line.length >= MIN_LINE_LENGTH && !line.startsWith('-----'));
  return [secret, ...worthy].flatMap(partsOf).flatMap((text) => {
    const bytes = Buffer.from(text);
    const hex = bytes.toString('hex');
    // A form encodes its values, and a server may encode the whole form once more.
    const ofForm = new URLSearchParams([['', text]]).toString().slice(1);
    const encoded = [...new Set([text, ofForm, encodeURIComponent(bytes.toString())])].flatMap(base64Forms);
    return [text, ...encoded, hex, hex.toUpperCase()];
  });
}

function partsOf(text: string): readonly string[] {
  const count = Math.ceil(text.length / MAX_PART_LENGTH);
  const size = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, index) => text.slice(index * size, (index + 1) * size));
}

/** Base64 of the text at any position of a longer one, without the characters that depend on its neighbours. */
function base64Forms(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const whole = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    const url = whole.replaceAll('+', '-').replaceAll('/', '_');
    return whole.length < MIN_BASE64_LENGTH ? [] : [whole, url];
  });
}

function longest(words: readonly string[]): string {
  return words.reduce((most, word) => (word.length > most.length ? word : most), '');
}
