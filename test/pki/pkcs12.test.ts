import { createSecureContext } from 'node:tls';
import forge from 'node-forge';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import {
  PKCS12_FORMS,
  type Pkcs12CertificateCipher,
  type Pkcs12Form,
  type Pkcs12KeyCipher,
  type Pkcs12Mac,
  writePkcs12,
  writeTruststore,
} from '../../src/pki/pkcs12-write.ts';
import { fingerprints, issueChain, type KeyType, keyPem, sameKey } from '../support/pki.ts';

const seed = Buffer.from('version 1');
const PASSWORDS: readonly (Secret | null)[] = [null, new Secret(''), new Secret('hunter2'), new Secret('pässwörd 🔑')];
const KEY_CIPHERS: readonly Pkcs12KeyCipher[] = ['aes-256-cbc', 'aes-128-cbc', '3des', 'none'];
const CERTIFICATE_CIPHERS: readonly Pkcs12CertificateCipher[] = [...KEY_CIPHERS, 'rc2-40'];
const MACS: readonly Pkcs12Mac[] = ['sha1', 'sha256', 'sha384', 'sha512', 'none'];
const KEY_TYPES: readonly KeyType[] = [
  'rsa-2048',
  'rsa-4096',
  'rsa-pss',
  'p-256',
  'p-384',
  'p-521',
  'secp256k1',
  'ed25519',
];

function options(password: Secret | null): { password?: Secret } {
  return password === null || password.reveal() === '' ? {} : { password };
}

describe('PKCS#12 written here is read back', () => {
  it.each(KEY_TYPES)('with a %s key, in every named form', async (keyType) => {
    const chain = await issueChain({ keyType });
    for (const form of Object.values(PKCS12_FORMS)) {
      const pfx = await writePkcs12(
        { key: chain.leaf.key, certificates: chain.certificates },
        { ...form, password: null, seed },
      );
      const bundle = await readBundle(pfx);
      expect(bundle.format).toBe('pkcs12');
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints(chain.certificates));
      expect(bundle.keys.map((key) => sameKey(key, chain.leaf.key))).toEqual([true]);
    }
  });

  it.each(KEY_CIPHERS)('with the key in %s, whatever protects the certificates and the whole', async (keyCipher) => {
    const chain = await issueChain();
    for (const certificateCipher of CERTIFICATE_CIPHERS) {
      for (const mac of MACS) {
        for (const password of PASSWORDS) {
          const form: Pkcs12Form = { password, keyCipher, certificateCipher, mac, iterations: 3, seed };
          const pfx = await writePkcs12({ key: chain.leaf.key, certificates: chain.certificates }, form);
          const bundle = await readBundle(pfx, options(password));
          expect(fingerprints(bundle.certificates)).toEqual(fingerprints(chain.certificates));
          expect(sameKey(bundle.keys[0], chain.leaf.key)).toBe(true);
        }
      }
    }
  });

  it('as base64 of any alphabet, with line breaks, blanks and quotes, and encoded twice', async () => {
    const chain = await issueChain();
    const form = { ...PKCS12_FORMS.keyVault, password: null, seed };
    const base64 = (await writePkcs12({ key: chain.leaf.key, certificates: chain.certificates }, form)).toString(
      'base64',
    );
    for (const text of [
      base64,
      `${base64}\n`,
      base64.replace(/.{64}/g, '$&\r\n'),
      base64.replace(/.{76}/g, '$&\n'),
      base64.replace(/.{76}/g, '$& '),
      `"${base64}"\n`,
      base64.replace(/=+$/, ''),
      Buffer.from(base64, 'base64').toString('base64url'),
      Buffer.from(base64).toString('base64'),
    ]) {
      const bundle = await readBundle(Buffer.from(text));
      expect(bundle.format).toBe('pkcs12');
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints(chain.certificates));
    }
  });

  it('without a key, without certificates, with certificates in any order', async () => {
    const { leaf, certificates } = await issueChain({ intermediates: 2 });
    const form = { ...PKCS12_FORMS.modern, password: null, seed };
    const rootFirst = certificates.toReversed();
    const noKey = await readBundle(await writePkcs12({ certificates: rootFirst }, form));
    expect(noKey.keys).toEqual([]);
    expect(fingerprints(noKey.certificates)).toEqual(fingerprints(rootFirst));
    const noCertificate = await readBundle(await writePkcs12({ key: leaf.key, certificates: [] }, form));
    expect(noCertificate.certificates).toEqual([]);
    expect(sameKey(noCertificate.keys[0], leaf.key)).toBe(true);
  });

  it('with a password from a file that ends in a line break, or a password nobody needed', async () => {
    const { leaf, certificates } = await issueChain();
    const contents = { key: leaf.key, certificates };
    const locked = await writePkcs12(contents, { ...PKCS12_FORMS.modern, password: new Secret('pass'), seed });
    expect((await readBundle(locked, { password: new Secret('pass\r\n') })).keys).toHaveLength(1);
    const open = await writePkcs12(contents, { ...PKCS12_FORMS.modern, password: null, seed });
    expect((await readBundle(open, { password: new Secret('unused') })).keys).toHaveLength(1);
  });

  it('the same bytes each time, other bytes for another seed', async () => {
    const { leaf, certificates } = await issueChain();
    const contents = { key: leaf.key, certificates, friendlyName: 'broker' };
    for (const form of Object.values(PKCS12_FORMS)) {
      const write = (salt: string) =>
        writePkcs12(contents, { ...form, password: new Secret('pass'), seed: Buffer.from(salt) });
      expect(await write('v1')).toEqual(await write('v1'));
      expect(await write('v1')).not.toEqual(await write('v2'));
    }
  });
});

