/**
 * Issues keys and certificates and writes DER, for tests of every room.
 */
import 'reflect-metadata';
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { readDer, sequence } from '../../src/pki/der.ts';

/** Types of keys that {@link newKey} can make. */
export type KeyType =
  | 'rsa-1024'
  | 'rsa-2048'
  | 'rsa-3072'
  | 'rsa-4096'
  | 'rsa-pss'
  | 'p-256'
  | 'p-384'
  | 'p-521'
  | 'secp256k1'
  | 'ed25519';

/** A certificate and its private key. */
export interface Issued {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** Options of {@link issue}. The defaults make a self-signed P-256 server certificate, valid from 2020 to 2040. */
export interface IssueOptions {
  readonly name: string;
  readonly keyType?: KeyType;
  readonly key?: KeyObject;
  /** Absent for a self-signed certificate. */
  readonly issuer?: Issued;
  readonly ca?: boolean;
  /** If true, the key usage of a CA allows it to issue certificates; default: true. */
  readonly keyUsage?: boolean;
  /** Subject alternative names. By default, the name of a certificate that is not a CA. */
  readonly dnsNames?: readonly string[];
  /** IP addresses among them. */
  readonly addresses?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** If true, the certificate has subject and authority key identifiers; default: true. */
  readonly keyIds?: boolean;
  readonly hash?: 'SHA-1' | 'SHA-256' | 'SHA-384';
  readonly serial?: string;
}

/** A chain from leaf to root. */
export interface IssuedChain {
  readonly leaf: Issued;
  /** The issuer of the leaf first. */
  readonly intermediates: readonly Issued[];
  readonly root: Issued;
  /** The leaf, the intermediates and the root. */
  readonly certificates: readonly X509Certificate[];
}

/** The number of RSA keys of each type that a run of the tests makes, see {@link keptKey}. */
const RSA_KEYS: Readonly<Partial<Record<KeyType, number>>> = {
  'rsa-1024': 2,
  'rsa-2048': 4,
  'rsa-3072': 1,
  'rsa-4096': 1,
  'rsa-pss': 2,
};

const made = new Map<KeyType, { readonly keys: KeyObject[]; asked: number }>();

/**
 * Returns a private key: a new one, or, for RSA, one of the few keys of this run in turn. Never returns a {@link
 * sharedKey}.
 */
export function newKey(type: KeyType): KeyObject {
  const most = RSA_KEYS[type];
  if (most === undefined) return generateKey(type);
  const { keys, asked } = made.get(type) ?? { keys: [], asked: 0 };
  const key = keys[asked % most] ?? keptKey(type, `number ${asked % most}`);
  keys[asked % most] = key;
  made.set(type, { keys, asked: asked + 1 });
  return key;
}

/** Returns a new key, or, for RSA, the key that a process of this run has made by this name. RSA keys are slow to make. */
function keptKey(type: KeyType, name: string): KeyObject {
  if (!type.startsWith('rsa')) return generateKey(type);
  const directory = join(tmpdir(), 'keys');
  const kept = join(directory, `${type} ${name}.pem`);
  if (existsSync(kept)) return createPrivateKey(readFileSync(kept));
  const key = generateKey(type);
  mkdirSync(directory, { recursive: true });
  const whole = join(directory, `${process.pid}`);
  writeFileSync(whole, key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  renameSync(whole, kept);
  return key;
}

function generateKey(type: KeyType): KeyObject {
  switch (type) {
    case 'rsa-1024':
    case 'rsa-2048':
    case 'rsa-3072':
    case 'rsa-4096':
      return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(4)) }).privateKey;
    case 'rsa-pss':
      return generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey;
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    default:
      return generateKeyPairSync('ec', { namedCurve: type === 'secp256k1' ? type : type.toUpperCase() }).privateKey;
  }
}

/** The key type of the CAs of a leaf whose key type cannot sign here or is slow to make. */
const CA_TYPES: Readonly<Partial<Record<KeyType, KeyType>>> = {
  secp256k1: 'p-256',
  'rsa-pss': 'rsa-2048',
  'rsa-3072': 'rsa-2048',
  'rsa-4096': 'rsa-2048',
};

const reusable = new Map<string, KeyObject>();

/** Returns one key per type and name in a run of the tests. */
export function sharedKey(type: KeyType, name = ''): KeyObject {
  const known = reusable.get(`${type} ${name}`);
  if (known !== undefined) return known;
  const key = keptKey(type, name);
  reusable.set(`${type} ${name}`, key);
  return key;
}

/** Returns the key that signs the tokens of all emulators of a run. */
export const tokenKey = (): KeyObject => sharedKey('rsa-2048', 'tokens of Entra');

let serials = 0;

