import { describe, expect, it } from 'vitest';
import { block, CLASSIC, read } from '../support/spc.ts';

const PASSWORD = 'objectName: pw\nobjectType: secret\nfiles: {}';

/** Returns the warnings and notes about an object. */
function notesOf(item: string): readonly string[] {
  const { notes, errors } = read({ ...CLASSIC, objects: block(item, PASSWORD) });
  expect(errors).toEqual([]);
  return notes;
}

const files = (map: string, more = '') => `objectName: c\nobjectType: secret\nfiles: {${map}}\n${more}`;
const file = (alias: string, more: string) => `objectName: c\nobjectAlias: ${alias}\n${more}`;

describe('what a manifest lets foresee of certificates', () => {
  it.each([
    [
      'a key that everybody may read, by its own permission',
      files('privateKey: {path: k, filePermission: "0644"}'),
      'objects[0].files.privateKey holds the private key, and 0644 opens it to every user; "0640" or "0600" does not',
    ],
    [
      'a key that everybody may read, by that of its object',
      files('combined: k, ca: c', 'filePermission: "0604"'),
      'objects[0].files.combined holds the private key, and 0604 opens it to every user; "0640" or "0600" does not',
    ],
    ['a PFX without password', files('pfx: a.pfx'), /^objects\[0\]\.files\.pfx is written with the empty password; if/],
    [
      'a key format without a key',
      files('certificate: a, pfx: {path: b, passwordFrom: pw}', 'keyFormat: pkcs1'),
      'objects[0].keyFormat has no effect: none of the files is privateKey or combined',
    ],
    [
      'a cert that is named a key',
      file('tls.key', 'objectType: cert'),
      /^objects\[0\]\.objectAlias names a file of the/,
    ],
    ['PEM that is named a PFX', file('a.PFX', 'objectType: secret'), /objectAlias names a file that a certificate is/],
    [
      'a PFX in base64',
      file('a.pfx', 'objectType: secret\nobjectFormat: PFX'),
      'objects[0].objectFormat gives the PFX as base64 text; objectEncoding: base64 next to it makes the file binary',
    ],
  ])('%s', (_, item, note) => {
    expect(notesOf(item)).toEqual([typeof note === 'string' ? note : expect.stringMatching(note)]);
  });

  it.each([
    ['the driver’s own permission', files('privateKey: k, combined: c')],
    ['a closed key', files('privateKey: k', 'filePermission: "0640"')],
    ['an open certificate', files('fullChain: c', 'filePermission: "0644"')],
    ['a password', files('pfx: {path: a, passwordFrom: pw}, truststore: b')],
    ['a key format of the key', files('privateKey: a', 'keyFormat: pkcs1')],
    ['a binary PFX', file('a.pfx', 'objectType: secret\nobjectFormat: pfx\nobjectEncoding: base64')],
    ['a PFX that is a plain secret', file('a.pfx', 'objectType: secret\nobjectEncoding: base64')],
    ['a key of a secret', file('a.key', 'objectType: secret')],
    ['a certificate', file('a.crt', 'objectType: cert')],
  ])('nothing of %s', (_, item) => expect(notesOf(item)).toEqual([]));
});

describe('the keyVault form', () => {
  const keyVault = (rest: string) => `
vault: {name: kv1, directoryId: 0f8fad5b-d9cb-469f-a165-70867728950e, credentials: {servicePrincipalLocalSecretName: s}}
vaultSecret: {name: pw, files: {}}
vaultCert:
  name: c
${rest}`;

  it('notes the same', () => {
    const { notes, errors } = read({ keyVault: keyVault('  files: {pfx: a.pfx}') });
    expect(errors).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(/^keyVault\.vaultCert\.files\.pfx is written with the empty password/),
    ]);
  });

  it('opens what has a password with that of another secret, with and without files', () => {
    for (const more of ['', '  files: {fullChain: a}\n']) {
      const { errors, notes } = read({ keyVault: keyVault(`${more}  passwordFrom: pw`) });
      expect([...errors, ...notes]).toEqual([]);
    }
    const misplaced = keyVault('').replace('files: {}', 'passwordFrom: c');
    expect(read({ keyVault: misplaced }).errors).toEqual([
      'keyVault.vaultSecret.passwordFrom needs a files map next to it, or vaultSecret to be vaultCert',
    ]);
  });
});