describe('PKCS#12 written here suits other readers', () => {
  it('Node itself, for TLS, in the modern form', async () => {
    const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048' });
    const contents = { key: leaf.key, certificates, friendlyName: 'broker' };
    for (const passphrase of ['', 'pässwörd']) {
      const pfx = await writePkcs12(contents, { ...PKCS12_FORMS.modern, password: new Secret(passphrase), seed });
      expect(() => createSecureContext({ pfx, passphrase })).not.toThrow();
      expect(() => createSecureContext({ pfx, passphrase: 'wrong' })).toThrow();
    }
  });

  it('node-forge, with localKeyId on key and leaf and the friendly name', async () => {
    const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048' });
    const pfx = await writePkcs12(
      { key: leaf.key, certificates, friendlyName: 'Brøker' },
      { ...PKCS12_FORMS.legacy, password: new Secret('pass'), seed },
    );
    const parsed = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(pfx.toString('latin1')), 'pass');
    const bags = parsed.safeContents.flatMap(({ safeBags }) => safeBags);
    expect(bags.map(({ attributes }) => attributes.localKeyId?.length ?? 0)).toEqual([1, 1, 0, 0]);
    expect(bags.map(({ attributes }) => attributes.friendlyName?.[0])).toEqual([
      'Brøker',
      'Brøker',
      undefined,
      undefined,
    ]);
  });

  it('as a truststore, each certificate trusted for any purpose under an alias of its own', async () => {
    const one = await issueChain({ names: ['a', 'i', 'Same Root'] });
    const two = await issueChain({ keyType: 'p-384', names: ['b', 'i', 'same root'] });
    const roots = [one.root.certificate, two.root.certificate];
    const store = await writeTruststore(roots, { password: new Secret('changeit'), seed });
    expect(fingerprints((await readBundle(store, { password: new Secret('changeit') })).certificates)).toEqual(
      fingerprints(roots),
    );
    const legacy = await writeTruststore(roots, { password: new Secret('changeit'), seed, form: 'legacy' });
    const parsed = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(legacy.toString('latin1')), 'changeit');
    const bags = parsed.safeContents.flatMap(({ safeBags }) => safeBags);
    expect(bags.map(({ attributes }) => attributes.friendlyName)).toEqual([['same root'], ['same root (2)']]);
  });
});

describe('PKCS#12 written by node-forge is read', () => {
  it.each(['3des', 'aes128', 'aes192', 'aes256'] as const)('with %s', async (algorithm) => {
    const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048' });
    for (const password of ['', 'hunter2', null]) {
      const asn1 = forge.pkcs12.toPkcs12Asn1(
        forge.pki.privateKeyFromPem(keyPem(leaf.key)),
        certificates.map((certificate) => forge.pki.certificateFromPem(certificate.toString())),
        password,
        { algorithm, friendlyName: 'any', generateLocalKeyId: true, count: 50 },
      );
      const pfx = Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1');
      const bundle = await readBundle(pfx, options(password === null ? null : new Secret(password)));
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints(certificates));
      expect(sameKey(bundle.keys[0], leaf.key)).toBe(true);
    }
  });
});
