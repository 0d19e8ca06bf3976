/**
 * Changes samples at random, the same way for the same seed. The fuzz test and `npm run fuzz` call it.
 */
import { randomOf } from '../support/pki.ts';

/** Values of bytes that parsers often treat specially. */
const BYTES = [0, 1, 9, 10, 13, 32, 34, 39, 45, 47, 58, 61, 91, 92, 93, 123, 125, 127, 128, 192, 237, 254, 255];
const MAX_CHANGES = 6;
/** Longest input, in bytes. */
const MAX_BYTES = 300_000;
const MAX_REPEATS = 2_000;

/** Makes inputs from samples. */
export class Mutator {
  readonly #samples: readonly Buffer[];
  readonly #words: readonly Buffer[];
  readonly #random: () => number;

  /** `words` are put into the samples as they are. */
  constructor(samples: readonly Buffer[], words: readonly string[], seed: number) {
    this.#samples = samples;
    this.#words = words.map((word) => Buffer.from(word));
    this.#random = randomOf(seed);
  }

  /** Returns the next input. */
  next(): Buffer {
    let input = this.#oneOf(this.#samples);
    for (let changes = 1 + this.#below(MAX_CHANGES); changes > 0; changes--) input = this.#change(Buffer.from(input));
    return input.subarray(0, MAX_BYTES);
  }

  #change(input: Buffer): Buffer {
    const at = this.#below(input.length + 1);
    const end = Math.min(input.length, at + 1 + this.#below(16));
    const join = (...parts: readonly Buffer[]) => Buffer.concat([input.subarray(0, at), ...parts]);
    const changes: readonly (() => Buffer)[] = [
      () => this.#flip(input, at),
      () => join(Buffer.of(this.#oneOf(BYTES)), input.subarray(at + 1)),
      () => join(Buffer.of(this.#oneOf(BYTES)), input.subarray(at)),
      () => join(input.subarray(end)),
      () => input.subarray(0, at),
      () => join(...Array.from({ length: 1 + this.#below(20) }, () => input.subarray(at, end)), input.subarray(end)),
      () => join(this.#oneOf(this.#words), input.subarray(at)),
      () => join(this.#oneOf(this.#words), input.subarray(end)),
      () => join(this.#part(this.#oneOf(this.#samples)), input.subarray(end)),
      () => join(...this.#repeated(), input.subarray(at)),
    ];
    return this.#oneOf(changes)();
  }

  #flip(input: Buffer, at: number): Buffer {
    if (at < input.length) input[at] = (input[at] ?? 0) ^ (1 << this.#below(8));
    return input;
  }

  #part(sample: Buffer): Buffer {
    const from = this.#below(sample.length + 1);
    return sample.subarray(from, from + this.#below(200));
  }

  #repeated(): readonly Buffer[] {
    // Deep nesting and long lists; rarely, since the input stays large.
    const repeats = this.#below(10) === 0 ? this.#below(MAX_REPEATS) : this.#below(5);
    const word = this.#oneOf(this.#words);
    return Array.from({ length: repeats }, () => word);
  }

  #oneOf<T>(values: readonly T[]): T {
    const value = values[this.#below(values.length)];
    if (value === undefined) throw new Error('a choice from nothing');
    return value;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
