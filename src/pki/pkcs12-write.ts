/**
 * Writes PKCS#12 files: key stores and Java truststores. `write.ts` calls it for files, the emulator for the values of
 * its secrets. The same contents and seed give the same bytes.
 */

import { createHash, createHmac, hash, type KeyObject, type X509Certificate } from 'node:crypto';
import type { Secret } from '../base/secret.ts';
import { refusing } from './bad-content.ts';
import { keyFits } from './chain.ts';
import { type Cipher, encrypt } from './ciphers.ts';
import {
  type Asn1,
  bmpString,
  encode,
  explicit,
  implicitOctets,
  integer,
  nullValue,
  objectIdentifier,
  octetString,
  parsed,
  sequenceOf,
  setOf,
} from './der-write.ts';
import { DIGESTS, deriveByPbkdf2, deriveByPkcs12, PURPOSE, WorkBudget } from './kdf.ts';
import { commonNameOf } from './names.ts';
import type { Pkcs12Profile } from './outputs.ts';
import { type PasswordBytes, passwordBytes } from './password.ts';
import { CIPHERS, derivePkcs12Key, HMACS, PBE } from './pbe.ts';
import { OID } from './pkcs12-oids.ts';

/** The protection of the private key. */
export type Pkcs12KeyCipher = 'aes-256-cbc' | 'aes-128-cbc' | '3des' | 'none';
/** The protection of the certificates. */
export type Pkcs12CertificateCipher = Pkcs12KeyCipher | 'rc2-40';
/** The integrity check of the whole file. */
export type Pkcs12Mac = 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'none';

/** The protection of a PKCS#12 file. */
export interface Pkcs12Form {
  /** `null` is the zero-length password of Windows and Key Vault; `new Secret('')` the empty one (two zero bytes). */
  readonly password: Secret | null;
  readonly keyCipher: Pkcs12KeyCipher;
  readonly certificateCipher: Pkcs12CertificateCipher;
  readonly mac: Pkcs12Mac;
  /** The iterations of each key derivation. */
  readonly iterations: number;
  /** The iterations of the key derivation of the MAC, if they differ. */
  readonly macIterations?: number;
  /** Salts come from this and the contents: the same seed and contents give the same bytes. */
  readonly seed: Buffer;
}

type FormTable = Readonly<Record<Pkcs12Profile | 'keyVault', Omit<Pkcs12Form, 'password' | 'seed'>>>;

/**
 * The forms, with the iteration counts of OpenSSL and Key Vault. More iterations would only slow the Mount, since the
 * password is usually in the same volume. `modern` is for OpenSSL 3, Java 8u301, Windows Server 2019 and later;
 * `legacy` for older readers; `keyVault` is the form of Key Vault itself (its password is `null`).
 */
export const PKCS12_FORMS = {
  modern: { keyCipher: 'aes-256-cbc', certificateCipher: 'aes-256-cbc', mac: 'sha256', iterations: 2048 },
  legacy: { keyCipher: '3des', certificateCipher: '3des', mac: 'sha1', iterations: 2048 },
  keyVault: { keyCipher: '3des', certificateCipher: 'rc2-40', mac: 'sha1', iterations: 2000, macIterations: 1 },
} as const satisfies FormTable;

/** The contents of a file; certificates keep their order. */
export interface Pkcs12Contents {
  readonly key?: KeyObject | undefined;
  readonly certificates: readonly X509Certificate[];
  /** Certificates that Java lists as trusted entries. They may be among `certificates`. */
  readonly trusted?: readonly X509Certificate[];
  /** The alias in Java. */
  readonly friendlyName?: string | undefined;
}

/**
 * Writes PKCS#12 (RFC 7292). Key and leaf (the first certificate the key fits) share a localKeyId.
 * node-forge's own writer supports only RSA keys and a SHA-1 MAC.
 */
export async function writePkcs12(contents: Pkcs12Contents, form: Pkcs12Form): Promise<Buffer> {
  const { key, certificates, trusted = [], friendlyName } = contents;
  const leaf = key && certificates.find((certificate) => keyFits(key, certificate));
  const keyDer = refusing('its private key cannot be written: it is damaged', () =>
    key?.export({ format: 'der', type: 'pkcs8' }),
  );
  const naming = friendlyName === undefined ? [] : [attribute(OID.friendlyName, bmpString(friendlyName))];
  const own = [...naming, attribute(OID.localKeyId, octetString(Buffer.from([1, 0, 0, 0])))];
  const digest = contentsDigest([keyDer ?? Buffer.alloc(0), ...[...certificates, ...trusted].map(({ raw }) => raw)]);
  const protection = new Protection(form, digest);
  const parts: Asn1[] = [];
  if (keyDer !== undefined) parts.push(plainPart(await keyBag(keyDer, own, protection)));
  if (certificates.length + trusted.length > 0) {
    const prints = trusted.map(({ fingerprint256 }) => fingerprint256);
    const plain = certificates.filter((one) => one === leaf || !prints.includes(one.fingerprint256));
    const bags = [
      ...plain.map((certificate) => certificateBag(certificate, certificate === leaf ? own : [])),
      // A leaf that signed itself is here a second time: Java trusts no entry that belongs to a key.
      ...trustedBags(trusted, friendlyName),
    ];
    parts.push(await certificatePart(bags, protection));
  }
  return sealed(parts, protection);
}

