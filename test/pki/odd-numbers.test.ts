import {
  createECDH,
  createPrivateKey,
  generateKeyPairSync,
  generatePrimeSync,
  getCurves,
  X509Certificate,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { buildChain } from '../../src/pki/chain.ts';
import { curveOf, KNOWN_CURVES } from '../../src/pki/curves.ts';
import { readDer, sequence, TAG } from '../../src/pki/der.ts';
import { inspectBundle } from '../../src/pki/inspect.ts';
import { writePem } from '../../src/pki/pem.ts';
import { describeKey, publicKeyFromPem, publicKeyNameOf, publicKeyOf } from '../../src/pki/public-key.ts';
import {
  certificateWithoutParameters,
  EC,
  ecKey,
  INFINITE_KEY,
  infiniteCertificate,
  LONG_NUMBER,
  P256,
  P384,
  SM2,
  SM2_KEY,
  sec1,
} from '../support/odd-samples.ts';
import { issue, newKey, pemOf, spki, tlv, withPublicKey } from '../support/pki.ts';

const UNSOUND = 'its numbers do not belong together';
const UNREADABLE = 'private key that cannot be read';
const NO_CURVE = 'on an unknown curve';

/** The order of P-256. */
const ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
const NUMBER = '07'.repeat(32);
const ecdh = createECDH('prime256v1');
ecdh.setPrivateKey(Buffer.from(NUMBER, 'hex'));
const point = (form: 'compressed' | 'hybrid' | 'uncompressed') => `00${ecdh.getPublicKey('hex', form)}`;

const pkcs8 = (number: string, pointHex?: string) =>
  ecKey(P256, sec1(number, pointHex === undefined ? {} : { point: pointHex }));

/** Returns the numbers of an RSA key as PKCS#1, with some of them changed. */
function rsa(changes: Readonly<Partial<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', string>>>): Buffer {
  const jwk = { ...rsaKey.export({ format: 'jwk' }) };
  const numbers = (['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const).map((name) => {
    const hex = changes[name] ?? `00${Buffer.from(String(jwk[name]), 'base64url').toString('hex')}`;
    return tlv(2, hex);
  });
  return tlv(0x30, '020100', ...numbers);
}
const rsaKey = newKey('rsa-2048');

/** Returns an Ed25519 (70), X25519 (6e) or similar key with a secret of any size. */
const fixed = (kind: string, size: number) =>
  tlv(0x30, '020100', tlv(0x30, `06032b65${kind}`), tlv(4, tlv(4, Buffer.alloc(size, 9))));

const dsaKey = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey;
function dsa(number: string): Buffer {
  const [, algorithm] = sequence(readDer(dsaKey.export({ format: 'der', type: 'pkcs8' })));
  return tlv(0x30, '020100', algorithm?.raw ?? '', tlv(4, tlv(2, number)));
}

/** Returns PKCS#1 with three primes. `change` is added to the coefficient of the third one. */
function threePrimes(change: bigint): Buffer {
  const e = 65_537n;
  for (;;) {
    const [p, q, r] = [1, 2, 3].map(() => generatePrimeSync(683, { bigint: true })) as [bigint, bigint, bigint];
    const phi = (p - 1n) * (q - 1n) * (r - 1n);
    if (phi % e === 0n) continue;
    const d = inverse(e, phi);
    const numbers = [p * q * r, e, d, p, q, d % (p - 1n), d % (q - 1n), inverse(q, p)].map(integerOf);
    const third = [r, d % (r - 1n), inverse(p * q, r) + change].map(integerOf);
    return tlv(0x30, '020101', ...numbers, tlv(0x30, tlv(0x30, ...third)));
  }
}

function integerOf(number: bigint): Buffer {
  const hex = number.toString(16);
  return tlv(2, `00${hex.padStart(hex.length + (hex.length % 2), '0')}`);
}

function inverse(number: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [number % modulus, modulus, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return ((x % modulus) + modulus) % modulus;
}

const explicit = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve, paramEncoding: 'explicit' }).privateKey.export({
    format: 'der',
    type: 'pkcs8',
  });

