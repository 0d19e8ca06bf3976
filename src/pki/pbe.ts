/**
 * Decrypts content that is encrypted with a password (PKCS#5 and PKCS#12 schemes). The readers of PKCS#12 and of
 * encrypted keys call it. It refuses schemes, digests and ciphers that it does not know.
 */

import { badContent } from './bad-content.ts';
import { type Cipher, type CipherKey, decrypt } from './ciphers.ts';
import { type Der, octets, oid, sequence, smallInteger, TAG } from './der.ts';
import {
  type Digest,
  deriveByPbkdf1,
  deriveByPbkdf2,
  deriveByPkcs12,
  deriveByScrypt,
  PURPOSE,
  type WorkBudget,
} from './kdf.ts';
import type { PasswordBytes } from './password.ts';

/** Object identifiers of password-based encryption (RFC 8018). */
export const PBE = {
  pbes2: '1.2.840.113549.1.5.13',
  pbmac1: '1.2.840.113549.1.5.14',
  pbkdf2: '1.2.840.113549.1.5.12',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  sha1And3Des: '1.2.840.113549.1.12.1.3',
  sha1AndRc2of40Bits: '1.2.840.113549.1.12.1.6',
} as const;

const tripleDes: Cipher = { kind: 'native', name: 'des-ede3-cbc', keySize: 24, ivSize: 8 };
const des: Cipher = { kind: 'native', name: 'des-ede3-cbc', keySize: 8, ivSize: 8 };
const rc2 = (bits: number): Cipher => ({ kind: 'rc2', keySize: bits / 8, effectiveBits: bits, ivSize: 8 });
const block128 = (name: string, keySize: number): Cipher => ({ kind: 'native', name, keySize, ivSize: 16 });

/** Schemes whose identifier names KDF, digest and cipher: RFC 7292 appendix C with SHA-1, RFC 8018 PBES1. */
const OLD_SCHEMES: Readonly<Record<string, { kdf: 'pkcs12' | 'pbkdf1'; digest: Digest; cipher: Cipher }>> = {
  '1.2.840.113549.1.12.1.1': { kdf: 'pkcs12', digest: 'sha1', cipher: { kind: 'rc4', keySize: 16, ivSize: 0 } },
  '1.2.840.113549.1.12.1.2': { kdf: 'pkcs12', digest: 'sha1', cipher: { kind: 'rc4', keySize: 5, ivSize: 0 } },
  [PBE.sha1And3Des]: { kdf: 'pkcs12', digest: 'sha1', cipher: tripleDes },
  '1.2.840.113549.1.12.1.4': { kdf: 'pkcs12', digest: 'sha1', cipher: { ...tripleDes, keySize: 16 } },
  '1.2.840.113549.1.12.1.5': { kdf: 'pkcs12', digest: 'sha1', cipher: rc2(128) },
  [PBE.sha1AndRc2of40Bits]: { kdf: 'pkcs12', digest: 'sha1', cipher: rc2(40) },
  '1.2.840.113549.1.5.3': { kdf: 'pbkdf1', digest: 'md5', cipher: des },
  '1.2.840.113549.1.5.6': { kdf: 'pbkdf1', digest: 'md5', cipher: { ...rc2(64), keySize: 8 } },
  '1.2.840.113549.1.5.10': { kdf: 'pbkdf1', digest: 'sha1', cipher: des },
  '1.2.840.113549.1.5.11': { kdf: 'pbkdf1', digest: 'sha1', cipher: { ...rc2(64), keySize: 8 } },
};

/** Ciphers of PBES2, by identifier. */
export const CIPHERS: Readonly<Record<string, Cipher>> = {
  '2.16.840.1.101.3.4.1.2': block128('aes-128-cbc', 16),
  '2.16.840.1.101.3.4.1.22': block128('aes-192-cbc', 24),
  '2.16.840.1.101.3.4.1.42': block128('aes-256-cbc', 32),
  '2.16.840.1.101.3.4.1.3': block128('aes-128-ofb', 16),
  '2.16.840.1.101.3.4.1.4': block128('aes-128-cfb', 16),
  '2.16.840.1.101.3.4.1.23': block128('aes-192-ofb', 24),
  '2.16.840.1.101.3.4.1.24': block128('aes-192-cfb', 24),
  '2.16.840.1.101.3.4.1.43': block128('aes-256-ofb', 32),
  '2.16.840.1.101.3.4.1.44': block128('aes-256-cfb', 32),
  '1.2.392.200011.61.1.1.1.2': block128('camellia-128-cbc', 16),
  '1.2.392.200011.61.1.1.1.3': block128('camellia-192-cbc', 24),
  '1.2.392.200011.61.1.1.1.4': block128('camellia-256-cbc', 32),
  '1.2.410.200046.1.1.2': block128('aria-128-cbc', 16),
  '1.2.410.200046.1.1.7': block128('aria-192-cbc', 24),
  '1.2.410.200046.1.1.12': block128('aria-256-cbc', 32),
  '1.2.840.113549.3.7': tripleDes,
  '1.3.14.3.2.7': des,
};
const RC2_CBC = '1.2.840.113549.3.2';
/** The key bits of each RC2 parameter (RFC 8018 appendix B.2.3). */
const RC2_VERSIONS: Readonly<Record<number, number>> = { 160: 40, 120: 64, 58: 128 };

/** HMACs of PBKDF2 and PBMAC1, by identifier. */
export const HMACS: Readonly<Record<string, Digest>> = {
  '1.2.840.113549.2.6': 'md5',
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
  '1.2.840.113549.2.12': 'sha512-224',
  '1.2.840.113549.2.13': 'sha512-256',
};

/**
 * Decrypts with each of `passwords` until a result satisfies `plausible`, since the padding is right by chance once in
 * 256 times. Returns `undefined` if none does.
 */
