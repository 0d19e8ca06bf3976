/**
 * Takes the secrets of a request out of texts that others had a part in: a server, or a proxy, may send back what it was
 * sent. The transport cleans answers with it, and each Mount its message and its log lines. Values of vaults are no
 * matter of it: they stand in no text.
 */
import { ProviderError } from './errors.ts';
import type { LogFields, Logger } from './log.ts';
import { REDACTED } from './secret.ts';

/** What is shorter, or a short word, stands in other words and in our own, and protects nothing. */
const MIN_LENGTH = 4;
const SHORT_WORD = /^\p{L}{1,7}$/u;
/** Base64 of less than this is too short to be told from other words. */
const MIN_BASE64_LENGTH = 8;
/** Lines of a PEM text that are worth hiding by themselves. */
const MIN_LINE_LENGTH = 16;
/** A JWT, or the beginning of one. */
const JWT = /\beyJ[\w-]{10,}(?:\.[\w-]*){0,2}/g;

/** Knows secrets, and hides them in every form that a text may have them in: plain, URL-encoded, JSON, HTML, base64. */
export class Redactor {
  #sources: (() => readonly string[])[] = [];
  #forms: readonly string[] | undefined;

  /** Learns secrets, which are read when the first text is cleaned; white space around them does not count. */
  learn(secrets: () => readonly string[]): void {
    this.#sources.push(secrets);
    this.#forms = undefined;
  }

  /** The text with `[redacted]` in place of each secret, and of everything that looks like a token. */
  text(text: string): string {
    this.#forms ??= formsOfAll(this.#sources.flatMap((secrets) => secrets()));
    let clean = text.replace(JWT, REDACTED);
    for (const form of this.#forms) if (clean.includes(form)) clean = clean.replaceAll(form, REDACTED);
    return clean;
  }

  /** An error whose message and details hold no secret; the same one where there was none. */
  error(error: ProviderError): ProviderError {
    const { code, message, details, cause } = error;
    const cleanDetails = this.#fields(details);
    const errors = error.errors.map((one) => this.error(one));
    const same = this.text(message) === message && cleanDetails === details;
    if (same && errors.every((one, index) => one === error.errors[index])) return error;
    return new ProviderError(code, this.text(message), { cause, details: cleanDetails, errors });
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
function formsOfAll(secrets: readonly string[]): readonly string[] {
  const known = secrets
    .map((secret) => secret.trim())
    .filter((secret) => secret.length >= MIN_LENGTH && !SHORT_WORD.test(secret));
  return [...new Set(known.flatMap(formsOf))].sort((a, b) => b.length - a.length);
}

function formsOf(secret: string): readonly string[] {
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).filter((line) => !line.startsWith('-----')) : [];
  const texts = [
    secret,
    secret.replace(/\s+/g, ' '),
    ...lines.map((line) => line.trim()).filter(({ length }) => length >= MIN_LINE_LENGTH),
  ];
  return texts.flatMap((text) => [text, ...encodedForms(text)]);
}

function encodedForms(text: string): readonly string[] {
  // Half a surrogate pair could not be encoded.
  const percent = encodeURIComponent(Buffer.from(text).toString());
  const strict = percent.replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const urls = [percent, strict, new URLSearchParams([['', text]]).toString().slice(1)];
  const html = text.replace(/[&<>"]/g, (char) => HTML[char] ?? char);
  return [...urls, ...urls.map(lowerHex), JSON.stringify(text).slice(1, -1), html, ...base64Forms(text)];
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function lowerHex(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
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
