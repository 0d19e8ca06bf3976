import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { messageOf, ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';

const VALUE = 'hunter2';
const secret = new Secret(VALUE);

describe('a secret', () => {
  it('opens by one call', () => expect(secret.reveal()).toBe(VALUE));

  it.each([
    ['text', `${secret}`],
    ['concatenation', `a${String(secret)}`],
    ['JSON', JSON.stringify({ a: [secret] })],
    ['inspect', inspect({ a: { b: { c: secret } } }, { depth: 9, showHidden: true })],
    ['format', format('%s %o %j', secret, secret, secret)],
    ['keys and values', Object.entries(secret).join()],
    ['a spread', JSON.stringify({ ...secret })],
    ['an error that it caused', inspect(new ProviderError('ERR_INTERNAL', 'x', { cause: secret }))],
  ])('does not show in %s', (_, text) => expect(text).not.toContain(VALUE));

  it('may hold bytes', () => {
    const bytes = new Secret(Buffer.from(VALUE));
    expect(bytes.reveal().toString()).toBe(VALUE);
    expect(inspect(bytes, { depth: 9, showHidden: true })).toBe('[redacted]');
  });
});

describe('the one error', () => {
  it('carries code, details and the failures it stands for', () => {
    const inner = new ProviderError('ERR_NOT_FOUND', 'no such secret', { details: { httpStatus: 404 } });
    const error = new ProviderError('ERR_VAULT', 'two failures', { errors: [inner], cause: 'x' });
    expect(error).toMatchObject({ name: 'ProviderError', code: 'ERR_VAULT', errors: [inner], cause: 'x', details: {} });
    expect(inner).toMatchObject({ details: { httpStatus: 404 }, errors: [] });
    expect('cause' in inner).toBe(false);
  });

  it.each([
    [new Error('a'), 'a'],
    ['b', 'b'],
    [undefined, 'undefined'],
  ])('text of what was thrown: %s', (thrown, text) => expect(messageOf(thrown)).toBe(text));
});
