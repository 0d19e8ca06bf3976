import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { publicKeyPemFromJwk } from '../../src/pki/jwk.ts';
import { newKey, sharedKey } from '../support/pki.ts';

function jwkOf(type: 'rsa-2048' | 'p-256' | 'p-384' | 'p-521'): { pem: string; jwk: JsonWebKey } {
  const key = createPublicKey(sharedKey(type));
  return { pem: key.export({ format: 'pem', type: 'spki' }).toString(), jwk: key.export({ format: 'jwk' }) };
}

function bytes(value: string | undefined): Uint8Array {
  return Buffer.from(value ?? '', 'base64url');
}

describe('a public key of the vault becomes PEM', () => {
  it.each(['RSA', 'RSA-HSM'])('%s', (kty) => {
    const { pem, jwk } = jwkOf('rsa-2048');
    expect(publicKeyPemFromJwk({ kty, n: bytes(jwk.n), e: bytes(jwk.e) })).toBe(pem);
    expect(publicKeyPemFromJwk({ kty, n: jwk.n, e: jwk.e })).toBe(pem);
    const padded = Buffer.concat([Buffer.alloc(1), bytes(jwk.n)]);
    expect(publicKeyPemFromJwk({ kty, n: padded, e: bytes(jwk.e) })).toBe(pem);
  });

  it.each([
    ['EC', 'P-256', 'p-256'],
    ['EC', 'P-384', 'p-384'],
    ['EC-HSM', 'P-521', 'p-521'],
  ] as const)('%s %s', (kty, crv, type) => {
    const { pem, jwk } = jwkOf(type);
    expect(publicKeyPemFromJwk({ kty, crv, x: bytes(jwk.x), y: bytes(jwk.y) })).toBe(pem);
    const long = Buffer.concat([Buffer.alloc(2), bytes(jwk.x)]);
    expect(publicKeyPemFromJwk({ kty, crv, x: long, y: jwk.y })).toBe(pem);
  });

  it('with coordinates whose leading zeros were dropped', () => {
    for (;;) {
      const jwk = createPublicKey(newKey('p-256')).export({ format: 'jwk' });
      const x = bytes(jwk.x);
      if (x[0] !== 0) continue;
      const pem = publicKeyPemFromJwk({ kty: 'EC', crv: 'P-256', x: x.subarray(1), y: bytes(jwk.y) });
      expect(createPublicKey(pem).export({ format: 'jwk' })).toEqual(jwk);
      return;
    }
  });
});

describe('a key that has no PEM is refused', () => {
  const { jwk } = jwkOf('p-256');
  it.each([
    ['a symmetric key', { kty: 'oct' }, "failed to get key. key type 'oct' currently not supported"],
    ['a symmetric HSM key', { kty: 'oct-HSM' }, "failed to get key. key type 'oct-HSM' currently not supported"],
    ['secp256k1', { kty: 'EC', crv: 'P-256K', x: jwk.x, y: jwk.y }, 'curve P-256K is not supported'],
    ['no curve at all', { kty: 'EC', crv: 'constructor', x: jwk.x, y: jwk.y }, 'curve constructor is not supported'],
    ['no type', {}, 'the key read from the vault has no "kty"'],
    ['no curve', { kty: 'EC', x: jwk.x, y: jwk.y }, 'the key read from the vault has no "crv"'],
    ['no modulus', { kty: 'RSA', e: 'AQAB' }, 'the key read from the vault has no "n"'],
    ['no exponent', { kty: 'RSA', n: 'AQAB', e: '' }, 'the key read from the vault has no "e"'],
    ['no coordinate', { kty: 'EC', crv: 'P-256', x: jwk.x }, 'the key read from the vault has no "y"'],
    [
      'a coordinate too long',
      { kty: 'EC', crv: 'P-256', x: Buffer.alloc(40, 1), y: jwk.y },
      /"x" has 40 bytes instead of 32/,
    ],
    [
      'a point off the curve',
      { kty: 'EC', crv: 'P-256', x: jwk.y, y: jwk.x },
      /is damaged: its numbers are not a public key/,
    ],
  ])('%s', (_, fields, message) => {
    expect(() => publicKeyPemFromJwk(fields)).toThrow(message);
  });
});