export async function decryptWithPassword(
  algorithm: Der | undefined,
  content: Buffer,
  attempt: {
    readonly passwords: readonly PasswordBytes[];
    readonly plausible: (plain: Buffer) => boolean;
    readonly budget: WorkBudget;
  },
): Promise<Buffer | undefined> {
  const { cipher, encoding, derive } = readScheme(algorithm, attempt.budget);
  const distinct = new Map(attempt.passwords.map((password) => [password[encoding].toString('latin1'), password]));
  for (const password of distinct.values()) {
    const key = await derive(password[encoding]);
    const plain = await decrypt(cipher, key, { content, signal: attempt.budget.signal });
    if (plain !== undefined && attempt.plausible(plain)) return plain;
  }
  return undefined;
}

/** A scheme: the cipher, and the derivation of its key from a password. */
interface Scheme {
  readonly cipher: Cipher;
  /** The form of the password that `derive` takes. */
  readonly encoding: keyof PasswordBytes;
  derive(password: Buffer): Promise<CipherKey>;
}

function readScheme(algorithm: Der | undefined, budget: WorkBudget): Scheme {
  const [identifier, parameters] = sequence(algorithm);
  const name = oid(identifier);
  if (name === PBE.pbes2) return readPbes2(parameters, budget);
  const old = OLD_SCHEMES[name];
  if (old === undefined) throw unsupported('encrypted', name);
  const [saltElement, iterationsElement] = sequence(parameters);
  const salt = octets(saltElement);
  const iterations = smallInteger(iterationsElement);
  const { cipher, digest } = old;
  if (old.kdf === 'pbkdf1') {
    const size = cipher.keySize + cipher.ivSize;
    return {
      cipher,
      encoding: 'utf8',
      derive: async (password) => {
        const both = await deriveByPbkdf1({ digest, password, salt, iterations, size }, budget);
        return { key: both.subarray(0, cipher.keySize), iv: both.subarray(cipher.keySize) };
      },
    };
  }
  return {
    cipher,
    encoding: 'bmp',
    derive: (password) => derivePkcs12Key(cipher, { digest, password, salt, iterations }, budget),
  };
}

/** Key and initialisation vector of the PKCS#12 schemes. */
export async function derivePkcs12Key(
  cipher: Cipher,
  input: { digest: Digest; password: Buffer; salt: Buffer; iterations: number },
  budget: WorkBudget,
): Promise<CipherKey> {
  const key = await deriveByPkcs12({ ...input, size: cipher.keySize }, PURPOSE.key, budget);
  if (cipher.ivSize === 0) return { key, iv: Buffer.alloc(0) };
  return { key, iv: await deriveByPkcs12({ ...input, size: cipher.ivSize }, PURPOSE.iv, budget) };
}

function readPbes2(parameters: Der | undefined, budget: WorkBudget): Scheme {
  const [kdf, encryption] = sequence(parameters);
  const { cipher, iv } = readEncryption(encryption);
  const derive = readKdf(kdf, cipher.keySize, budget);
  return { cipher, encoding: 'utf8', derive: async (password) => ({ key: await derive(password), iv }) };
}

/**
 * The key derivation function of PBES2 or PBMAC1. `size` is the size of the key in bytes, if the file does not give it.
 */
export function readKdf(
  algorithm: Der | undefined,
  size: number | undefined,
  budget: WorkBudget,
): (password: Buffer) => Promise<Buffer> {
  const [identifier, parameters] = sequence(algorithm);
  const name = oid(identifier);
  const [saltElement, ...rest] = sequence(parameters);
  const salt = octets(saltElement);
  if (name === PBE.scrypt) {
    const [N = 0, r = 0, p = 0] = rest.slice(0, 3).map(smallInteger);
    const wanted = size ?? smallInteger(rest[3]);
    return (password) => deriveByScrypt({ password, salt, size: wanted }, { N, r, p }, budget);
  }
  if (name !== PBE.pbkdf2) throw unsupported('encrypted', name);
  const iterations = smallInteger(rest.shift());
  const length = rest[0]?.tag === TAG.integer ? smallInteger(rest.shift()) : undefined;
  const prf = rest[0] === undefined ? 'sha1' : readHmac(rest[0]);
  const wanted = size ?? length ?? 0;
  return (password) => deriveByPbkdf2({ digest: prf, password, salt, iterations, size: wanted }, budget);
}

/** The digest of an HMAC's AlgorithmIdentifier. */
export function readHmac(algorithm: Der | undefined): Digest {
  const name = oid(sequence(algorithm)[0]);
  return HMACS[name] ?? fail(unsupported('protected', name));
}

function readEncryption(algorithm: Der | undefined): { cipher: Cipher; iv: Buffer } {
  const [identifier, parameters] = sequence(algorithm);
  const name = oid(identifier);
  if (name === RC2_CBC) {
    const [version, iv] = sequence(parameters);
    const bits = RC2_VERSIONS[smallInteger(version)];
    if (bits === undefined) throw unsupported('encrypted', `${name} with an unknown key size`);
    return { cipher: rc2(bits), iv: checkIv(octets(iv), 8) };
  }
  const cipher = CIPHERS[name] ?? fail(unsupported('encrypted', name));
  return { cipher, iv: checkIv(octets(parameters), cipher.ivSize) };
}

function checkIv(iv: Buffer, size: number): Buffer {
  if (iv.length !== size) throw badContent('is damaged: an initialisation vector has the wrong size');
  return iv;
}

function unsupported(what: 'encrypted' | 'protected', name: string): Error {
  return badContent(
    `is ${what} with an algorithm that is not known here (${name}); export it again with AES-256 and SHA-256`,
  );
}

function fail(error: Error): never {
  throw error;
}
