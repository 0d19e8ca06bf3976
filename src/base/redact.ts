/**
 * Takes the secrets of a request out of texts that others had a part in: a server, or a proxy, may send back what it was
 * sent. The transport cleans answers with it, and each Mount its message and its log lines. Values of vaults are no
 * matter of it: they stand in no text.
 */
import { ProviderError } from './errors.ts';
import type { LogFields, Logger } from './log.ts';
import { REDACTED } from './secret.ts';
import { spellings } from './spellings.ts';

/** What is shorter, or a short word, stands in other words and in our own, and protects nothing. */
const MIN_LENGTH = 4;
const SHORT_WORD = /^\p{L}{1,7}$/u;
/** Base64 of less than this is too short to be told from other words. */
const MIN_BASE64_LENGTH = 8;
/** Lines of a PEM text that are worth hiding by themselves. */
const MIN_LINE_LENGTH = 16;
/** Longer texts are looked for in parts, which keeps each pattern small. */
const MAX_PART_LENGTH = 1000;
/** A JWT, or the beginning of one. */
const JWT = /\beyJ[\w-]{10,}(?:\.[\w-]*){0,2}/g;

/** One text to be hidden. */
interface Form {
  readonly text: string;
  /** Its longest part that every encoding leaves as it is: a text without it need not be searched. */
  readonly anchor: string;
  /** Made when the anchor is found. */
  pattern?: RegExp;
}

/** Knows secrets, and hides them in every form that a text may have them in: see {@link spellings} and {@link formsOf}. */
export class Redactor {
  #sources: (() => readonly string[])[] = [];
  #forms: readonly Form[] | undefined;

  /** Learns secrets, which are read when the first text is cleaned; white space around them does not count. */
  learn(secrets: () => readonly string[]): void {
    this.#sources.push(secrets);
    this.#forms = undefined;
  }

  /** The text with `[redacted]` in place of each secret, and of everything that looks like a token. */
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

  /** An error whose message and details hold no secret; the same one where there was none. */
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

  /** A log whose warnings and errors hold no secret; what others wrote is in no other line. */
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

  /** The fields, with the texts among them cleaned; the same object where nothing changed. */
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
    // What is sent is often encoded for a form before somebody encodes all of it.
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

/** Base64 of the text, wherever it stands in what was encoded; without the characters that its neighbours decide. */
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
