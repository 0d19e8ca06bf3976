import { createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { type Der, octets, readAll, readDer, sequence } from '../../src/pki/der.ts';
import {
  type Asn1,
  encode,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octetString,
  parsed,
  sequenceOf,
  setOf,
} from '../../src/pki/der-write.ts';
import { PKCS12_FORMS, type Pkcs12Form, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { fingerprints, type IssuedChain, issueChain, sameKey } from '../support/pki.ts';

const DATA = '1.2.840.113549.1.7.1';
const open = { keyCipher: 'none', certificateCipher: 'none', mac: 'none', iterations: 1 } as const;

async function write(chain: IssuedChain, form: Partial<Pkcs12Form>): Promise<Buffer> {
  const contents = { key: chain.leaf.key, certificates: chain.certificates };
  return writePkcs12(contents, { ...PKCS12_FORMS.modern, password: null, seed: Buffer.from('seed'), ...form });
}

async function expectAll(chain: IssuedChain, content: Buffer, password?: string): Promise<void> {
  const bundle = await readBundle(content, password === undefined ? {} : { password: new Secret(password) });
  expect(fingerprints(bundle.certificates)).toEqual(fingerprints(chain.certificates));
  expect(sameKey(bundle.keys[0], chain.leaf.key)).toBe(true);
}

/**
 * Returns BER as Java and Apple software write it: without lengths, with strings in small parts, also inside strings.
 */
function toBer(der: Der): Buffer {
  const end = Buffer.alloc(2);
  if ((der.tag & 0x20) !== 0) {
    return Buffer.concat([Buffer.from([der.tag, 0x80]), ...readAll(der.content).map(toBer), end]);
  }
  if ((der.tag !== 0x04 && der.tag !== 0x80) || der.content.length < 20) return der.raw;
  const parts = Array.from({ length: Math.ceil(der.content.length / 50) }, (_, i) =>
    encode(octetString(der.content.subarray(i * 50, i * 50 + 50))),
  );
  return Buffer.concat([Buffer.from([der.tag | 0x20, 0x80]), ...parts, end]);
}

/** Returns the contents of the authenticated safe of a file. */
function safeOf(pfx: Buffer): Buffer {
  const [, content] = sequence(readDer(pfx));
  const [, wrapped] = sequence(content);
  return octets(wrapped && readAll(wrapped.content)[0]);
}

function pfxOf(safe: Buffer, ...mac: readonly Asn1[]): Buffer {
  return encode(sequenceOf(integer(3), sequenceOf(objectIdentifier(DATA), explicit(0, octetString(safe))), ...mac));
}

function dataPart(...bags: readonly Asn1[]): Asn1 {
  return sequenceOf(objectIdentifier(DATA), explicit(0, octetString(encode(sequenceOf(...bags)))));
}

describe('PKCS#12 as others write it is read', () => {
  it('in BER, with indefinite lengths and strings in parts', async () => {
    const chain = await issueChain();
    for (const form of [PKCS12_FORMS.modern, PKCS12_FORMS.keyVault, open]) {
      const ber = toBer(readDer(await write(chain, form)));
      expect(ber.includes(Buffer.from('3080', 'hex'))).toBe(true);
      await expectAll(chain, ber);
      await expectAll(chain, Buffer.from(ber.toString('base64')));
    }
    const inner = toBer(readDer(safeOf(await write(chain, open))));
    await expectAll(chain, toBer(readDer(pfxOf(inner))));
  });

  it.each([
    ['SHA-256 and SHA-256', 'sha256', '1.2.840.113549.2.9', 32],
    ['SHA-512 and SHA-512', 'sha512', '1.2.840.113549.2.11', 64],
  ] as const)('with PBMAC1 of %s (RFC 9579)', async (_, digest, hmac, size) => {
    const chain = await issueChain();
    const password = 'pässwörd';
    const safe = safeOf(await write(chain, { password: new Secret(password), mac: 'none' }));
    const salt = Buffer.from('saltsalt');
    const prf = sequenceOf(objectIdentifier(hmac), nullValue());
    const kdf = sequenceOf(
      objectIdentifier('1.2.840.113549.1.5.12'),
      sequenceOf(octetString(salt), integer(100), integer(size), prf),
    );
    const algorithm = sequenceOf(objectIdentifier('1.2.840.113549.1.5.14'), sequenceOf(kdf, prf));
    const key = pbkdf2Sync(password, salt, 100, size, digest);
    const value = createHmac(digest, key).update(safe).digest();
    const mac = sequenceOf(sequenceOf(algorithm, octetString(value)), octetString(Buffer.from('NOT USED')), integer(1));
    await expectAll(chain, pfxOf(safe, mac), password);
    await expect(readBundle(pfxOf(safe, mac), { password: new Secret('other') })).rejects.toThrow('does not open');
    value[0] = (value[0] ?? 0) ^ 1;
    const wrong = sequenceOf(sequenceOf(algorithm, octetString(value)), octetString(salt), integer(1));
    await expect(readBundle(pfxOf(safe, wrong), { password: new Secret(password) })).rejects.toThrow('does not open');
  });

  it('with a MAC over the null password and contents under the empty one', async () => {
    const chain = await issueChain();
    const legacy = { ...PKCS12_FORMS.legacy, password: new Secret('') };
    const safe = safeOf(await write(chain, legacy));
    const [, , mac] = sequence(readDer(await write(chain, { ...PKCS12_FORMS.legacy, password: null })));
    expect(mac).toBeDefined();
    await expectAll(chain, pfxOf(safe));
  });

  it('with a password beyond ASCII that OpenSSL before 1.1 took byte by byte', async () => {
    const chain = await issueChain();
    const bytewise = Buffer.from('pässwörd', 'utf8').toString('latin1');
    for (const form of [PKCS12_FORMS.legacy, PKCS12_FORMS.keyVault]) {
      await expectAll(chain, await write(chain, { ...form, password: new Secret(bytewise) }), 'pässwörd');
    }
  });

  it('with bags in bags, bags of other kinds, and attributes nobody knows', async () => {
    const chain = await issueChain();
    const [keys, certificates] = sequence(readDer(safeOf(await write(chain, open)))).map((part) => {
      const [, wrapped] = sequence(part);
      return sequence(readDer(octets(wrapped && readAll(wrapped.content)[0]))).map(({ raw }) => parsed(raw));
    });
    if (keys === undefined || certificates === undefined) throw new Error('unreachable');
    const unknown = sequenceOf(objectIdentifier('1.2.3.4.5'), setOf(octetString(Buffer.from('x')), nullValue()));
    const secretBag = sequenceOf(
      objectIdentifier('1.2.840.113549.1.12.10.1.5'),
      explicit(0, sequenceOf(objectIdentifier('1.2.3'), explicit(0, octetString(Buffer.from('secret'))))),
      setOf(unknown),
    );
    const foreignBag = sequenceOf(objectIdentifier('1.2.3.4'), explicit(0, nullValue()));
    const sdsi = sequenceOf(objectIdentifier('1.2.840.113549.1.9.22.2'), explicit(0, octetString(Buffer.from('x'))));
    const sdsiBag = sequenceOf(objectIdentifier('1.2.840.113549.1.12.10.1.3'), explicit(0, sdsi));
    const nested = sequenceOf(
      objectIdentifier('1.2.840.113549.1.12.10.1.6'),
      explicit(0, sequenceOf(...keys, secretBag)),
    );
    const safe = encode(sequenceOf(dataPart(nested, foreignBag), dataPart(sdsiBag, ...certificates)));
    await expectAll(chain, pfxOf(safe));
  });

  it('unless it is protected by a public key, which is said', async () => {
    const content = sequenceOf(objectIdentifier('1.2.840.113549.1.7.2'), explicit(0, sequenceOf()));
    await expect(readBundle(encode(sequenceOf(integer(3), content)))).rejects.toThrow(
      'the PKCS#12 content is protected by a public key instead of a password; export it again',
    );
  });
});
