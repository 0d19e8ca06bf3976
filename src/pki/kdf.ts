/**
 * Derives keys from passwords: PBKDF1, PBKDF2, scrypt and the derivation of PKCS#12. The password-based schemes, the
 * reader and the writer of PKCS#12 call it. It refuses a file that asks for more work than its budget allows.
 */

import { hash, pbkdf2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { nextTurn, onPool } from '../base/turns.ts';
import { badContent } from './bad-content.ts';

const pbkdf2Async = promisify(pbkdf2);
const scryptAsync = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

/** The digests of the key derivations: size of the result and of the blocks, in bytes. */
export const DIGESTS = {
  md5: { size: 16, block: 64 },
  sha1: { size: 20, block: 64 },
  sha224: { size: 28, block: 64 },
  sha256: { size: 32, block: 64 },
  sha384: { size: 48, block: 128 },
  sha512: { size: 64, block: 128 },
  'sha512-224': { size: 28, block: 128 },
  'sha512-256': { size: 32, block: 128 },
  'sha3-224': { size: 28, block: 144 },
  'sha3-256': { size: 32, block: 136 },
  'sha3-384': { size: 48, block: 104 },
  'sha3-512': { size: 64, block: 72 },
} as const;
export type Digest = keyof typeof DIGESTS;

const MAX_ITERATIONS = 1_000_000;
const MAX_WORK = 10_000_000;
const MAX_SALT_BYTES = 1024;
const MAX_SCRYPT_BYTES = 64 * 1024 * 1024;
/** A kilobyte of scrypt takes the time of four digests. */
const SCRYPT_BLOCKS = 4;
const MAX_KEY_BYTES = 64;
/** The digests of one slice of the event loop, about a millisecond. */
const SLICE = 1024;

/**
 * Bounds the cost of one file. Iteration counts come from the file, so a hostile file could ask for hours of work. The
 * limits are a million per count (OpenSSL uses 2048, Java 10,000, GnuTLS 600,000) and ten million digests in all: about
 * ten seconds, in slices between which other work runs.
 */
export class WorkBudget {
  readonly signal: AbortSignal | undefined;
  #left = MAX_WORK;

  constructor(signal?: AbortSignal) {
    this.signal = signal;
  }

  /** Takes `iterations` times `blocks` digests from the budget. */
  spend(iterations: number, blocks: number): void {
    if (iterations < 1) throw badContent('is damaged: its key derivation asks for no iterations');
    if (iterations > MAX_ITERATIONS) {
      throw badContent(
        `asks for ${countOf(iterations)} iterations of its key derivation, and more than ${MAX_ITERATIONS} are refused; export it again with fewer`,
      );
    }
    this.#left -= iterations * blocks;
    if (this.#left < 0) {
      throw badContent('asks for too much work in its key derivations; export it again with fewer iterations');
    }
  }
}

/** The input of a key derivation; `size` is the length of the result in bytes. */
export interface Derivation {
  readonly digest: Digest;
  readonly password: Buffer;
  readonly salt: Buffer;
  readonly iterations: number;
  readonly size: number;
}

/** The purpose of a PKCS#12 derivation (RFC 7292 appendix B.3). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

/** PBKDF2 (RFC 8018) on Node's thread pool. */
export async function deriveByPbkdf2(input: Derivation, budget: WorkBudget): Promise<Buffer> {
  checkSizes(input);
  budget.spend(input.iterations, Math.ceil(input.size / DIGESTS[input.digest].size));
  const { password, salt, iterations, size, digest } = input;
  const key = await onPool(() => pbkdf2Async(password, salt, iterations, size, digest), budget.signal);
  await nextTurn(budget.signal);
  return key;
}

/** scrypt (RFC 7914) on Node's thread pool; at most 64 MiB of memory. */
export async function deriveByScrypt(
  input: Pick<Derivation, 'password' | 'salt' | 'size'>,
  cost: { readonly N: number; readonly r: number; readonly p: number },
  budget: WorkBudget,
): Promise<Buffer> {
  checkSizes(input);
  const memory = 128 * cost.N * cost.r;
  if (memory > MAX_SCRYPT_BYTES || cost.p > 16) {
    throw badContent('asks for too much memory or work in its key derivation (scrypt); export it again with PBKDF2');
  }
  budget.spend(Math.max(1, Math.ceil((memory * cost.p) / 1024)), SCRYPT_BLOCKS);
  try {
    const options = { ...cost, maxmem: 2 * MAX_SCRYPT_BYTES };
    return await onPool(() => scryptAsync(input.password, input.salt, input.size, options), budget.signal);
  } catch (error) {
    budget.signal?.throwIfAborted();
    throw badContent('is damaged: its key derivation (scrypt) has parameters that are not allowed', error);
  }
}

/**
 * The key derivation of PKCS#12 itself (RFC 7292 appendix B.2): no native function offers it, so it is a
 * loop here, cut into slices.
 */
export async function deriveByPkcs12(input: Derivation, purpose: number, budget: WorkBudget): Promise<Buffer> {
  checkSizes(input);
  const { digest, iterations } = input;
  const { size: digestSize, block } = DIGESTS[digest];
  const rounds = Math.ceil(input.size / digestSize);
  budget.spend(iterations, rounds);
  const diversifier = Buffer.alloc(block, purpose);
  const state = Buffer.concat([stretch(input.salt, block), stretch(input.password, block)]);
  const parts: Buffer[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round > 0) addToBlocks(state, stretch(parts[round - 1] ?? diversifier, block));
    const first = hash(digest, Buffer.concat([diversifier, state]), 'buffer');
    parts.push(await iterateDigest(digest, first, { times: iterations - 1, signal: budget.signal }));
  }
  return Buffer.concat(parts).subarray(0, input.size);
}