/** Issues one certificate. */
export async function issue(options: IssueOptions): Promise<Issued> {
  const key = options.key ?? newKey(options.keyType ?? 'p-256');
  const issuerKey = options.issuer?.key ?? key;
  const { imported, algorithm } = await importForSigning(issuerKey, options.hash ?? 'SHA-256');
  const publicDer = spki(key);
  const generated = await x509.X509CertificateGenerator.create({
    serialNumber: options.serial ?? (0x1000 + ++serials).toString(16),
    subject: `CN=${options.name}, O=Test`,
    issuer:
      options.issuer === undefined
        ? `CN=${options.name}, O=Test`
        : new x509.X509Certificate(options.issuer.certificate.raw).subjectName,
    notBefore: options.notBefore ?? new Date('2020-01-01T00:00:00Z'),
    notAfter: options.notAfter ?? new Date('2040-01-01T00:00:00Z'),
    signingAlgorithm: algorithm,
    publicKey: publicDer,
    signingKey: imported,
    extensions: await extensionsOf(options, publicDer, spki(issuerKey)),
  });
  return { certificate: new X509Certificate(Buffer.from(generated.rawData)), key };
}

/** Issues a chain. Chains of one type share the keys of their CAs. The key of the leaf is new unless it is given. */
export async function issueChain(
  options: {
    readonly keyType?: KeyType;
    readonly intermediates?: number;
    /** Common names from leaf to root. */
    readonly names?: readonly string[];
    readonly key?: KeyObject;
    readonly leaf?: Partial<IssueOptions>;
  } = {},
): Promise<IssuedChain> {
  const { keyType = 'p-256', intermediates: count = 1 } = options;
  const caType = CA_TYPES[keyType] ?? keyType;
  const names = options.names ?? [
    'broker.example',
    ...Array.from({ length: count }, (_, i) => `Intermediate ${i + 1}`),
    'Root',
  ];
  const nameAt = (i: number) => names[i] ?? `Name ${i}`;
  const root = await issue({ name: nameAt(count + 1), key: sharedKey(caType, `ca ${count + 1}`), ca: true });
  const intermediates: Issued[] = [];
  let issuer = root;
  for (let i = count; i >= 1; i--) {
    issuer = await issue({ name: nameAt(i), key: sharedKey(caType, `ca ${i}`), ca: true, issuer });
    intermediates.unshift(issuer);
  }
  const key = options.key ?? newKey(keyType);
  const leaf = await issue({ name: nameAt(0), key, issuer, ...options.leaf });
  const certificates = [leaf, ...intermediates, root].map(({ certificate }) => certificate);
  return { leaf, intermediates, root, certificates };
}

/** Returns the certificate with another public key. Its signature is then wrong. */
export function withPublicKey({ raw }: X509Certificate, info: Buffer): Buffer {
  const [tbs, algorithm, signature] = sequence(readDer(raw)).map((part) => part.raw);
  const fields = sequence(readDer(tbs ?? raw)).map((part) => part.raw);
  fields[6] = info;
  return tlv(0x30, tlv(0x30, ...fields), algorithm ?? '', signature ?? '');
}

/** Returns the PEM of certificates, in order. */
export function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}

/** Returns a private key as PKCS#8 PEM. */
export function keyPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** Returns SHA-256 fingerprints, for comparing lists of certificates. */
export function fingerprints(certificates: readonly X509Certificate[]): readonly string[] {
  return certificates.map(({ fingerprint256 }) => fingerprint256);
}

/**
 * Returns true if two private keys are equal. `equals` of Node would leave an error in OpenSSL's queue, which the next
 * caller gets.
 */
export function sameKey(a: KeyObject | undefined, b: KeyObject | undefined): boolean {
  return a !== undefined && b !== undefined && keyPem(a) === keyPem(b);
}

/** Returns a small pseudo-random generator (mulberry32), so that a failing mutation can be repeated by its seed. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Encodes one DER element. The parts are its content. */
export function tlv(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)));
  const { length } = body;
  const long =
    length < 65_536 ? [0x82, length >> 8, length & 255] : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([tag, ...(length < 128 ? [length] : long)]), body]);
}

/** Returns the SubjectPublicKeyInfo of a key. */
export function spki(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' });
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

async function importForSigning(key: KeyObject, hash: string) {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const algorithm = signingAlgorithm(key, hash);
  return { imported: await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']), algorithm };
}

function signingAlgorithm(key: KeyObject, hash: string) {
  const namedCurve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? '';
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return { name: 'RSASSA-PKCS1-v1_5', hash, namedCurve };
    case 'ec':
      return { name: 'ECDSA', hash, namedCurve };
    default:
      return { name: 'Ed25519', hash, namedCurve };
  }
}

async function extensionsOf(options: IssueOptions, own: Buffer, issuers: Buffer): Promise<x509.Extension[]> {
  const { ca = false, keyUsage = ca, keyIds = true, dnsNames = ca ? [] : [options.name], addresses = [] } = options;
  const extensions: x509.Extension[] = [new x509.BasicConstraintsExtension(ca, undefined, true)];
  if (keyUsage) {
    const usage = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
    extensions.push(new x509.KeyUsagesExtension(usage, true));
  }
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns', value }) as const),
    ...addresses.map((value) => ({ type: 'ip', value }) as const),
  ];
  if (names.length > 0) {
    extensions.push(new x509.SubjectAlternativeNameExtension(names));
  }
  if (keyIds) {
    extensions.push(await x509.SubjectKeyIdentifierExtension.create(new x509.PublicKey(own)));
    extensions.push(await x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(issuers)));
  }
  return extensions;
}
