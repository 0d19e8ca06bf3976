/**
 * Collects the private keys and certificates of a content, block by block and element by element. `bundle.ts` calls it.
 * It refuses damaged keys and certificates, and more of them than any real content holds.
 */

import { type KeyObject, X509Certificate } from 'node:crypto';
import { nextTurn } from '../base/turns.ts';
import { badContent, naming } from './bad-content.ts';
import { type Der, octets, oid, readAll, readDer, sequence, TAG } from './der.ts';
import { checkKeySize, importPrivateKey } from './keys.ts';
import { unwrap } from './layers.ts';
import { decryptWithPassword } from './pbe.ts';
import { CERTIFICATE_LABELS, type PemBlock, readPem } from './pem.ts';
import { OID } from './pkcs12-oids.ts';
import { type Pkcs12Access, readPkcs12 } from './pkcs12-read.ts';
import { type Shape, shapeOf } from './shape.ts';
import { decryptOldKey, readOldEncryption } from './traditional-key.ts';

/** Labels of blocks with a private key that is not encrypted. */
export const KEY_LABELS: readonly string[] = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];
/** Contents that are mistaken for a key or a certificate, with the remedy. */
const FOREIGN = {
  'PUBLIC KEY': 'a public key',
  'CERTIFICATE REQUEST': 'a certificate request (CSR); take the certificate that the CA issued for it',
  'OPENSSH PRIVATE KEY': 'a key in the format of OpenSSH; convert it with "ssh-keygen -p -m PKCS8 -f FILE"',
} as const;
const FOREIGN_LABELS: Readonly<Record<string, string>> = {
  ...FOREIGN,
  'RSA PUBLIC KEY': FOREIGN['PUBLIC KEY'],
  'NEW CERTIFICATE REQUEST': FOREIGN['CERTIFICATE REQUEST'],
  'X509 CRL': 'a revocation list (CRL)',
};
const SHAPES_OF_KEYS: readonly Shape[] = ['private key', 'encrypted private key'];
const REMEDIES = {
  'private key': 'replace it with the private key, or correct the label of the block',
  certificate: 'replace it with the certificate, or correct the label of the block',
} as const;
/** A browser trusts about 150 roots. */
const MAX_CERTIFICATES = 256;
/** A certificate with a thousand names takes 30,000 bytes, one with a post-quantum signature 50,000. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;
const MAX_KEYS = 20;

/** Collects keys and certificates; each one is opened in a new turn of the event loop. */
export class BundleReader {
  readonly keys: KeyObject[] = [];
  readonly certificates: X509Certificate[] = [];
  /** Parts of the content that are neither keys nor certificates, as nouns. */
  readonly passedOver = new Set<string>();
  /** The first private key among the skipped parts: a content with such a key does not count as one without a key. */
  unreadKey: string | undefined;
  readonly #access: Pkcs12Access;
  /** True while the text of a block is read; a block inside that text is not searched again. */
  #isNested = false;

  constructor(access: Pkcs12Access) {
    this.#access = access;
  }

  async addPkcs12(bytes: Buffer): Promise<void> {
    const items = await readPkcs12(bytes, this.#access);
    for (const key of items.keys) await this.#addKey(key);
    for (const certificate of items.certificates) await this.#addCertificate(certificate);
  }

  async addPem(text: string): Promise<void> {
    for (const block of readPem(text)) {
      await naming(`has a block ${block.label} (line ${block.line}) that`, () => this.#addBlock(block));
    }
  }

  /** Reads elements one after the other, as in concatenated files. A line break or zeros may follow them. */
  async addDer(bytes: Buffer): Promise<void> {
    for (let offset = 0; bytes[offset] === TAG.sequence; ) {
      const { raw } = readDer(bytes, offset);
      await this.#addElement(raw);
      offset += raw.length;
    }
  }

  async #addBlock(block: PemBlock): Promise<void> {
    const { label, der, encrypted } = block;
    const shape = shapeOf(der);
    const inner = shape === undefined && encrypted === undefined ? this.#textIn(der) : undefined;
    if (inner !== undefined) return this.#addNested(inner);
    if (KEY_LABELS.includes(label) || label === 'ENCRYPTED PRIVATE KEY') return this.#addKeyBlock(block, shape);
    if (CERTIFICATE_LABELS.includes(label)) return this.#addCertificateBlock(der, shape);
    if (label === 'PKCS12') return this.addPkcs12(der);
    if (label === 'PKCS7' || label === 'CMS') return this.#addPkcs7(sequence(readDer(der)));
    this.passedOver.add(FOREIGN_LABELS[label] ?? label);
    if (label.endsWith('PRIVATE KEY')) this.unreadKey ??= FOREIGN_LABELS[label] ?? unreadKeyNamed(label);
  }

  async #addKeyBlock({ der, encrypted }: PemBlock, shape: Shape | undefined): Promise<void> {
    if (encrypted !== undefined) return this.#addOldEncryptedKey(encrypted, der);
    if (shape !== undefined && !SHAPES_OF_KEYS.includes(shape)) throw misplaced(shape, 'private key');
    return shape === 'encrypted private key' ? this.#addElement(der) : this.#addKey(readDer(der).raw);
  }

