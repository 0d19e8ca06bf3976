import { createCipheriv, createPrivateKey, generateKeyPairSync, hash, X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import { buildChain } from '../../src/pki/chain.ts';
import { readDer } from '../../src/pki/der.ts';
import { encode, integer, objectIdentifier, octetString, parsed, sequenceOf } from '../../src/pki/der-write.ts';
import { writePem } from '../../src/pki/pem.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { fingerprints, issue, issueChain, newKey, pemOf, sameKey } from '../support/pki.ts';

const DSA = '1.2.840.10040.4.1';
const DIFFIE_HELLMAN = '1.2.840.113549.1.3.1';

function bigInteger(bits: number) {
  const bytes = Buffer.alloc(bits / 8, 0xb7);
  return parsed(Buffer.concat([Buffer.from('0282', 'hex'), lengthOf(bytes.length + 1), Buffer.alloc(1), bytes]));
}

function lengthOf(length: number): Buffer {
  return Buffer.from([length >> 8, length & 0xff]);
}

/**
 * Returns PKCS#8 whose public part needs a computation with numbers of ten thousand bits, which takes at least half a
 * second.
 */
function slowKey(kind: typeof DSA | typeof DIFFIE_HELLMAN): Buffer {
  const numbers = kind === DSA ? [bigInteger(9984), bigInteger(2048), integer(2)] : [bigInteger(9984), integer(2)];
  const algorithm = sequenceOf(objectIdentifier(kind), sequenceOf(...numbers));
  return encode(sequenceOf(integer(0), algorithm, octetString(encode(bigInteger(9984)))));
}

/** Encrypts any content as OpenSSL before 1.0, with the empty password. */
function oldEnvelope(label: string, content: Buffer): string {
  const iv = Buffer.alloc(16, 5);
  const first = hash('md5', iv.subarray(0, 8), 'buffer');
  const cipher = createCipheriv('aes-128-cbc', first, iv);
  const headers = `Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,${iv.toString('hex').toUpperCase()}\n\n`;
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()]);
  return writePem(label, encrypted).replace('-----\n', `-----\n${headers}`);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('keys that OpenSSL would compute with for minutes are refused unread', () => {
  it.each([
    ['DSA', slowKey(DSA)],
    ['Diffie-Hellman', slowKey(DIFFIE_HELLMAN)],
  ])('%s, whatever they are called and wrapped in', async (_, der) => {
    const wraps = [
      der,
      ...['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'].flatMap((label) => [
        Buffer.from(writePem(label, der)),
        Buffer.from(oldEnvelope(label, der)),
      ]),
      Buffer.from(oldEnvelope('DSA PRIVATE KEY', der)),
    ];
    for (const content of wraps) await expect(readBundle(content)).rejects.toMatchObject({ code: 'ERR_BAD_CONTENT' });
  });

  it('an encrypted key inside the old encryption, whose derivation OpenSSL would run at once', async () => {
    const inner = newKey('p-256').export({ format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: '' });
    const content = Buffer.from(oldEnvelope('ENCRYPTED PRIVATE KEY', inner));
    await expect(readBundle(content)).rejects.toMatchObject({ code: 'ERR_BAD_CONTENT' });
  });

  it('but DSA keys in use are read', async () => {
    const { privateKey } = generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 });
    const bundle = await readBundle(privateKey.export({ format: 'der', type: 'pkcs8' }));
    expect(sameKey(bundle.keys[0], privateKey)).toBe(true);
  });
});

describe('old and mislabelled keys are read', () => {
  it.each(['aes-128-cbc', 'aes-256-cbc', 'des-ede3-cbc', 'camellia-192-cbc'])(
    'in the encryption of OpenSSL before 1.0 with %s',
    async (cipher) => {
      for (const [type, key] of [
        ['pkcs1', newKey('rsa-2048')],
        ['sec1', newKey('p-256')],
      ] as const) {
        const pem = key.export({ format: 'pem', type, cipher, passphrase: 'pässwörd' });
        expect(pem).toContain('DEK-Info');
        const bundle = await readBundle(Buffer.from(pem), { password: new Secret('pässwörd') });
        expect(sameKey(bundle.keys[0], key)).toBe(true);
        await expect(readBundle(Buffer.from(pem), { password: new Secret('x') })).rejects.toThrow('does not open');
      }
    },
  );

  it('as what they are, whatever their label says', async () => {
    const key = newKey('p-256');
    for (const type of ['pkcs8', 'sec1'] as const) {
      const pem = writePem('RSA PRIVATE KEY', key.export({ format: 'der', type }));
      expect(sameKey((await readBundle(Buffer.from(pem))).keys[0], key)).toBe(true);
    }
  });

  it('in an unknown encryption is said', async () => {
    const pem = oldEnvelope('RSA PRIVATE KEY', Buffer.alloc(100)).replace('AES-128-CBC', 'IDEA-CBC');
    await expect(readBundle(Buffer.from(pem))).rejects.toThrow('not known here (IDEA-CBC); export it again');
  });
});