/** Returns explicit parameters of P-256 with another base point, as in CVE-2020-0601. */
function foreignBase(): Buffer {
  const der = explicit('P-256');
  const base = Buffer.from('046b17d1f2', 'hex');
  der[der.indexOf(base) + 10] = 0;
  return der;
}

const KEYS: readonly (readonly [string, Buffer | string, string])[] = [
  ['a number of 48 bytes on P-256 (SEC 1)', LONG_NUMBER, UNSOUND],
  ['a number of 48 bytes on P-256 (PKCS#8)', pkcs8('17'.repeat(48)), UNSOUND],
  ['a number of 33 bytes with its point', pkcs8(`01${NUMBER}`, point('uncompressed')), UNSOUND],
  ['a number of 33 bytes on SM2', SM2_KEY, UNSOUND],
  ['a number of 2,000 bytes', pkcs8('17'.repeat(2000)), UNSOUND],
  ['the number 0', pkcs8('00'.repeat(32)), UNSOUND],
  ['no number', pkcs8(''), UNSOUND],
  ['the order as the number', pkcs8(ORDER), UNSOUND],
  ['the point at infinity', INFINITE_KEY, UNSOUND],
  ['an empty point', pkcs8(NUMBER, '00'), UNSOUND],
  ['a hybrid point', pkcs8(NUMBER, point('hybrid')), UNSOUND],
  ['a point cut short', pkcs8(NUMBER, point('uncompressed').slice(0, -2)), UNSOUND],
  ['a point that is not on the curve', pkcs8(NUMBER, `0004${'05'.repeat(64)}`), UNSOUND],
  ['two curves', ecKey(P384, sec1(NUMBER, { parameters: P256 })), UNSOUND],
  ['an unknown curve', ecKey('06032a0304', sec1(NUMBER)), NO_CURVE],
  ['a curve of its own', foreignBase(), NO_CURVE],
  ['NULL for a curve', ecKey('0500', sec1(NUMBER)), UNREADABLE],
  ['no curve', sec1(NUMBER), NO_CURVE],
  ['RSA with the modulus 0', rsa({ n: '00' }), UNSOUND],
  ['RSA with an even modulus', rsa({ n: `00${'aa'.repeat(256)}` }), UNSOUND],
  ['RSA with the exponent 0', rsa({ e: '00' }), UNSOUND],
  ['RSA with an empty exponent', rsa({ e: '' }), UNSOUND],
  ['RSA with the prime 1', rsa({ p: '01' }), UNSOUND],
  ['RSA with another secret exponent', rsa({ d: '0badc0de01' }), UNSOUND],
  ['RSA with three primes, the last of which has another coefficient', threePrimes(1n), UNSOUND],
  ['Ed25519 of 31 bytes', fixed('70', 31), UNREADABLE],
  ['Ed448 of 32 bytes', fixed('71', 32), UNREADABLE],
  ['X25519 of 33 bytes', fixed('6e', 33), UNREADABLE],
  ['DSA with the number 0', dsa('00'), UNSOUND],
  ['DSA with a number as large as may be', dsa(`00${'ff'.repeat(20)}`), UNSOUND],
];

