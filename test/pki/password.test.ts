import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { withoutMargins } from '../../src/pki/password.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { issue, sharedKey } from '../support/pki.ts';

const { key, certificate } = await issue({ name: 'broker', key: sharedKey('p-256') });
const seed = Buffer.alloc(1);
const locked = (password: Secret) =>
  writePkcs12({ key, certificates: [certificate] }, { ...PKCS12_FORMS.keyVault, password, seed });
const encrypted = key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'secret' });

describe('a password as it is stored', () => {
  it.each([
    ['as it is', 'secret', 'secret'],
    ['with a line break', 'secret\n', 'secret'],
    ['with CR LF', 'secret\r\n', 'secret'],
    ['with CR', 'secret\r', 'secret'],
    ['with several line breaks', 'secret\n\n\r\n', 'secret'],
    ['with a byte order mark', '\ufeffsecret', 'secret'],
    ['with a byte order mark and a line break', '\ufeffsecret\r\n', 'secret'],
    ['with a blank at its end, which may be meant', 'secret ', 'secret '],
    ['with a line break inside', 'sec\nret\n', 'sec\nret'],
    ['in quotes, which may be meant', '"secret"', '"secret"'],
    ['that is a line break', '\n', ''],
  ])('means the same to who opens and to who writes: %s', async (_, stored, meant) => {
    expect(withoutMargins(new Secret(stored)).reveal()).toBe(meant);
    const content = await locked(new Secret(meant));
    expect((await readBundle(content, { password: new Secret(stored) })).keys).toHaveLength(1);
  });

  it.each([
    ['secret ', ': it ends with a blank'],
    ['secret \n', ': it ends with a blank'],
    ['secret\u00a0', ': it ends with a blank'],
    [' secret', ': it begins with a blank'],
    ['   ', ': it consists of blanks'],
    ['\n', ': it is empty'],
    ['', ': it is empty'],
    ['"secret"', ': it is in quotes'],
    ["'secret'\n", ': it is in quotes'],
    ['“secret”', ': it is in quotes'],
    ['\ufeffwrong', ': it begins with a byte order mark'],
    ['\ufeff"secret" \n', ': it begins with a byte order mark, ends with a blank and is in quotes'],
    ['wrong', ''],
    ['sec"ret', ''],
    ['"secret', ''],
  ])('is described where it opens nothing: %j', async (stored, remark) => {
    const password = new Secret(stored);
    for (const content of [await locked(new Secret('secret')), Buffer.from(encrypted)]) {
      const thrown: unknown = await readBundle(content, { password }).catch((error: unknown) => error);
      const message = thrown instanceof Error ? thrown.message : '';
      expect(message.slice(message.indexOf('; check that password'))).toBe(`; check that password${remark}`);
    }
  });

  it('costs nothing where it is far too long', async () => {
    const password = new Secret(`${'\n'.repeat(1_000_000)}x`);
    await expect(readBundle(await locked(new Secret('secret')), { password })).rejects.toThrow('longer than 4096');
  });
});
