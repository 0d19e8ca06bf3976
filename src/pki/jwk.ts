/**
 * Writes the public key that Key Vault returns for a key object as PEM. Conversion calls it for `objectType: key`. It
 * refuses key types and curves that the official provider refuses, in its words.
 */

import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { badContent } from './bad-content.ts';

/** A public key as Key Vault returns it; numbers are big-endian bytes, or base64url of them. */
export interface JwkFields {
  readonly kty?: string | undefined;
  readonly n?: Uint8Array | string | undefined;
  readonly e?: Uint8Array | string | undefined;
  readonly crv?: string | undefined;
  readonly x?: Uint8Array | string | undefined;
  readonly y?: Uint8Array | string | undefined;
}

/** The size of the coordinates of each curve, in bytes. */
const COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);

/**
 * PEM (`PUBLIC KEY`) of an RSA or EC key, also of one held in an HSM. Throws: ERR_BAD_CONTENT, for keys that have no
 * public part or a curve that is not supported in the words of the official provider.
 */
export function publicKeyPemFromJwk(fields: JwkFields): string {
  const { kty } = fields;
  if (kty === undefined || kty === '') throw missing('kty');
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    return exportPem({ kty: 'RSA', n: odd('n', fields.n), e: odd('e', fields.e) });
  }
  if (kty !== 'EC' && kty !== 'EC-HSM') {
    throw badContent(`failed to get key. key type '${kty}' currently not supported`);
  }
  const { crv } = fields;
  if (crv === undefined || crv === '') throw missing('crv');
  const size = COORDINATE_BYTES.get(crv);
  if (size === undefined) throw badContent(`curve ${crv} is not supported`);
  return exportPem({ kty: 'EC', crv, x: coordinate('x', fields.x, size), y: coordinate('y', fields.y, size) });
}

function exportPem(key: JsonWebKey): string {
  try {
    return createPublicKey({ key, format: 'jwk' }).export({ format: 'pem', type: 'spki' }).toString();
  } catch (error) {
    throw badContent('the key read from the vault is damaged: its numbers are not a public key', error);
  }
}

/** Requires an odd number: modulus and exponent of RSA are odd, but OpenSSL writes any key. */
function odd(name: string, value: Uint8Array | string | undefined): string {
  const bytes = bytesOf(name, value);
  if (((bytes.at(-1) ?? 0) & 1) === 0) throw badContent(`the key read from the vault is damaged: "${name}" is even`);
  return bytes.toString('base64url');
}

/** Pads a coordinate to its fixed size, since some services drop leading zeros. */
function coordinate(name: string, value: Uint8Array | string | undefined, size: number): string {
  const bytes = bytesOf(name, value);
  const surplus = Math.max(0, bytes.length - size);
  if (bytes.subarray(0, surplus).some((byte) => byte !== 0)) {
    throw badContent(`the key read from the vault is damaged: "${name}" has ${bytes.length} bytes instead of ${size}`);
  }
  const significant = bytes.subarray(surplus);
  return Buffer.concat([Buffer.alloc(size - significant.length), significant]).toString('base64url');
}

function bytesOf(name: string, value: Uint8Array | string | undefined): Buffer {
  if (value === undefined || value.length === 0) throw missing(name);
  return typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.from(value);
}

function missing(name: string): Error {
  return badContent(`the key read from the vault has no "${name}"`);
}
