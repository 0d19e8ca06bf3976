import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Redactor } from '../../src/base/redact.ts';
import { keptLog } from '../support/mount.ts';

const SECRET = 'Pr1ncipal~Secret+/&"<>ü%';

function redactorOf(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  redactor.learn(() => secrets);
  return redactor;
}

const hex = (char: string) => char.charCodeAt(0).toString(16);
const unicode = (char: string) => `\\u${hex(char).padStart(4, '0')}`;
const html = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** The encodings in which a server sends back a secret. */
const FORMS: Readonly<Record<string, (secret: string) => string>> = {
  plain: (secret) => secret,
  'URL-encoded': (secret) => encodeURIComponent(secret),
  'URL-encoded, lower case': (secret) => encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
  'of a form': (secret) => new URLSearchParams({ a: secret }).toString().slice(2),
  JSON: (secret) => JSON.stringify(secret).slice(1, -1),
  base64: (secret) => Buffer.from(secret).toString('base64'),
  base64url: (secret) => Buffer.from(secret).toString('base64url'),
  'base64 of more': (secret) => Buffer.from(`client:${secret}, and more`).toString('base64'),
  'base64 of more, shifted': (secret) => Buffer.from(`x${secret}y`).toString('base64'),
  'base64 of a form': (secret) => Buffer.from(`a=b&c=${encodeURIComponent(secret)}&d`).toString('base64'),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  'hex, upper case': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
  HTML: html,
  'HTML by numbers': (secret) => secret.replace(/[&<>"'+]/g, (char) => `&#${char.charCodeAt(0)};`),
  'HTML by numbers, hexadecimal': (secret) => secret.replace(/[&<>"/+]/g, (char) => `&#x0${hex(char).toUpperCase()};`),
  'URL-encoded twice': (secret) => encodeURIComponent(encodeURIComponent(secret)),
  'URL-encoded, every sign': (secret) => encodeURIComponent(secret).replace(/[-_.~]/g, (char) => `%${hex(char)}`),
  'URL-encoded HTML': (secret) => encodeURIComponent(html(secret)),
  'JSON that knows ASCII only': (secret) =>
    JSON.stringify(secret)
      .slice(1, -1)
      .replace(/[^ -~]/g, unicode),
  'JSON that is safe in HTML': (secret) =>
    secret.replace(/[^\w~./-]/g, (char) => unicode(char).toUpperCase().replace('U', 'u')),
  'JSON with escaped slashes': (secret) => JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/'),
  'JSON in JSON': (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  'JSON with HTML': (secret) => html(secret).replaceAll('&', '\\u0026'),
  'with backslashes': (secret) => secret.replace(/["&+]/g, (char) => `\\${char}`),
};

describe('a text', () => {
  it.each(Object.entries(FORMS))('shows no secret %s', (_, form) => {
    const sent = form(SECRET);
    const clean = redactorOf('another secret', SECRET).text(`The server said: ${sent}, twice: ${sent}.`);
    expect(clean).toContain('[redacted]');
    expect(clean).toMatch(/^The server said: .*, twice: .*\.$/);
    // Some characters remain at both ends of base64. They contain less than three characters of the secret.
    const middle = sent.slice(sent.length / 4, -sent.length / 4);
    expect(clean).not.toContain(middle);
  });

  it('shows no secret, whatever it is made of and wherever it stands', () => {
    const word = fc
      .string({ minLength: 8, maxLength: 60, unit: 'binary' })
      .filter((text) => Buffer.from(text).toString().trim().length >= 8);
    fc.assert(
      fc.property(
        word,
        fc.string(),
        fc.string(),
        fc.constantFrom(...Object.values(FORMS).slice(0, 7)),
        (secret, before, after, form) => {
          const trimmed = secret.trim();
          const sent = form(trimmed);
          fc.pre(!'[redacted]'.includes(sent) && !`${before}${after}`.includes(sent));
          expect(redactorOf(secret).text(`${before} ${sent} ${after}`)).not.toContain(sent);
        },
      ),
    );
  });

  it('shows nothing that looks like a token, known or not', () => {
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
    expect(redactorOf().text(`Bearer ${token}; cut: ${token.slice(0, 25)}`)).toBe('Bearer [redacted]; cut: [redacted]');
  });

  it('shows no line of a secret of several', () => {
    const pem =
      '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\nCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n';
    const clean = redactorOf(pem).text('it said MIGHAgEAMBMGByqGSM49AgEG and CCqGSM49AwEHBG0wawIBAQQg');
    expect(clean).toBe('it said [redacted] and [redacted]');
  });

  it('shows no part of a long secret', () => {
    const parts = Array.from({ length: 300 }, (_, index) => `part-${index}/`);
    expect(redactorOf(parts.join('')).text(`it said ${parts.join('')}!`)).toMatch(/^it said (\[redacted\])+!$/);
  });

  it.each(['', 'a1', '  ', 'expired'])('stays as it is where the secret "%s" is no more than a word', (secret) => {
    expect(redactorOf(secret).text('a1 and a1  expired')).toBe('a1 and a1  expired');
  });

  it.each(['hunt3r', 'changeit', 'p4ss'])('does not show the short secret %s', (secret) => {
    expect(redactorOf(secret).text(`it was ${secret}.`)).toBe('it was [redacted].');
  });
});

describe('an error', () => {
  it('shows no secret in message, details and the errors it stands for, and keeps the rest', () => {
    const inner = new ProviderError('ERR_FORBIDDEN', `inner ${SECRET}`, { details: { requestId: SECRET } });
    const error = new ProviderError('ERR_VAULT', `outer ${SECRET}`, {
      errors: [inner],
      failed: [`object ${SECRET}`],
      details: { remoteCode: `code ${SECRET}`, httpStatus: 403 },
    });
    const clean = redactorOf(SECRET).error(error);
    expect(clean).toMatchObject({
      code: 'ERR_VAULT',
      message: 'outer [redacted]',
      details: { remoteCode: 'code [redacted]', httpStatus: 403 },
      failed: ['object [redacted]'],
      errors: [{ code: 'ERR_FORBIDDEN', message: 'inner [redacted]', details: { requestId: '[redacted]' } }],
    });
  });

  it('without a secret stays the one it is', () => {
    const error = new ProviderError('ERR_VAULT', 'nothing', { errors: [new ProviderError('ERR_VAULT', 'inside')] });
    expect(redactorOf(SECRET).error(error)).toBe(error);
  });
});

describe('a log', () => {
  it('shows no secret in warnings and errors, nor in their fields', () => {
    const { log, lines } = keptLog();
    const clean = redactorOf(SECRET).log(log).with({ pod: 'web' });
    clean.error(`error ${SECRET}`, { field: SECRET, count: 1 });
    clean.warn(`warning ${SECRET}`);
    expect(lines).toEqual([
      { level: 'error', message: 'error [redacted]', fields: { pod: 'web', field: '[redacted]', count: 1 } },
      { level: 'warn', message: 'warning [redacted]', fields: { pod: 'web' } },
    ]);
  });
});