describe('a private key whose numbers contradict each other is refused before OpenSSL sees it', () => {
  it.each(KEYS)('%s', async (_, key, message) => {
    const pem = typeof key === 'string' ? key : writePem('PRIVATE KEY', key);
    const error = await readBundle(Buffer.from(pem)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_BAD_CONTENT', message: expect.stringContaining(message) });
  });
});

describe('an unusual private key is read', () => {
  it.each([
    ['a number with a zero before it', pkcs8(`00${NUMBER}`), 'EC P-256'],
    ['a number without the zeros it should have', ecKey(P256, sec1('2a')), 'EC P-256'],
    ['no public point', pkcs8(NUMBER), 'EC P-256'],
    ['a compressed point', pkcs8(NUMBER, point('compressed')), 'EC P-256'],
    ['the curve written out', explicit('P-384'), 'EC P-384'],
    ['SM2', ecKey(SM2, sec1('01'.repeat(32))), 'EC SM2'],
    ['RSA numbers without the zero before them', rsa({ n: withoutSign(rsaKey) }), 'RSA 2048'],
    ['RSA with three primes', threePrimes(0n), /^RSA 204[6-9]$/],
    ['DSA', dsa('2a'), 'DSA 1024'],
  ])('%s', async (_, der, kind) => {
    const { keys } = await readBundle(Buffer.from(writePem('PRIVATE KEY', der)));
    expect(keys.map(describeKey)).toEqual([expect.stringMatching(kind)]);
    const [key] = keys;
    const written = key?.export({ format: 'der', type: 'pkcs8' }) ?? Buffer.alloc(0);
    expect(createPrivateKey({ key: written, format: 'der', type: 'pkcs8' }).type).toBe('private');
    // Programs that accept only named curves can read the written key.
    expect(written.includes(Buffer.from('06072a8648ce3d0101', 'hex'))).toBe(false);
  });
});

/** Returns a key whose modulus is a negative number, as some programs write it. */
function withoutSign(key: typeof rsaKey): string {
  return Buffer.from(String(key.export({ format: 'jwk' }).n), 'base64url').toString('hex');
}

describe('a certificate whose key OpenSSL must not see', async () => {
  const issued = await issue({ name: 'odd.example', ca: true });
  const info = (algorithm: Buffer, key: Buffer | string) => tlv(0x30, algorithm, tlv(3, '00', key));
  const ec = (hex: string) => info(tlv(0x30, EC, P256), hex);
  const rsaInfo = (n: string, e: string) =>
    info(tlv(0x30, '06092a864886f70d010101', '0500'), tlv(0x30, tlv(2, n), tlv(2, e)));
  const rows: readonly (readonly [string, Buffer, string])[] = [
    ['the point at infinity', infiniteCertificate(issued), 'EC P-256'],
    ['DSA without parameters', certificateWithoutParameters(issued), 'DSA'],
    ...(
      [
        ['a hybrid point', ec(point('hybrid').slice(2)), 'EC P-256'],
        ['a point that is too long', ec(`${point('uncompressed').slice(2)}00`), 'EC P-256'],
        ['a point that is not on the curve', ec(`04${'05'.repeat(64)}`), 'EC P-256'],
        ['no point at all', ec(''), 'EC P-256'],
        ['an unknown curve', info(tlv(0x30, EC, '06032a0304'), '04'), 'EC without a name'],
        ['no curve', info(tlv(0x30, EC), '04'), 'unknown'],
        ['RSA with an even modulus', rsaInfo(`00${'aa'.repeat(256)}`, '010001'), 'RSA 2048'],
        ['RSA with the modulus 0', rsaInfo('00', '010001'), 'RSA 0'],
        ['RSA with the exponent 1', rsaInfo(`00${'ab'.repeat(256)}`, '01'), 'RSA 2048'],
        ['RSA with 20,000 bits', rsaInfo(`00${'ab'.repeat(2500)}`, '010001'), 'RSA 20000'],
        ['Ed25519 of 31 bytes', info(tlv(0x30, '06032b6570'), Buffer.alloc(31)), 'Ed25519'],
      ] as const
    ).map(([what, key, name]) => [what, withPublicKey(issued.certificate, key), name] as const),
  ];

  it.each(rows)('is read as a certificate, named and never used: %s', async (_, der, name) => {
    const bundle = await readBundle(Buffer.from(writePem('CERTIFICATE', der)));
    const inspection = await inspectBundle(bundle, { now: 0 });
    expect(inspection.certificates.map(({ key }) => key)).toEqual([name]);
    const certificate = new X509Certificate(der);
    expect(() => publicKeyOf(certificate)).toThrow(expect.objectContaining({ code: 'ERR_BAD_CONTENT' }));
    const leaf = await issue({ name: 'leaf.example', issuer: issued });
    expect(await buildChain([leaf.certificate, certificate])).toMatchObject({ complete: false, intermediates: [] });
  });

  it('but one whose curve is written out may be used', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
    const info = publicKey.export({ format: 'der', type: 'spki' });
    const certificate = new X509Certificate(withPublicKey(issued.certificate, info));
    expect([publicKeyNameOf(certificate), publicKeyOf(certificate).type]).toEqual(['EC P-256', 'public']);
  });

  it('stands beside good ones without harm', async () => {
    const pem = pemOf([issued.certificate]) + writePem('CERTIFICATE', infiniteCertificate(issued));
    const { certificates } = await readBundle(Buffer.from(pem));
    expect(certificates).toHaveLength(2);
  });
});