/** PBKDF1 (RFC 8018), used by old encrypted PKCS#8 files. */
export async function deriveByPbkdf1(input: Derivation, budget: WorkBudget): Promise<Buffer> {
  checkSizes(input);
  budget.spend(input.iterations, 1);
  const first = hash(input.digest, Buffer.concat([input.password, input.salt]), 'buffer');
  const derived = await iterateDigest(input.digest, first, { times: input.iterations - 1, signal: budget.signal });
  return derived.subarray(0, input.size);
}

/** Applies a digest `times` times. Intermediate results are Latin-1 strings, at half the cost of buffers in Node. */
async function iterateDigest(
  digest: Digest,
  start: Buffer,
  { times, signal }: { readonly times: number; readonly signal: AbortSignal | undefined },
): Promise<Buffer> {
  const value = Buffer.from(start);
  for (let left = times; left > 0; ) {
    await nextTurn(signal);
    const stop = Math.max(0, left - SLICE);
    for (; left > stop; left--) value.write(hash(digest, value, 'binary'), 'latin1');
  }
  return value;
}

/** Repeats `bytes` up to a multiple of `block`; an empty buffer stays empty. */
function stretch(bytes: Buffer, block: number): Buffer {
  const size = block * Math.ceil(bytes.length / block);
  return size === 0 ? Buffer.alloc(0) : Buffer.alloc(size, bytes);
}

/** Each block of `state` becomes (block + `addend` + 1) mod 2^(8 × block size). */
function addToBlocks(state: Buffer, addend: Buffer): void {
  for (let start = 0; start < state.length; start += addend.length) {
    let carry = 1;
    for (let i = addend.length - 1; i >= 0; i--) {
      const sum = (state[start + i] ?? 0) + (addend[i] ?? 0) + carry;
      state[start + i] = sum & 0xff;
      carry = sum >> 8;
    }
  }
}

function checkSizes({ salt, size }: Pick<Derivation, 'salt' | 'size'>): void {
  if (salt.length > MAX_SALT_BYTES)
    throw badContent(`is damaged: its key derivation has a salt of ${salt.length} bytes`);
  if (size < 1 || size > MAX_KEY_BYTES)
    throw badContent(`is damaged: its key derivation asks for a key of ${size} bytes`);
}

function countOf(iterations: number): string {
  return Number.isFinite(iterations) ? String(iterations) : 'far too many';
}
