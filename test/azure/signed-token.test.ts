import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type IssuerKey, readKeySet, UnusableDocument } from '../../src/azure/login/jwks.ts';
import { claimsProblem, isSignedBy, keyOf, readSignedToken } from '../../src/azure/login/signed-token.ts';
import { publicPartOf } from '../../src/emulator/world/key-material.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { newKey, sharedKey } from '../support/pki.ts';
import { podClaims, podToken, publicJwkOf } from '../support/pod-tokens.ts';

const NOW = Date.UTC(2030, 0, 1);
const ISSUER = 'https://cluster.example';
const rsa = sharedKey('rsa-2048', 'cluster');
const thief = sharedKey('rsa-2048', 'thief');
const p256 = sharedKey('p-256', 'cluster');
const p384 = sharedKey('p-384', 'cluster');
const p521 = sharedKey('p-521', 'cluster');
const claims = podClaims(ISSUER, NOW);
const KEYS = readKeySet({
  keys: [
    publicJwkOf(rsa, 'key-1'),
    publicJwkOf(p256, 'p256'),
    publicJwkOf(p384, 'p384'),
    publicJwkOf(p521, 'p521'),
    publicJwkOf(rsa, 'only-rs256', { alg: 'RS256' }),
  ],
});

function isVerified(text: string, keys: readonly IssuerKey[] = KEYS): boolean {
  const token = readSignedToken(text);
  const key = token && keyOf(token, keys);
  return token !== undefined && key !== undefined && isSignedBy(token, key);
}

describe('a signed token', () => {
  it.each([
    ['RS256', 'key-1', rsa],
    ['RS384', 'key-1', rsa],
    ['RS512', 'key-1', rsa],
    ['PS256', 'key-1', rsa],
    ['RS256', 'only-rs256', rsa],
    ['ES256', 'p256', p256],
    ['ES384', 'p384', p384],
    ['ES512', 'p521', p521],
  ])('of %s by the key %s is verified', (alg, kid, key) => {
    expect(isVerified(podToken({ key, claims, header: { alg, kid } }))).toBe(true);
    expect(isVerified(podToken({ key, claims, header: { alg, kid, typ: 'JWT' } }))).toBe(true);
  });

  it.each([
    ['of another key under the same key ID', podToken({ key: thief, claims })],
    ['of an unknown key ID', podToken({ key: rsa, claims, header: { kid: 'key-2' } })],
    ['without a key ID', podToken({ key: rsa, claims, header: { kid: undefined } })],
    ['that says it is not signed', podToken({ key: rsa, claims, header: { alg: 'none' } })],
    ['with the public key as a shared secret', podToken({ key: rsa, claims, header: { alg: 'HS256' } })],
    ['of an algorithm of another case', podToken({ key: rsa, claims, headerText: '{"alg":"rs256","kid":"key-1"}' })],
    [
      'of an algorithm that is a name of objects',
      podToken({ key: rsa, claims, headerText: '{"alg":"constructor","kid":"key-1"}' }),
    ],
    ['of RSA with the key ID of an EC key', podToken({ key: rsa, claims, header: { kid: 'p256' } })],
    ['of EC with the key ID of an RSA key', podToken({ key: p256, claims, header: { alg: 'ES256' } })],
    ['of a curve other than the key has', podToken({ key: p256, claims, header: { alg: 'ES384', kid: 'p256' } })],
    [
      'of an algorithm that its key is not for',
      podToken({ key: rsa, claims, header: { alg: 'PS256', kid: 'only-rs256' } }),
    ],
    ['with a key of its own', podToken({ key: thief, claims, header: { jwk: publicJwkOf(thief, 'key-1') } })],
    ['with an address of keys', podToken({ key: thief, claims, header: { jku: 'https://evil.example/keys' } })],
    ['with an address of certificates', podToken({ key: thief, claims, header: { x5u: 'https://evil.example/' } })],
    ['with critical extensions', podToken({ key: rsa, claims, header: { crit: ['b64'], b64: true } })],
    ['of another type', podToken({ key: rsa, claims, header: { typ: 'secevent+jwt' } })],
    ['with two algorithms', podToken({ key: rsa, claims, headerText: '{"alg":"none","kid":"key-1","alg":"RS256"}' })],
    [
      'with two subjects',
      podToken({
        key: rsa,
        claimsText: `${JSON.stringify(claims).slice(0, -1)},"sub":"system:serviceaccount:other:x"}`,
      }),
    ],
    ['with a header that is an array', podToken({ key: rsa, claims, headerText: '["RS256"]' })],
    ['with a header of 5 KB', podToken({ key: rsa, claims, header: { x5c: 'x'.repeat(5000) } })],
    [
      'with claims that nest deep',
      podToken({ key: rsa, claims: { ...claims, deep: JSON.parse('['.repeat(9) + ']'.repeat(9)) } }),
    ],
    ['with 17 KB', podToken({ key: rsa, claims: { ...claims, long: 'x'.repeat(17 * 1024) } })],
    [
      'that is not UTF-8',
      podToken({ key: rsa, claimsText: Buffer.from(JSON.stringify({ ...claims, sub: 'system:\xff' }), 'latin1') }),
    ],
    [
      'with 17 KB, in header and claims',
      podToken({ key: rsa, claims: { ...claims, long: 'x'.repeat(9000) }, header: { x5c: 'x'.repeat(3900) } }),
    ],
    ['without a signature', mangled(([header, body]) => [header, body, ''])],
    ['of two parts', mangled(([header, body]) => [header, body])],
    ['of four parts', mangled((parts) => [...parts, 'x'])],
    ['with a cut signature', mangled(([header, body, end]) => [header, body, end?.slice(0, -4)])],
    [
      'with a changed signature',
      mangled(([header, body, end = '']) => [header, body, `${end[0] === 'A' ? 'B' : 'A'}${end.slice(1)}`]),
    ],
    [
      'with changed claims',
      mangled(([header, , end]) => [header, partOf({ ...claims, sub: 'system:serviceaccount:x:y' }), end]),
    ],
    ['with padding', mangled(([header, body, end]) => [header, body, `${end}==`])],
    ['with spare bits in the signature', mangled(([header, body, end = '']) => [header, body, spareBits(end)])],
    ['that is empty', ''],
  ])('%s is refused', (_, token) => {
    expect(isVerified(podToken({ key: rsa, claims }))).toBe(true);
    expect(isVerified(token)).toBe(false);
  });

  it.each([0, 1, 63, 65, 200])('of an EC key with a signature of %d bytes is refused', (bytes) => {
    const [header, body] = podToken({ key: p256, claims, header: { alg: 'ES256', kid: 'p256' } }).split('.');
    expect(isVerified(`${header}.${body}.${Buffer.alloc(bytes, 1).toString('base64url')}`)).toBe(false);
  });

  it('is refused at each single character that is changed', () => {
    const token = podToken({ key: p256, claims, header: { alg: 'ES256', kid: 'p256' } });
    const changed = [...token].map((char, i) => `${token.slice(0, i)}${char === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`);
    expect(changed.filter((text) => isVerified(text))).toEqual([]);
  });
});