describe('too much of everything is refused', () => {
  it('more than 256 certificates, more than 20 keys, a certificate of more than 64 KiB', async () => {
    const { certificate, key } = await issue({ name: 'x' });
    const many = Buffer.concat(Array.from({ length: 257 }, () => certificate.raw));
    await expect(readBundle(many)).rejects.toThrow('holds more than 256 certificates');
    const der = key.export({ format: 'der', type: 'pkcs8' });
    const keys = Buffer.concat(Array.from({ length: 21 }, () => der));
    await expect(readBundle(keys)).rejects.toThrow('holds more than 20 private keys');
    const names = Array.from({ length: 4000 }, (_, i) => `host-${i}.example.com`);
    const huge = await issue({ name: 'x', dnsNames: names });
    await expect(readBundle(huge.certificate.raw)).rejects.toThrow(/certificate of \d+ bytes, and more than 65536/);
  });

  it('elements without length that hold tens of thousands of others', () => {
    const inner = Buffer.alloc(40_000, Buffer.from('0500', 'hex'));
    const bytes = Buffer.concat([Buffer.from('3080', 'hex'), inner, Buffer.alloc(2)]);
    expect(() => readDer(bytes)).toThrow('holds more than 10000 parts');
  });

  it('an RSA exponent as long as the key, which verifies a hundred times slower, proves nothing', async () => {
    const { e = '', d = '', ...numbers } = newKey('rsa-2048').export({ format: 'jwk' });
    const swapped = { ...numbers, e: d, d: e };
    const key = createPrivateKey({ key: swapped, format: 'jwk' });
    const { certificate } = await issue({ name: 'slow', ca: true, key });
    const verify = vi.spyOn(X509Certificate.prototype, 'verify');
    expect(await buildChain([certificate])).toMatchObject({ complete: false });
    expect(verify).not.toHaveBeenCalled();
  });
});

describe('a chain is built beside other work', () => {
  it('one signature in a turn of the event loop, none of them twice for several keys', async () => {
    const root = await issue({ name: 'Root', ca: true });
    const leaves = await Promise.all(Array.from({ length: 10 }, (_, i) => issue({ name: `leaf ${i}`, issuer: root })));
    const roots = await Promise.all(Array.from({ length: 10 }, (_, i) => issue({ name: `Root ${i}`, ca: true })));
    let turn = 0;
    let counting = setImmediate(function count() {
      turn++;
      counting = setImmediate(count);
    });
    const turns: number[] = [];
    const original = X509Certificate.prototype.verify;
    vi.spyOn(X509Certificate.prototype, 'verify').mockImplementation(function verify(this: X509Certificate, key) {
      turns.push(turn);
      return original.call(this, key);
    });
    const certificates = [root, ...leaves, ...roots].map(({ certificate }) => certificate);
    const { fits, chain } = await pairKey({ keys: leaves.map(({ key }) => key), certificates });
    clearImmediate(counting);
    expect([fits, chain.complete]).toEqual([true, true]);
    expect(turns).toHaveLength(leaves.length + 1 + roots.length);
    expect(new Set(turns).size).toBe(turns.length);
  });

  it('until its caller goes away', async () => {
    const { certificates, leaf } = await issueChain();
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(pairKey({ keys: [leaf.key], certificates }, { signal })).rejects.toThrow('gone');
  });
});

describe('large contents under old ciphers', () => {
  it('are read over many slices', async () => {
    const { leaf, certificates } = await issueChain();
    const others = await Promise.all(Array.from({ length: 100 }, (_, i) => issue({ name: `other ${i}` })));
    const all = [...certificates, ...others.map(({ certificate }) => certificate)];
    for (const form of [PKCS12_FORMS.keyVault, PKCS12_FORMS.legacy]) {
      const content = await writePkcs12(
        { key: leaf.key, certificates: all },
        { ...form, password: null, seed: Buffer.from('seed') },
      );
      expect(content.length).toBeGreaterThan(40_000);
      const bundle = await readBundle(content);
      expect(pemOf(bundle.certificates)).toBe(pemOf(all));
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints(all));
    }
  });
});
