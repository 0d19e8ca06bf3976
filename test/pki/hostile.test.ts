import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import {
  type Asn1,
  encode,
  explicit,
  implicitOctets,
  integer,
  nullValue,
  objectIdentifier,
  octetString,
  parsed,
  sequenceOf,
} from '../../src/pki/der-write.ts';
import { WorkBudget } from '../../src/pki/kdf.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { issueChain } from '../support/pki.ts';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const SHA1 = '1.3.14.3.2.26';

async function refusal(content: Buffer, password?: Secret): Promise<string> {
  const error = await readBundle(content, password === undefined ? {} : { password }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ProviderError);
  expect(error).toMatchObject({ code: 'ERR_BAD_CONTENT' });
  return error instanceof Error ? error.message : '';
}

function dataPart(content: Buffer): Asn1 {
  return sequenceOf(objectIdentifier(DATA), explicit(0, octetString(content)));
}

function encryptedPart(algorithm: Asn1, content = Buffer.alloc(64)): Asn1 {
  const info = sequenceOf(objectIdentifier(DATA), algorithm, implicitOctets(0, content));
  return sequenceOf(objectIdentifier(ENCRYPTED_DATA), explicit(0, sequenceOf(integer(0), info)));
}

function pfx(parts: readonly Asn1[], mac?: Asn1): Buffer {
  const safe = dataPart(encode(sequenceOf(...parts)));
  return encode(sequenceOf(integer(3), safe, ...(mac === undefined ? [] : [mac])));
}

function macOf(iterations: Asn1, salt = Buffer.alloc(8)): Asn1 {
  const digest = sequenceOf(sequenceOf(objectIdentifier(SHA1), nullValue()), octetString(Buffer.alloc(20)));
  return sequenceOf(digest, octetString(salt), iterations);
}

function big(hex: string): Asn1 {
  const bytes = Buffer.from(hex, 'hex');
  return parsed(Buffer.concat([Buffer.from([2, bytes.length]), bytes]));
}

function pbkdf2(iterations: Asn1, salt = Buffer.alloc(8)): Asn1 {
  return sequenceOf(objectIdentifier('1.2.840.113549.1.5.12'), sequenceOf(octetString(salt), iterations));
}