  async #addCertificateBlock(der: Buffer, shape: Shape | undefined): Promise<void> {
    // Windows' "certutil -encode" labels every content CERTIFICATE.
    if (shape === 'PKCS#12 file (PFX)' || shape === 'PKCS#7 collection') return this.#addElement(der);
    if (shape !== undefined && shape !== 'certificate') throw misplaced(shape, 'certificate');
    return this.#addCertificate(readDer(der).raw);
  }

  /** PEM inside the base64 of a block: a PEM file that was encoded and wrapped in BEGIN and END again. */
  #textIn(der: Buffer): string | undefined {
    const core = this.#isNested ? undefined : unwrap(der).core;
    return core?.kind === 'pem' ? core.text : undefined;
  }

  async #addNested(text: string): Promise<void> {
    this.#isNested = true;
    await this.addPem(text);
    this.#isNested = false;
  }

  /** Reads a DER element according to its shape. */
  async #addElement(der: Buffer): Promise<void> {
    switch (shapeOf(der)) {
      case 'private key':
        return this.#addKey(der);
      case 'encrypted private key':
        return this.#addEncryptedKey(sequence(readDer(der)));
      case 'PKCS#12 file (PFX)':
        return this.addPkcs12(der);
      case 'PKCS#7 collection':
        return this.#addPkcs7(sequence(readDer(der)));
      case 'certificate':
        return this.#addCertificate(der);
      case 'certificate request (CSR)':
        this.passedOver.add(FOREIGN['CERTIFICATE REQUEST']);
        return;
      case 'public key':
        this.passedOver.add(FOREIGN['PUBLIC KEY']);
        return;
      case undefined:
        sequence(readDer(der));
        this.passedOver.add('data of another kind');
    }
  }

  async #addKey(der: Buffer): Promise<void> {
    await nextTurn(this.#access.budget.signal);
    this.#keep(importPrivateKey(der));
  }

  async #addEncryptedKey([algorithm, encrypted]: readonly Der[]): Promise<void> {
    let key: KeyObject | undefined;
    const plausible = (plain: Buffer) => {
      key = tryTo(() => importPrivateKey(plain));
      return key !== undefined;
    };
    await decryptWithPassword(algorithm, octets(encrypted), { ...this.#access, plausible });
    this.#keep(key ?? keyStaysShut(this.#access));
  }

  /** The encryption of OpenSSL before 1.0 (`Proc-Type: 4,ENCRYPTED`), whose key derivation is cheap. */
  async #addOldEncryptedKey(headers: string, content: Buffer): Promise<void> {
    const { budget, passwords } = this.#access;
    const encryption = readOldEncryption(headers);
    checkKeySize(content);
    for (const { utf8 } of passwords) {
      await nextTurn(budget.signal);
      const plain = await decryptOldKey(encryption, utf8, { content, signal: budget.signal });
      const key = plain && tryTo(() => importPrivateKey(plain));
      if (key !== undefined) return this.#keep(key);
    }
    keyStaysShut(this.#access);
  }

  /** The certificates of a PKCS#7 collection (RFC 5652 SignedData). */
  async #addPkcs7([type, content]: readonly Der[]): Promise<void> {
    if (oid(type) !== OID.signedData || content === undefined) {
      this.passedOver.add('PKCS#7 that is not a collection of certificates');
      return;
    }
    const set = sequence(readDer(content.content)).find(({ tag }) => tag === TAG.context(0));
    for (const certificate of set === undefined ? [] : readAll(set.content)) {
      await this.#addCertificate(certificate.raw);
    }
  }

  async #addCertificate(der: Buffer): Promise<void> {
    await nextTurn(this.#access.budget.signal);
    if (der.length > MAX_CERTIFICATE_BYTES) {
      throw badContent(
        `holds a certificate of ${der.length} bytes, and more than ${MAX_CERTIFICATE_BYTES} are refused`,
      );
    }
    const certificate = tryTo(() => new X509Certificate(der));
    if (!certificate?.raw.equals(der)) throw badContent('holds a certificate that cannot be read: it is damaged');
    this.certificates.push(certificate);
    if (this.certificates.length > MAX_CERTIFICATES)
      throw badContent(`holds more than ${MAX_CERTIFICATES} certificates`);
  }

  #keep(key: KeyObject): void {
    this.keys.push(key);
    if (this.keys.length > MAX_KEYS) throw badContent(`holds more than ${MAX_KEYS} private keys`);
  }
}

function tryTo<T>(job: () => T): T | undefined {
  try {
    return job();
  } catch {
    return undefined;
  }
}

function unreadKeyNamed(label: string): string {
  return `a block "${label}", which is not read; convert it with "openssl pkcs8 -topk8 -nodes -in FILE"`;
}

function keyStaysShut({ passwordGiven, passwordRemark, passwordRemedy }: Pkcs12Access): never {
  throw badContent(
    passwordGiven
      ? `holds an encrypted private key that does not open with the password given for it (or is damaged); check that password${passwordRemark}`
      : `holds an encrypted private key; ${passwordRemedy}`,
  );
}

/** The error of a block whose content does not match its label. */
function misplaced(shape: Shape, wanted: 'private key' | 'certificate'): Error {
  return badContent(`holds a ${shape}, not a ${wanted}; ${REMEDIES[wanted]}`);
}
