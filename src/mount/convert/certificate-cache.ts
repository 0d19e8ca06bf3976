/**
 * Opens contents of certificates, and keeps the results: opened keys for a minute, facts and files for ten minutes
 * after their last use. The conversions in this room use it. It serves only callers that present the same bytes and
 * password.
 */

import { createHash } from 'node:crypto';
import type { Secret } from '../../base/secret.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import { nextTurn } from '../../base/turns.ts';
import { type CertificateBundle, MAX_CONTENT_BYTES, readBundle } from '../../pki/bundle.ts';
import { type CertificateMaterial, pairKey } from '../../pki/certified-key.ts';
import { type Examination, examine } from '../../pki/findings.ts';
import { OUTPUT_KINDS, type OutputKind } from '../../pki/outputs.ts';
import { hasKey, isAbsentFor, missingFor } from '../../pki/write.ts';
import { ResultCache } from './result-cache.ts';

/** A value as it came from the vault, and its password. */
export interface ContentSource {
  readonly value: Buffer;
  /** Part of error messages. */
  readonly contentType: string;
  readonly password?: Secret;
}

/** A content with its key and certificates ready for use. */
export interface OpenContent {
  readonly bundle: CertificateBundle;
  readonly material: CertificateMaterial;
}

/** Facts of a content that are kept longer than its keys. */
export interface ContentFacts {
  /** True if it has a private key, also one that cannot be used. */
  readonly hasKey: boolean;
  /** True if all its certificates are those of CAs. */
  readonly onlyAuthorities: boolean;
  readonly examinations: readonly Examination[];
  /** Outputs that cannot be made, with the reasons. */
  readonly missing: ReadonlyMap<OutputKind, string>;
  /** The outputs among them for which the content has nothing. */
  readonly absent: ReadonlySet<OutputKind>;
}

/** A way to interpret a content, such as a certificate with its own chain or a list of CAs. */
export interface Understanding {
  /** Distinguishes it from other interpretations of the same content. */
  readonly name: string;
  pair(bundle: CertificateBundle, signal: AbortSignal): Promise<CertificateMaterial>;
  /** Distinguishes the examination from others of the same material; absent if there is only one. */
  readonly view?: string;
  examine(material: CertificateMaterial, signal: AbortSignal): Promise<readonly Examination[]>;
}

/** A certificate with its own chain. */
export const OWN_CHAIN: Understanding = {
  name: 'certificate',
  pair: (bundle, signal) => pairKey(bundle, { signal }),
  examine: async ({ chain, key, rivals }) => [examine(chain, key, { rivals })],
};

const MEBIBYTE = 1024 * 1024;
/** Facts and files stay for more than twice the time between two republishes of a volume. */
const IDLE_MS = 10 * 60_000;
/** Opened keys and certificates serve the Mounts that come at the same time, and expire soon after. */
const OPEN_IDLE_MS = 60_000;
/** Measured size of the objects of OpenSSL and Node for one key or certificate. */
const OBJECT_BYTES = 14 * 1024;

/**
 * Keeps the results of each content, so that a later Mount of the same bytes gets the same files without opening them.
 * Every caller presents the bytes and the password, so that the key of an entry needs no identity.
 */
export class CertificateCache {
  readonly #open: ResultCache<OpenContent>;
  readonly #facts: ResultCache<ContentFacts>;
  readonly #files: ResultCache<Buffer>;
  readonly #read: typeof readBundle;

  constructor(sweeper: Sweeper, read: typeof readBundle = readBundle) {
    this.#read = read;
    this.#open = new ResultCache(sweeper, { idleMs: OPEN_IDLE_MS, maxBytes: MEBIBYTE, sizeOf: sizeOfOpen });
    this.#facts = new ResultCache(sweeper, { idleMs: IDLE_MS, maxBytes: MEBIBYTE, sizeOf: sizeOfFacts });
    this.#files = new ResultCache(sweeper, { idleMs: IDLE_MS, maxBytes: 2 * MEBIBYTE, sizeOf: ({ length }) => length });
  }

  /** Returns one content for one Mount. The work on it ends with the Mount, unless other Mounts wait for it. */
  of(source: ContentSource, signal: AbortSignal, understanding: Understanding = OWN_CHAIN): Content {
    const { value, contentType, password } = source;
    const key = `${digestOf(value, contentType, password?.reveal())} ${understanding.name}`;
    const open = (own: AbortSignal) =>
      this.#open.once(key, own, async (shared) => {
        const bundle = await this.#read(value, { ...source, signal: shared });
        await nextTurn(shared);
        return { bundle, material: await understanding.pair(bundle, shared) };
      });
    return {
      key,
      open,
      facts: () =>
        this.#facts.once(`${key} ${understanding.view}`, signal, async (own) => {
          const content = await open(own);
          await nextTurn(own);
          return factsOf(content, await understanding.examine(content.material, own));
        }),
      file: async (name, make) => {
        const kept = await this.#files.once(`${key} ${name}`, signal, async (own) => {
          const content = await open(own);
          await nextTurn(own);
          const made = await make(content, own);
          return typeof made === 'string' ? Buffer.from(made) : made;
        });
        return Buffer.from(kept);
      },
    };
  }
}

/** One content for one Mount. All methods throw as {@link readBundle} does. */
export interface Content {
  /** Identifies the content, its password and its interpretation, and reveals nothing about them. */
  readonly key: string;
  open(signal: AbortSignal): Promise<OpenContent>;
  facts(): Promise<ContentFacts>;
  /** Returns a copy of the file that `make` makes; `name` distinguishes it from other files of the same content. */
  file(name: string, make: (content: OpenContent, signal: AbortSignal) => Promise<Buffer | string>): Promise<Buffer>;
}

/**
 * Returns the bytes of a value. A value that is too long to be read is cut one byte above the limit, which saves time.
 */
export function bytesOf(value: Secret): Buffer {
  return Buffer.from(value.reveal().slice(0, MAX_CONTENT_BYTES + 1));
}

/** Returns a digest of a list of texts, some of which may be absent. Different lists have different digests. */
export function digestOf(...parts: readonly (Buffer | string | undefined)[]): string {
  const digest = createHash('sha256');
  for (const part of parts) {
    // In UTF-8, texts that differ only in lone surrogates would be equal.
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf16le') : part;
    digest.update(bytes === undefined ? '-' : `${bytes.length}:`).update(bytes ?? '');
  }
  return digest.digest('hex');
}

function factsOf({ bundle, material }: OpenContent, examinations: readonly Examination[]): ContentFacts {
  const missing = new Map<OutputKind, string>();
  const absent = new Set<OutputKind>();
  for (const output of OUTPUT_KINDS) {
    const reason = missingFor(output, material);
    if (reason !== undefined) missing.set(output, reason);
    if (isAbsentFor(output, material)) absent.add(output);
  }
  const onlyAuthorities = bundle.certificates.every(({ ca }) => ca);
  return { hasKey: hasKey(material), onlyAuthorities, examinations, missing, absent };
}

function sizeOfOpen({ bundle }: OpenContent): number {
  return (bundle.keys.length + bundle.certificates.length) * OBJECT_BYTES;
}

function sizeOfFacts(facts: ContentFacts): number {
  return 2 * JSON.stringify([facts.examinations, [...facts.missing.values()]]).length;
}
