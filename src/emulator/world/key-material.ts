/**
 * Makes and describes keys of the types that Key Vault has. Vaults, seeds and the issuing of certificates call it.
 */

import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

const generatePair = promisify(generateKeyPair);

/** The specification of a key. Types that end in `-HSM` are made in software like the others. */
export interface KeySpec {
  readonly kty: KeyType;
  /** Size of an RSA key in bits. */
  readonly size: number;
  /** Curve of an EC key. */
  readonly crv: CurveName;
}

/** Key types of Key Vault. */
export const KEY_TYPES = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct', 'oct-HSM'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** Curves of Key Vault, with OpenSSL's name of each. */
export const CURVES = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
  'P-256K': 'secp256k1',
} as const;
export type CurveName = keyof typeof CURVES;

/** RSA sizes that Key Vault makes. */
export const RSA_SIZES = [2048, 3072, 4096] as const;

/** Public members of a JSON Web Key, base64url; empty for `oct`. */
export type PublicJwk = Readonly<Partial<Record<'n' | 'e' | 'crv' | 'x' | 'y', string>>>;

/** EC P-256, the fastest to make. */
export const DEFAULT_KEY: KeySpec = { kty: 'EC', size: 2048, crv: 'P-256' };

const JWK_MEMBERS = ['n', 'e', 'crv', 'x', 'y'] as const;

/** Makes a private key. Returns undefined for symmetric types, whose key no client can read. */
export async function generateKey(spec: KeySpec): Promise<KeyObject | undefined> {
  if (spec.kty.startsWith('oct')) return undefined;
  const { privateKey } = spec.kty.startsWith('RSA')
    ? await generatePair('rsa', { modulusLength: spec.size })
    : await generatePair('ec', { namedCurve: CURVES[spec.crv] });
  return privateKey;
}

/** Returns the public members of a key, with Key Vault's names of curves. */
export function publicJwk(key: KeyObject | undefined): PublicJwk {
  if (key === undefined) return {};
  const jwk = key.export({ format: 'jwk' });
  const members: Partial<Record<(typeof JWK_MEMBERS)[number], string>> = {};
  for (const name of JWK_MEMBERS) {
    const value = jwk[name];
    if (typeof value === 'string') members[name] = value === 'secp256k1' ? 'P-256K' : value;
  }
  return members;
}

/**
 * Returns the public key of a JSON Web Key. Private members are ignored: OpenSSL ends the process if one is too long
 * for its curve. Throws if the members are not a key.
 */
export function publicKeyOfJwk(jwk: Readonly<Record<string, unknown>>): KeyObject {
  const { kty, crv } = jwk;
  const members = JWK_MEMBERS.map((name) => [name, jwk[name]] as const).filter(([, value]) => value !== undefined);
  const key = { ...Object.fromEntries(members), kty: String(kty).replace('-HSM', '') };
  return createPublicKey({ key: crv === 'P-256K' ? { ...key, crv: 'secp256k1' } : key, format: 'jwk' });
}

/** Returns the public part of a private key. */
export function publicPartOf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}

/** Returns the specification of an existing private or public key. */
export function keySpecOf(key: KeyObject): KeySpec {
  const { n, crv: named } = publicJwk(key);
  if (n !== undefined) return { ...DEFAULT_KEY, kty: 'RSA', size: Buffer.from(n, 'base64url').length * 8 };
  const crv = (Object.keys(CURVES) as CurveName[]).find((name) => name === named);
  return { ...DEFAULT_KEY, crv: crv ?? DEFAULT_KEY.crv };
}

/** Returns the operations that Key Vault lists for a key made without `key_ops`. */
export function defaultKeyOps(kty: string): readonly string[] {
  if (kty.startsWith('EC')) return ['sign', 'verify'];
  const ops = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
  return kty.startsWith('oct') ? ops : [...ops.slice(0, 2), 'sign', 'verify', ...ops.slice(2)];
}
