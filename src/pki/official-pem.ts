/**
 * Writes a certificate as the official provider does: one PEM file, and the two files of its flag for separate files.
 * Conversion calls it for objects without `files`. It refuses nothing: PEM that cannot be read passes as it came.
 */

import type { X509Certificate } from 'node:crypto';
import type { CertificateBundle } from './bundle.ts';
import { KEY_LABELS } from './bundle-reader.ts';
import type { CertificateMaterial } from './certified-key.ts';
import { pathOf } from './chain.ts';
import { CERTIFICATE_LABELS, type PemBlock, readPem, writePem } from './pem.ts';
import { isPkcs12 } from './pkcs12-read.ts';
import { certificatesPem, privateKeyPem } from './write.ts';

/** The limit of blocks of a damaged text that are read one by one; a Key Vault secret cannot hold as many. */
const MAX_PIECES = 1000;
const WHOLE_BLOCK = /^-----BEGIN ([A-Z0-9 ]{1,64})-----[\s\S]*?^-----END \1-----/m;

const NOTHING_BUT_PEM = /^[\s"'`\ufeff]{0,100}-----BEGIN /;
const BOUNDARY_LINE = /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----\s*$/;
/** A line of a block: BEGIN, a header, base64, or an empty line. */
const BODY_LINE = /^(?:-----BEGIN |[A-Za-z0-9-]{1,64}: |[A-Za-z0-9+/=]*$)/;

/** A content with its keys and certificates in their roles. */
export interface ReadContent {
  readonly bundle: CertificateBundle;
  readonly material: CertificateMaterial;
}

/**
 * The single file of the official provider for a PFX: private keys as PKCS#8, then the certificates. With `order`
 * (`--construct-pem-chain`) the key of the leaf is first among the keys, and the chain from leaf to root is first among
 * the certificates; readers take the first of each.
 *
 * Differs: the official provider keeps the order of an incomplete chain and fails on a duplicate root. Here duplicates
 * are dropped, and the known part of the chain follows the leaf.
 */
export function upstreamPem({ bundle, material }: ReadContent, order: boolean): string {
  const keys = order ? ownKeyFirst(bundle.keys, { bundle, material }) : bundle.keys;
  const certificates = order ? inChainOrder(bundle, material) : bundle.certificates;
  return keys.map((key) => privateKeyPem(key)).join('') + certificatesPem(certificates);
}

/**
 * The single file of the official provider for PEM content. The content is unchanged byte for byte, with two
 * exceptions: its line breaks are lost, or `order` is set and the blocks are not in the order of {@link upstreamPem}.
 * The second parameter is the result of reading `text`.
 *
 * Differs: the official provider never changes PEM.
 */
export function upstreamPemOfText(text: string, { bundle, material }: ReadContent, order: boolean): string {
  const blocks = blocksOf(text) ?? [];
  const asTheyStand = hasLostLines(text) ? blocks.map(blockPem).join('') : text;
  if (!order) return asTheyStand;
  const certificates = inChainOrder(bundle, material);
  const keys = ownKeyFirst(bundle.keys, { bundle, material });
  if (isSame(certificates, bundle.certificates) && isSame(keys, bundle.keys)) return asTheyStand;
  const certificateBlocks = blocks.filter(isCertificateBlock);
  const keyBlocks = blocks.filter(isKeyBlock);
  // Keys and certificates inside other blocks cannot be moved.
  const isComplete = certificateBlocks.length === bundle.certificates.length && keyBlocks.length === bundle.keys.length;
  if (!isComplete) return asTheyStand;
  const orderedKeys = [...ownKeyFirst(keyBlocks, { bundle, material })];
  const others = blocks.filter((block) => !isCertificateBlock(block));
  const placed = others.map((block) => (isKeyBlock(block) ? (orderedKeys.shift() ?? block) : block));
  return placed.map(blockPem).join('') + certificatesPem(certificates);
}

/**
 * Splits such a file for `--write-cert-and-key-in-separate-files`: all CERTIFICATE blocks, and all others. Blocks that
 * cannot be read are left out, as in the official provider; the whole file still has them.
 */
export function splitPem(text: string): { readonly certificates: string; readonly keys: string } {
  const blocks = readableBlocks(text);
  const joined = (wanted: readonly PemBlock[]) => wanted.map(blockPem).join('');
  return {
    certificates: joined(blocks.filter(({ label }) => label === 'CERTIFICATE')),
    keys: joined(blocks.filter(({ label }) => label !== 'CERTIFICATE')),
  };
}

/**
 * True if a text has blocks that this reader finds, but OpenSSL, Go and others do not: they need line breaks after
 * BEGIN and before END.
 */
function hasLostLines(text: string): boolean {
  if (!text.includes('-----BEGIN ')) return false;
  const found = blocksOf(text)?.length ?? 0;
  return found > blocksOnLines(text);
}

/** As {@link hasLostLines}, for a text that is only PEM; JSON and others may hold PEM in their own form. */
export function isPemWithLostLines(text: string): boolean {
  return NOTHING_BUT_PEM.test(text) && hasLostLines(text);
}

function blocksOnLines(text: string): number {
  let [count, open] = [0, ''];
  for (const line of text.split('\n')) {
    const [, word, label = ''] = BOUNDARY_LINE.exec(line) ?? [];
    if (word === 'BEGIN') open = label;
    else if (word === 'END' && label === open) count++;
    if (word === 'END' || !BODY_LINE.test(line.trim())) open = '';
  }
  return count;
}

/** Reads the blocks that begin and end with a line one by one, if the text cannot be read as a whole. */
function readableBlocks(text: string): readonly PemBlock[] {
  const whole = blocksOf(text);
  if (whole !== undefined) return whole;
  const pieces = text.split(/^(?=-----BEGIN )/m, MAX_PIECES);
  return pieces.flatMap((piece) => blocksOf(WHOLE_BLOCK.exec(piece)?.[0] ?? '') ?? []);
}

function blocksOf(text: string): readonly PemBlock[] | undefined {
  try {
    return readPem(text);
  } catch {
    return undefined;
  }
}

/** The certificates of the chain from leaf to root, then the others in their order, each once. */
function inChainOrder({ certificates }: CertificateBundle, { chain }: CertificateMaterial): readonly X509Certificate[] {
  const distinct = new Map<string, X509Certificate>();
  for (const certificate of [...pathOf(chain), ...certificates]) {
    if (!distinct.has(certificate.fingerprint256)) distinct.set(certificate.fingerprint256, certificate);
  }
  return [...distinct.values()];
}

/** Moves the entry of the key of the leaf before the others; `keys` has one entry for each key of the bundle. */
function ownKeyFirst<T>(keys: readonly T[], { bundle, material }: ReadContent): readonly T[] {
  const isOwn = (_: T, i: number) => bundle.keys[i] === material.key;
  return [...keys.filter(isOwn), ...keys.filter((one, i) => !isOwn(one, i))];
}

function isSame<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}

function isCertificateBlock({ label, der }: PemBlock): boolean {
  return CERTIFICATE_LABELS.includes(label) && !isPkcs12(der);
}

function isKeyBlock({ label }: PemBlock): boolean {
  return KEY_LABELS.includes(label);
}

function blockPem({ label, der, encrypted }: PemBlock): string {
  return encrypted ?? writePem(label, der);
}