/** Password and seed of a truststore; `form` is `modern` by default; Java before 8u301 needs `legacy`. */
export interface TruststoreOptions {
  /** Without one, nothing is encrypted or protected by a MAC: Java opens the file with any password and with none. */
  readonly password: Secret | undefined;
  readonly seed: Buffer;
  readonly form?: Pkcs12Profile;
}

/**
 * Writes a PKCS#12 file whose certificates Java's KeyStore lists as trusted entries: each has the attribute
 * trustedKeyUsage (any purpose) and a unique alias, made of its common name.
 */
export async function writeTruststore(
  certificates: readonly X509Certificate[],
  { password, seed, form = 'modern' }: TruststoreOptions,
): Promise<Buffer> {
  const open = password === undefined ? ({ certificateCipher: 'none', mac: 'none' } as const) : {};
  const protection = new Protection(
    { ...PKCS12_FORMS[form], ...open, password: password ?? null, seed },
    contentsDigest(certificates.map(({ raw }) => raw)),
  );
  return sealed([await certificatePart(trustedBags(certificates), protection)], protection);
}

/** Returns certificates with the attributes by which Java lists them as trusted for any purpose. */
function trustedBags(certificates: readonly X509Certificate[], keyAlias?: string): readonly Asn1[] {
  const aliases = aliasesOf(certificates, keyAlias);
  return certificates.map((certificate, i) =>
    certificateBag(certificate, [
      attribute(OID.friendlyName, bmpString(aliases[i] ?? '')),
      attribute(OID.trustedKeyUsage, objectIdentifier(OID.anyExtendedKeyUsage)),
    ]),
  );
}

/** A form with its password bytes, work budget and salts. */
class Protection {
  readonly form: Pkcs12Form;
  readonly password: PasswordBytes;
  readonly budget = new WorkBudget();
  readonly #contentDigest: Buffer;

  constructor(form: Pkcs12Form, contentDigest: Buffer) {
    this.form = form;
    this.password = passwordBytes(form.password);
    this.#contentDigest = contentDigest;
  }