function pbes2(kdf: Asn1): Asn1 {
  const aes = sequenceOf(objectIdentifier('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(16)));
  return sequenceOf(objectIdentifier('1.2.840.113549.1.5.13'), sequenceOf(kdf, aes));
}

function tripleDes(iterations: Asn1): Asn1 {
  return sequenceOf(objectIdentifier('1.2.840.113549.1.12.1.3'), sequenceOf(octetString(Buffer.alloc(8)), iterations));
}

function scrypt(N: Asn1, r: number, p: number): Asn1 {
  const parameters = sequenceOf(octetString(Buffer.alloc(8)), N, integer(r), integer(p));
  return sequenceOf(objectIdentifier('1.3.6.1.4.1.11591.4.11'), parameters);
}

describe('hostile key derivations are refused before they cost anything', () => {
  it.each([
    ['a MAC of a million and one iterations', pfx([], macOf(big('0f4241'))), /asks for 1000001 iterations/],
    ['a MAC of two billion iterations', pfx([], macOf(big('7fffffff'))), /asks for 2147483647 iterations/],
    ['a MAC of 2^120 iterations', pfx([], macOf(big(`7f${'ff'.repeat(14)}`))), /asks for far too many iterations/],
    ['a MAC of no iterations', pfx([], macOf(integer(0))), /is damaged/],
    ['a MAC of minus one iterations', pfx([], macOf(big('ff'))), /is damaged/],
    [
      'a MAC with a salt of two hundred thousand bytes',
      pfx([], macOf(integer(1), Buffer.alloc(200_000))),
      /salt of 200000 bytes/,
    ],
    ['PBES2 with five million iterations', pfx([encryptedPart(pbes2(pbkdf2(big('4c4b40'))))]), /asks for 5000000 iter/],
    [
      '3DES with five million iterations',
      pfx([encryptedPart(tripleDes(big('4c4b40')))]),
      /asks for 5000000 iterations/,
    ],
    [
      'scrypt with 4 GiB of memory',
      pfx([encryptedPart(pbes2(scrypt(big('400000'), 8, 1)))]),
      /too much memory or work/,
    ],
    ['scrypt with a thousand passes', pfx([encryptedPart(pbes2(scrypt(big('4000'), 8, 1000)))]), /too much memory/],
    ['scrypt with N that is no power of two', pfx([encryptedPart(pbes2(scrypt(big('4001'), 8, 1)))]), /is damaged/],
    [
      'an unknown cipher',
      pfx([encryptedPart(sequenceOf(objectIdentifier('1.2.3.4'), nullValue()))]),
      /not known here \(1\.2\.3\.4\)/,
    ],
  ])('%s', async (_, content, message) => {
    expect(await refusal(content)).toMatch(message);
  });

  it('many allowed ones that are too much in all', () => {
    const budget = new WorkBudget();
    for (let i = 0; i < 5; i++) budget.spend(1_000_000, 2);
    expect(() => budget.spend(1, 1)).toThrow('too much work in its key derivations');
  });
});

describe('hostile structures are refused', () => {
  it.each([
    ['100 MB of zeros', Buffer.alloc(100_000_000), /has more than 262144 bytes/],
    ['250 kB of zeros', Buffer.alloc(250_000), /neither PKCS#12 nor PEM nor DER/],
    [
      'a quarter of a megabyte of opened sequences',
      Buffer.alloc(250_000, Buffer.from('3080', 'hex')),
      /truncated or damaged/,
    ],
    [
      'opened octet strings without end',
      Buffer.concat([Buffer.from('3080', 'hex'), Buffer.alloc(250_000, Buffer.from('2480', 'hex'))]),
      /truncated or damaged/,
    ],
    [
      'empty sequences by the hundred thousand',
      Buffer.concat([
        Buffer.from('3083', 'hex'),
        Buffer.from('03d090', 'hex'),
        Buffer.alloc(250_000, Buffer.from('3000', 'hex')),
      ]),
      /holds more than 10000 parts/,
    ],
    ['a length of 4 GiB', Buffer.from('3084ffffffff020103', 'hex'), /truncated or damaged/],
    ['a length of 2^1000', Buffer.from(`30ff${'ff'.repeat(126)}020103`, 'hex'), /truncated or damaged/],
    ['an endless tag', Buffer.from(`3003bf${'ff'.repeat(50)}`, 'hex'), /./],
    [
      'a PKCS#12 of ten thousand bags',
      pfx([
        dataPart(
          encode(
            sequenceOf(
              ...Array.from({ length: 5000 }, () => sequenceOf(objectIdentifier('1.2.3'), explicit(0, nullValue()))),
            ),
          ),
        ),
      ]),
      /holds more than 1000 entries/,
    ],
    ['bags in bags in bags', pfx([dataPart(encode(sequenceOf(nestedBag(12))))]), /nested more than 4 levels/],
    [
      'PEM of seven thousand blocks',
      Buffer.from('-----BEGIN A-----\n-----END A-----\n'.repeat(7_000)),
      /more than 1000 blocks/,
    ],
    ['PEM that only begins', Buffer.from('-----BEGIN A-----\n'.repeat(14_000)), /without its END/],
    ['nothing but base64', Buffer.from('A'.repeat(250_000)), /neither PKCS#12 nor PEM nor DER/],
    [
      'a private key of a hundred thousand digits',
      Buffer.from(
        `-----BEGIN PRIVATE KEY-----\n${encode(sequenceOf(integer(0), octetString(Buffer.alloc(100_000)))).toString('base64')}\n-----END PRIVATE KEY-----`,
      ),
      /too large for any use/,
    ],
  ])('%s', async (_, content, message) => {
    expect(await refusal(content)).toMatch(message);
  });

  it('a password longer than any', async () => {
    expect(await refusal(Buffer.from('x'), new Secret('p'.repeat(5000)))).toMatch(/password longer than 4096/);
  });
});

describe('work that is allowed leaves the event loop to others', () => {
  it('long derivations in JavaScript take turns with everything else', async () => {
    const { leaf, certificates } = await issueChain();
    const form = { ...PKCS12_FORMS.legacy, password: null, seed: Buffer.alloc(1), iterations: 20_000 };
    const content = await writePkcs12({ key: leaf.key, certificates }, form);
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(Array.from({ length: 5 }, () => readBundle(content)));
    running = false;
    // There are seven derivations of 20,000 digests in each of five files, with at most 1,024 digests per turn.
    expect(turns).toBeGreaterThan((5 * 7 * 20_000) / 1024);
  });

  it('short ones overtake long ones', async () => {
    const { leaf, certificates } = await issueChain();
    const contents = { key: leaf.key, certificates };
    const seed = Buffer.alloc(1);
    const long = await writePkcs12(contents, { ...PKCS12_FORMS.legacy, password: null, seed, iterations: 60_000 });
    const short = await writePkcs12(contents, { ...PKCS12_FORMS.keyVault, password: null, seed });
    const finished: string[] = [];
    const first = readBundle(long).then(() => finished.push('long'));
    const second = readBundle(short).then(() => finished.push('short'));
    await Promise.all([first, second]);
    expect(finished).toEqual(['short', 'long']);
  });

  it('a caller that went away stops them', async () => {
    const { leaf, certificates } = await issueChain();
    const form = { ...PKCS12_FORMS.legacy, password: null, seed: Buffer.alloc(1), iterations: 60_000 };
    const content = await writePkcs12({ key: leaf.key, certificates }, form);
    const controller = new AbortController();
    const reading = readBundle(content, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('the caller went away')));
    await expect(reading).rejects.toThrow('the caller went away');
    await expect(readBundle(content, { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone');
  });
});

function nestedBag(depth: number): Asn1 {
  const inner = depth === 0 ? sequenceOf() : sequenceOf(nestedBag(depth - 1));
  return sequenceOf(objectIdentifier('1.2.840.113549.1.12.10.1.6'), explicit(0, inner));
}
