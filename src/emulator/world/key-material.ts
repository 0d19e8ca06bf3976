/**
 * Makes and describes keys of the kinds that Key Vault has. Vaults, seeds and the issuing of certificates call it.
 */

import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

const generatePair = promisify(generateKeyPair);

/** The key to make. Kinds that end in `-HSM` are made in software like the others. */
export interface KeySpec {
  readonly kty: KeyType;
  /** Bits, for RSA. */
  readonly size: number;
  /** Curve, for EC. */
  readonly crv: CurveName;
}

/** Key kinds of Key Vault. */
export const KEY_TYPES = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct', 'oct-HSM'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** Curves of Key Vault, with the name OpenSSL knows each by. */
export const CURVES = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
  'P-256K': 'secp256k1',
} as const;
export type CurveName = keyof typeof CURVES;

/** RSA sizes Key Vault makes. */
export const RSA_SIZES = [2048, 3072, 4096] as const;

/** Public members of a JSON Web Key, base64url; empty for `oct`. */
export type PublicJwk = Readonly<Partial<Record<'n' | 'e' | 'crv' | 'x' | 'y', string>>>;

/** EC P-256: the cheapest to make. */
export const DEFAULT_KEY: KeySpec = { kty: 'EC', size: 2048, crv: 'P-256' };

const JWK_MEMBERS = ['n', 'e', 'crv', 'x', 'y'] as const;

/** Makes a private key. Symmetric kinds have none that anybody could see. */
export async function generateKey(spec: KeySpec): Promise<KeyObject | undefined> {
  if (spec.kty.startsWith('oct')) return undefined;
  const { privateKey } = spec.kty.startsWith('RSA')
    ? await generatePair('rsa', { modulusLength: spec.size })
    : await generatePair('ec', { namedCurve: CURVES[spec.crv] });
  return privateKey;
}

/** The public members of a key in Key Vault's form: its curve names, nothing private. */
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
 * The public key of a JSON Web Key. Private members are left out: OpenSSL ends the process over one that is too long for
 * its curve. Throws on what is no key.
 */
export function publicKeyOfJwk(jwk: Readonly<Record<string, unknown>>): KeyObject {
  const { kty, crv } = jwk;
  const members = JWK_MEMBERS.map((name) => [name, jwk[name]] as const).filter(([, value]) => value !== undefined);
  const key = { ...Object.fromEntries(members), kty: String(kty).replace('-HSM', '') };
  return createPublicKey({ key: crv === 'P-256K' ? { ...key, crv: 'secp256k1' } : key, format: 'jwk' });
}

/** The public part of a private key that the emulator or a test has made. */
export function publicPartOf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}

/** The spec that describes an existing private or public key. */
export function describeKey(key: KeyObject): KeySpec {
  const { n, crv: named } = publicJwk(key);
  if (n !== undefined) return { ...DEFAULT_KEY, kty: 'RSA', size: Buffer.from(n, 'base64url').length * 8 };
  const crv = (Object.keys(CURVES) as CurveName[]).find((name) => name === named);
  return { ...DEFAULT_KEY, crv: crv ?? DEFAULT_KEY.crv };
}

/** The operations of a kind of key, as Key Vault lists them for a key made without `key_ops`. */
export function defaultKeyOps(kty: string): readonly string[] {
  if (kty.startsWith('EC')) return ['sign', 'verify'];
  const ops = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
  return kty.startsWith('oct') ? ops : [...ops.slice(0, 2), 'sign', 'verify', ...ops.slice(2)];
}