describe('a public key alone', () => {
  it.each(['p-256', 'rsa-2048', 'ed25519'] as const)('is read from PEM: %s', async (keyType) => {
    const { certificate, key } = await issue({ name: 'x', keyType });
    for (const pem of [writePem('PUBLIC KEY', spki(key)), certificate.toString()]) {
      expect(publicKeyFromPem(pem).export({ format: 'der', type: 'spki' })).toEqual(spki(key));
    }
    expect(publicKeyNameOf(certificate)).toBe(describeKey(key));
  });

  it.each([
    ['the point at infinity', writePem('PUBLIC KEY', tlv(0x30, tlv(0x30, EC, P256), tlv(3, '0000')))],
    ['RSA with the modulus 0', writePem('RSA PUBLIC KEY', tlv(0x30, tlv(2, '00'), tlv(2, '010001')))],
    ['a private key', INFINITE_KEY],
    ['no PEM', 'x'],
    ['no certificate', writePem('CERTIFICATE', Buffer.from('3000', 'hex'))],
  ])('is refused: %s', (_, pem) => {
    expect(() => publicKeyFromPem(pem)).toThrow(expect.objectContaining({ code: 'ERR_BAD_CONTENT' }));
  });
});

describe('curves', () => {
  const parametersOf = (namedCurve: string, paramEncoding: 'named' | 'explicit') => {
    const key = generateKeyPairSync('ec', { namedCurve, paramEncoding }).publicKey;
    return sequence(sequence(readDer(key.export({ format: 'der', type: 'spki' })))[0])[1];
  };

  it('are those of OpenSSL', () => {
    const known = new Set(KNOWN_CURVES.map(({ name }) => name));
    expect(getCurves().filter((name) => !known.has(name) && !name.startsWith('Oakley'))).toEqual([]);
  });

  it.each(KNOWN_CURVES.filter(({ name }) => getCurves().includes(name)))(
    '$name has its identifier and size',
    (curve) => {
      expect(curveOf(parametersOf(curve.name, 'named'))).toEqual(curve);
      const { length } = createECDH(curve.name).generateKeys();
      expect(curve.bytes).toBe((length - 1) / 2);
      // The name can differ, because some curves have the same numbers.
      expect(curveOf(parametersOf(curve.name, 'explicit'))?.bytes).toBe(curve.bytes);
    },
  );

  it.each(['prime256v1', 'secp521r1', 'brainpoolP320r1', 'brainpoolP512t1', 'sect233r1', 'c2pnb163v1', 'SM2'])(
    '%s is known by its numbers too',
    (name) => expect(curveOf(parametersOf(name, 'explicit'))?.name).toBe(name),
  );

  it('an unknown one is none', () => {
    const [version, field, curve, , order] = sequence(parametersOf('prime256v1', 'explicit'));
    const [, , , other] = sequence(parametersOf('secp256k1', 'explicit'));
    const parts = [version, field, curve, other, order].map((part) => part?.raw ?? Buffer.alloc(0));
    expect(curveOf(readDer(tlv(TAG.sequence, ...parts)))).toBeUndefined();
  });
});
