/**
 * Reads PKCS#12 files: checks their integrity and decrypts their keys and certificates. The reader of contents calls
 * it. It refuses a file that no password opens, and one that nests deeper or holds more entries than any real file.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { badContent } from './bad-content.ts';
import { childrenOf, type Der, octets, oid, readDer, sequence, smallInteger, TAG } from './der.ts';
import { DIGESTS, type Digest, deriveByPkcs12, PURPOSE, type WorkBudget } from './kdf.ts';
import type { PasswordBytes } from './password.ts';
import { decryptWithPassword, PBE, readHmac, readKdf } from './pbe.ts';
import { OID } from './pkcs12-oids.ts';

/** The contents of a file, in its order: private keys as PKCS#8, certificates as X.509, both DER. */
export interface Pkcs12Items {
  readonly keys: readonly Buffer[];
  readonly certificates: readonly Buffer[];
}

/** The passwords to try and the budget for them. */
export interface Pkcs12Access {
  readonly passwords: readonly PasswordBytes[];
  /** True if a password was given; it decides the message if none of `passwords` opens the file. */
  readonly passwordGiven: boolean;
  /** The oddity of the given password, to follow `check that password`. */
  readonly passwordRemark: string;
  /** The remedy if a password is needed and none was given. */
  readonly passwordRemedy: string;
  readonly budget: WorkBudget;
}

const MAX_BAGS = 1000;
const MAX_NESTING = 4;

/**
 * Reads PKCS#12 (RFC 7292), checks its integrity (MAC or PBMAC1, RFC 9579) and decrypts it. Attributes, CRLs and
 * secrets in it are skipped. Throws: ERR_BAD_CONTENT, which names the fault of the file.
 */
export async function readPkcs12(der: Buffer, access: Pkcs12Access): Promise<Pkcs12Items> {
  const [, authSafe, macData] = sequence(readDer(der));
  const safe = openContent(authSafe);
  const passwords = macData === undefined ? access.passwords : await verify(safe, macData, access);
  const reader = { ...access, passwords, keys: [] as Buffer[], certificates: [] as Buffer[], bags: 0 };
  for (const part of sequence(readDer(safe))) {
    await readSafeContents(await openPart(part, reader), reader, 0);
  }
  return { keys: reader.keys, certificates: reader.certificates };
}

/** True if DER starts like PKCS#12: version 3 and a PKCS#7 content. */
export function isPkcs12(der: Buffer): boolean {
  try {
    const [version, content] = sequence(readDer(der));
    return version?.tag === TAG.integer && oid(sequence(content)[0]).startsWith('1.2.840.113549.1.7.');
  } catch {
    return false;
  }
}

interface Reader extends Pkcs12Access {
  readonly keys: Buffer[];
  readonly certificates: Buffer[];
  bags: number;
}

function openContent(contentInfo: Der | undefined): Buffer {
  const [type, content] = sequence(contentInfo);
  const kind = oid(type);
  if (kind !== OID.data || content === undefined) {
    throw badContent(
      kind === OID.signedData
        ? 'is protected by a public key instead of a password; export it again with a password or none'
        : `holds something that is not data (${kind})`,
    );
  }
  return octets(childrenOf(content)[0]);
}

async function openPart(part: Der, reader: Reader): Promise<Buffer> {
  const [type, content] = sequence(part);
  if (oid(type) !== OID.encryptedData || content === undefined) return openContent(part);
  const [, info] = sequence(childrenOf(content)[0]);
  const [, algorithm, encrypted] = sequence(info);
  return decrypted(algorithm, octets(encrypted, TAG.implicit(0)), reader);
}

async function decrypted(algorithm: Der | undefined, content: Buffer, reader: Reader): Promise<Buffer> {
  const plain = await decryptWithPassword(algorithm, content, { ...reader, plausible: isOneSequence });
  return plain ?? notOpened(reader);
}