/** A sound token whose parts are changed. */
function mangled(change: (parts: string[]) => (string | undefined)[]): string {
  return change(podToken({ key: rsa, claims }).split('.')).join('.');
}

function partOf(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The same 256 bytes in another text: two bits of the last character are spare. */
function spareBits(end: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return `${end.slice(0, -1)}${alphabet[alphabet.indexOf(end.at(-1) ?? '') + 1]}`;
}

describe('the claims of a token', () => {
  const seconds = NOW / 1000;
  const problem = (change: object) =>
    claimsProblem({ ...claims, ...change }, { audience: WORKLOAD_IDENTITY_AUDIENCE, now: NOW });

  it.each([
    ['as a cluster makes them', {}],
    ['with one audience as a text', { aud: WORKLOAD_IDENTITY_AUDIENCE }],
    ['with a further audience', { aud: ['x', WORKLOAD_IDENTITY_AUDIENCE] }],
    ['without nbf and iat', { nbf: undefined, iat: undefined }],
    ['that ended 59 seconds ago', { exp: seconds - 59 }],
    ['that begin in 60 seconds', { nbf: seconds + 60, iat: seconds + 60 }],
  ])('%s count', (_, change) => expect(problem(change)).toBeUndefined());

  it.each([
    ['expired', { exp: seconds - 60 }, 'it has expired'],
    ['without exp', { exp: undefined }, 'it has expired'],
    ['with exp as a text', { exp: '9999999999' }, 'it has expired'],
    ['of the future by nbf', { nbf: seconds + 61 }, 'it is not valid yet'],
    ['of the future by iat', { iat: seconds + 61 }, 'it is not valid yet'],
    ['with nbf as a text', { nbf: '0' }, 'it is not valid yet'],
    ['with iat null', { iat: null }, 'it is not valid yet'],
    ['for another audience', { aud: ['https://kubernetes.default.svc'] }, 'it is for another audience'],
    ['for an audience that contains it', { aud: `${WORKLOAD_IDENTITY_AUDIENCE}2` }, 'it is for another audience'],
    ['without audience', { aud: undefined }, 'it is for another audience'],
    ['without subject', { sub: undefined }, 'it names no subject'],
    ['with an empty subject', { sub: '' }, 'it names no subject'],
  ])('%s do not count', (_, change, reason) => expect(problem(change)).toBe(reason));
});

describe('a key set', () => {
  const jwk = publicJwkOf(rsa, 'k');
  const ec = publicJwkOf(p256, 'k');
  const other = publicJwkOf(sharedKey('p-256', 'other'), 'k');
  const isUsed = (key: object) => {
    const keys = readKeySet({ keys: [key, publicJwkOf(rsa, 'last')] });
    return keys.length === 2;
  };

  it.each([
    ['RSA 2048', jwk],
    ['RSA 4096', publicJwkOf(newKey('rsa-4096'), 'k')],
    ['P-256', ec],
    ['for verification', { ...jwk, use: undefined, key_ops: ['verify'] }],
    ['with a certificate beside it', { ...jwk, x5c: ['MIIB'] }],
  ])('has a key that is used: %s', (_, key) => expect(isUsed(key)).toBe(true));

  it.each([
    ['RSA 1024', publicJwkOf(sharedKey('rsa-1024'), 'k')],
    ['RSA of 8200 bits', { ...jwk, n: Buffer.alloc(1025, 255).toString('base64url') }],
    ['RSA of an even modulus', { ...jwk, n: Buffer.alloc(256, 254).toString('base64url') }],
    [
      'RSA with leading zeros in place of length',
      { ...jwk, n: Buffer.concat([Buffer.alloc(200), Buffer.alloc(56, 255)]).toString('base64url') },
    ],
    ['RSA with exponent 1', { ...jwk, e: 'AQ' }],
    ['RSA with exponent 2', { ...jwk, e: 'Ag' }],
    ['RSA with an exponent of five bytes', { ...jwk, e: 'AQAAAAE' }],
    ['RSA without exponent', { ...jwk, e: undefined }],
    ['RSA with a padded modulus', { ...jwk, n: `${jwk.n}==` }],
    ['EC with a point off the curve', { ...ec, y: other.y }],
    ['EC with the numbers of another curve', { ...ec, crv: 'P-384' }],
    ['EC of a curve that nobody signs with', publicJwkOf(sharedKey('secp256k1'), 'k')],
    ['EC with a long coordinate', { ...ec, x: Buffer.alloc(33, 1).toString('base64url') }],
    ['EC of a curve that is a name of objects', { ...ec, crv: 'constructor' }],
    ['EC at infinity', { ...ec, x: Buffer.alloc(32).toString('base64url'), y: Buffer.alloc(32).toString('base64url') }],
    ['Ed25519', publicJwkOf(sharedKey('ed25519'), 'k')],
    ['a shared secret', { kty: 'oct', kid: 'k', k: 'c2VjcmV0' }],
    ['for encryption', { ...jwk, use: 'enc' }],
    ['for other operations', { ...jwk, key_ops: ['encrypt'] }],
    ['without a key ID', { ...jwk, kid: undefined }],
    ['with a key ID of 1025 characters', { ...jwk, kid: 'k'.repeat(1025) }],
    ['with a number as its algorithm', { ...jwk, alg: 256 }],
    ['that is no object', []],
  ])('has a key that is left out: %s', (_, key) => expect(isUsed(key)).toBe(false));

  it.each([
    ['no array', { keys: {} }, 'it has no array "keys"'],
    ['null', null, 'it has no array "keys"'],
    ['an empty array', { keys: [] }, 'it lists no key that can be used'],
    ['33 keys', { keys: Array.from({ length: 33 }, () => jwk) }, 'it lists 33 keys, more than 32'],
  ])('with %s is refused', (_, set, reason) => {
    expect(() => readKeySet(set)).toThrow(UnusableDocument);
    expect(() => readKeySet(set)).toThrow(reason);
  });

  it('keeps no private number of a key', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [key] = readKeySet({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k' }] });
    expect(key?.key.type).toBe('public');
    expect(Object.keys(key?.jwk ?? {}).toSorted()).toEqual(['crv', 'kid', 'kty', 'x', 'y']);
    expect(key?.key.equals(publicPartOf(privateKey))).toBe(true);
  });
});
