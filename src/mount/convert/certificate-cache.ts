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

/** A value as it came from the vault, and what opens it. */
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

/** What is known of a content without opening it again. */
export interface ContentFacts {
  /** Whether it has a private key, be it one that cannot be used. */
  readonly hasKey: boolean;
  /** Whether all its certificates are those of CAs. */
  readonly onlyAuthorities: boolean;
  readonly examinations: readonly Examination[];
  /** Outputs that cannot be made, with the reason. */
  readonly missing: ReadonlyMap<OutputKind, string>;
  /** Those of them for which the content has nothing. */
  readonly absent: ReadonlySet<OutputKind>;
}

/** How a content is understood, where it is not a certificate with its own chain. */
export interface Understanding {
  /** Tells it from others of the same content. */
  readonly name: string;
  pair(bundle: CertificateBundle, signal: AbortSignal): Promise<CertificateMaterial>;
  /** Tells the examination from others of the same material; absent where there is one. */
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
/** More than twice the time between two republishes of a volume. */
const IDLE_MS = 10 * 60_000;
/** Keys and certificates of a content serve the Mounts that want them at the same time, and go soon after. */
const OPEN_IDLE_MS = 60_000;
/** Measured: OpenSSL's and Node's objects for one key or certificate. */
const OBJECT_BYTES = 14 * 1024;

/**
 * Remembers what was made of each content: who mounts the same bytes again gets the same files without opening them.
 * Whoever gets anything from here presented the same bytes and the same password, so that identities need no part in it.
 */
export class Contents {
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

  /** One content for one Mount, whose end ends the work on it unless others wait for it. */
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

/** One content as one Mount sees it. All of it rejects as {@link readBundle} does. */
export interface Content {
  /** Stands for the content, its password and its understanding; tells nothing about them. */
  readonly key: string;
  open(signal: AbortSignal): Promise<OpenContent>;
  facts(): Promise<ContentFacts>;
  /** A copy of the file that `make` makes; `name` tells it from other files of the same content. */
  file(name: string, make: (content: OpenContent, signal: AbortSignal) => Promise<Buffer | string>): Promise<Buffer>;
}

/** The bytes of a value; of one that is too long to be read, no more than show it: the rest costs time for nothing. */
export function bytesOf(value: Secret): Buffer {
  return Buffer.from(value.reveal().slice(0, MAX_CONTENT_BYTES + 1));
}

/** A digest of texts that may be absent; no two lists have the same, wherever one text ends and the next begins. */
export function digestOf(...parts: readonly (Buffer | string | undefined)[]): string {
  const digest = createHash('sha256');
  for (const part of parts) {
    // UTF-8 would make one of texts that differ in damaged characters.
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