async function readSafeContents(contents: Buffer, reader: Reader, depth: number): Promise<void> {
  if (depth > MAX_NESTING) throw badContent(`is nested more than ${MAX_NESTING} levels deep`);
  for (const bag of sequence(readDer(contents))) {
    if (++reader.bags > MAX_BAGS) throw badContent(`holds more than ${MAX_BAGS} entries`);
    const [type, wrapped] = sequence(bag);
    const value = wrapped && childrenOf(wrapped)[0];
    switch (oid(type)) {
      case OID.keyBag:
        reader.keys.push(sequenceBytes(value));
        break;
      case OID.shroudedKeyBag: {
        const [algorithm, encrypted] = sequence(value);
        reader.keys.push(await decrypted(algorithm, octets(encrypted), reader));
        break;
      }
      case OID.certificateBag: {
        const [kind, certificate] = sequence(value);
        if (oid(kind) === OID.x509Certificate && certificate !== undefined) {
          reader.certificates.push(octets(childrenOf(certificate)[0]));
        }
        break;
      }
      case OID.safeContentsBag:
        await readSafeContents(sequenceBytes(value), reader, depth + 1);
        break;
    }
  }
}

/** The passwords, with the one that verifies moved to the front. */
async function verify(safe: Buffer, macData: Der, access: Pkcs12Access): Promise<readonly PasswordBytes[]> {
  const [digestInfo, saltElement, iterationsElement] = sequence(macData);
  const [algorithm, expectedElement] = sequence(digestInfo);
  const expected = octets(expectedElement);
  const compute = readMac(algorithm, {
    salt: octets(saltElement),
    iterations: iterationsElement === undefined ? 1 : smallInteger(iterationsElement),
    budget: access.budget,
  });
  for (const password of access.passwords) {
    const actual = await compute(password, safe);
    if (actual.length === expected.length && timingSafeEqual(actual, expected)) {
      return [password, ...access.passwords.filter((other) => other !== password)];
    }
  }
  return notOpened(access);
}

function readMac(
  algorithm: Der | undefined,
  { salt, iterations, budget }: { salt: Buffer; iterations: number; budget: WorkBudget },
): (password: PasswordBytes, content: Buffer) => Promise<Buffer> {
  const [identifier, parameters] = sequence(algorithm);
  const name = oid(identifier);
  if (name === PBE.pbmac1) {
    const [kdf, scheme] = sequence(parameters);
    const digest = readHmac(scheme);
    const derive = readKdf(kdf, undefined, budget);
    return async ({ utf8 }, content) =>
      createHmac(digest, await derive(utf8))
        .update(content)
        .digest();
  }
  const digest = (Object.keys(OID.digests) as Digest[]).find((known) => OID.digests[known] === name);
  if (digest === undefined) {
    throw badContent(`is protected by a digest that is not known here (${name}); export it again with SHA-256`);
  }
  return async ({ bmp }, content) => {
    const input = { digest, password: bmp, salt, iterations, size: DIGESTS[digest].size };
    return createHmac(digest, await deriveByPkcs12(input, PURPOSE.mac, budget))
      .update(content)
      .digest();
  };
}

/** The words in brackets are the official provider's, so that a search for them succeeds. */
function notOpened({
  passwordGiven,
  passwordRemark,
  passwordRemedy,
}: Omit<Pkcs12Access, 'passwords' | 'budget'>): never {
  throw badContent(
    passwordGiven
      ? `does not open with the password given for it, or is damaged (pkcs12: decryption password incorrect); check that password${passwordRemark}`
      : `is protected by a password, or is damaged (pkcs12: decryption password incorrect); ${passwordRemedy}`,
  );
}

function sequenceBytes(der: Der | undefined): Buffer {
  sequence(der);
  return der?.raw ?? Buffer.alloc(0);
}

function isOneSequence(plain: Buffer): boolean {
  try {
    const der = readDer(plain);
    return der.tag === TAG.sequence && der.raw.length === plain.length;
  } catch {
    return false;
  }
}