  /** Pseudorandom bytes; the same seed and contents give the same bytes. */
  salt(use: string, size: number): Buffer {
    const { keyCipher, certificateCipher, mac } = this.form;
    return createHmac('sha256', this.form.seed)
      .update(`${use} ${keyCipher} ${certificateCipher} ${mac}`)
      .update(this.#contentDigest)
      .digest()
      .subarray(0, size);
  }
}

async function keyBag(keyDer: Buffer, attributes: readonly Asn1[], protection: Protection): Promise<Asn1> {
  const { keyCipher } = protection.form;
  if (keyCipher === 'none') return bag(OID.keyBag, parsed(keyDer), attributes);
  const { algorithm, encrypted } = await encryptWith(keyCipher, keyDer, { use: 'key', protection });
  return bag(OID.shroudedKeyBag, sequenceOf(algorithm, octetString(encrypted)), attributes);
}

function certificateBag({ raw }: X509Certificate, attributes: readonly Asn1[]): Asn1 {
  const value = sequenceOf(objectIdentifier(OID.x509Certificate), explicit(0, octetString(raw)));
  return bag(OID.certificateBag, value, attributes);
}

function bag(kind: string, value: Asn1, attributes: readonly Asn1[]): Asn1 {
  const set = attributes.length === 0 ? [] : [setOf(...attributes)];
  return sequenceOf(objectIdentifier(kind), explicit(0, value), ...set);
}

function attribute(kind: string, value: Asn1): Asn1 {
  return sequenceOf(objectIdentifier(kind), setOf(value));
}

function plainPart(...bags: readonly Asn1[]): Asn1 {
  return sequenceOf(objectIdentifier(OID.data), explicit(0, octetString(encode(sequenceOf(...bags)))));
}

async function certificatePart(bags: readonly Asn1[], protection: Protection): Promise<Asn1> {
  const { certificateCipher } = protection.form;
  if (certificateCipher === 'none') return plainPart(...bags);
  const content = encode(sequenceOf(...bags));
  const { algorithm, encrypted } = await encryptWith(certificateCipher, content, { use: 'certificates', protection });
  const info = sequenceOf(objectIdentifier(OID.data), algorithm, implicitOctets(0, encrypted));
  return sequenceOf(objectIdentifier(OID.encryptedData), explicit(0, sequenceOf(integer(0), info)));
}

async function encryptWith(
  name: Exclude<Pkcs12CertificateCipher, 'none'>,
  content: Buffer,
  { use, protection }: { readonly use: string; readonly protection: Protection },
): Promise<{ algorithm: Asn1; encrypted: Buffer }> {
  return name === '3des' || name === 'rc2-40'
    ? encryptOld(name, content, { use, protection })
    : encryptPbes2(name, content, { use, protection });
}

async function encryptOld(
  name: '3des' | 'rc2-40',
  content: Buffer,
  { use, protection }: { readonly use: string; readonly protection: Protection },
): Promise<{ algorithm: Asn1; encrypted: Buffer }> {
  const { password, budget, form } = protection;
  const salt = protection.salt(`${use} salt`, 8);
  const cipher: Cipher =
    name === '3des'
      ? { kind: 'native', name: 'des-ede3-cbc', keySize: 24, ivSize: 8 }
      : { kind: 'rc2', keySize: 5, effectiveBits: 40, ivSize: 8 };
  const input = { digest: 'sha1', password: password.bmp, salt, iterations: form.iterations } as const;
  const key = await derivePkcs12Key(cipher, input, budget);
  const scheme = name === '3des' ? PBE.sha1And3Des : PBE.sha1AndRc2of40Bits;
  const parameters = sequenceOf(octetString(salt), integer(form.iterations));
  return { algorithm: sequenceOf(objectIdentifier(scheme), parameters), encrypted: encrypt(cipher, key, content) };
}

async function encryptPbes2(
  name: 'aes-256-cbc' | 'aes-128-cbc',
  content: Buffer,
  { use, protection }: { readonly use: string; readonly protection: Protection },
): Promise<{ algorithm: Asn1; encrypted: Buffer }> {
  const { password, budget, form } = protection;
  const salt = protection.salt(`${use} salt`, 16);
  const iv = protection.salt(`${use} iv`, 16);
  const digest = form.mac === 'none' ? 'sha256' : form.mac;
  const size = name === 'aes-256-cbc' ? 32 : 16;
  const { iterations } = form;
  const key = await deriveByPbkdf2({ digest, password: password.utf8, salt, iterations, size }, budget);
  const prf =
    digest === 'sha1' ? [] : [sequenceOf(objectIdentifier(keyOf(HMACS, (hmac) => hmac === digest)), nullValue())];
  const kdf = sequenceOf(objectIdentifier(PBE.pbkdf2), sequenceOf(octetString(salt), integer(iterations), ...prf));
  const cipherId = keyOf(CIPHERS, (known) => known.kind === 'native' && known.name === name);
  const encryption = sequenceOf(objectIdentifier(cipherId), octetString(iv));
  return {
    algorithm: sequenceOf(objectIdentifier(PBE.pbes2), sequenceOf(kdf, encryption)),
    encrypted: encrypt({ kind: 'native', name, keySize: size, ivSize: 16 }, { key, iv }, content),
  };
}

async function sealed(parts: readonly Asn1[], protection: Protection): Promise<Buffer> {
  const safe = encode(sequenceOf(...parts));
  const content = sequenceOf(objectIdentifier(OID.data), explicit(0, octetString(safe)));
  const { mac, iterations, macIterations = iterations } = protection.form;
  if (mac === 'none') return encode(sequenceOf(integer(3), content));
  const salt = protection.salt('mac salt', mac === 'sha1' ? 8 : 16);
  const input = { digest: mac, password: protection.password.bmp, salt, iterations: macIterations };
  const key = await deriveByPkcs12({ ...input, size: DIGESTS[mac].size }, PURPOSE.mac, protection.budget);
  const value = createHmac(mac, key).update(safe).digest();
  const digestInfo = sequenceOf(sequenceOf(objectIdentifier(OID.digests[mac]), nullValue()), octetString(value));
  const iterationCount = macIterations === 1 ? [] : [integer(macIterations)];
  const macData = sequenceOf(digestInfo, octetString(salt), ...iterationCount);
  return encode(sequenceOf(integer(3), content, macData));
}

function contentsDigest(parts: readonly Buffer[]): Buffer {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(hash('sha256', part, 'buffer'));
  return digest.digest();
}

/** The aliases: the common names in lower case, as Java compares them, numbered if they repeat or are that of the key. */
function aliasesOf(certificates: readonly X509Certificate[], keyAlias?: string): readonly string[] {
  const taken = new Set([keyAlias?.toLowerCase()]);
  return certificates.map((certificate) => {
    const name = (commonNameOf(certificate) ?? 'certificate').toLowerCase();
    let alias = name;
    for (let n = 2; taken.has(alias); n++) alias = `${name} (${n})`;
    taken.add(alias);
    return alias;
  });
}

function keyOf<T>(table: Readonly<Record<string, T>>, matches: (value: T) => boolean): string {
  return Object.keys(table).find((key) => table[key] !== undefined && matches(table[key])) ?? '';
}
