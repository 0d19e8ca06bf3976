/**
 * Gives changed samples to a parser and checks how it ends. The fuzz test and `npm run fuzz` call it.
 */
import { ProviderError } from '../../src/base/errors.ts';
import { Mutator } from './mutate.ts';

/** A parser of bytes from outside. */
export interface Target {
  readonly name: string;
  /** Valid inputs, and some that are refused. */
  readonly samples: readonly Buffer[];
  /** Words of the format, which are put into the samples. */
  readonly words: readonly string[];
  /** Parses an input. The result of equal inputs must be equal, by JSON. */
  readonly parse: (input: Buffer) => unknown;
  /** Further errors, besides `ProviderError`, with which the parser refuses an input. */
  readonly refusals?: readonly (abstract new (
    ...args: never[]
  ) => Error)[];
}

/** An input that a parser did not survive. */
export class FuzzFailure extends Error {
  constructor(target: Target, reason: string, input: Buffer, cause?: unknown) {
    super(`${target.name}: ${reason}; input in base64: ${input.toString('base64')}`, { cause });
    this.name = 'FuzzFailure';
  }
}

/**
 * Parses `rounds` inputs. An input must give a result or a refusal, and the same one again.
 * Throws: {@link FuzzFailure}.
 */
export async function fuzz(target: Target, { seed, rounds }: { seed: number; rounds: number }): Promise<void> {
  const mutator = new Mutator(target.samples, target.words, seed);
  for (const sample of target.samples) await check(target, sample);
  for (let round = 0; round < rounds; round++) await check(target, mutator.next());
}

async function check(target: Target, input: Buffer): Promise<void> {
  const first = await outcomeOf(target, input);
  const again = await outcomeOf(target, input);
  if (first !== again) throw new FuzzFailure(target, `first ${first}, then ${again}`, input);
}

/** The result of one input as a text. */
async function outcomeOf(target: Target, input: Buffer): Promise<string> {
  try {
    // Parsers may overwrite what they have read.
    const result = JSON.stringify(await target.parse(Buffer.from(input)));
    return `result ${result ?? 'undefined'}`;
  } catch (error) {
    const refused = error instanceof ProviderError && error.code !== 'ERR_INTERNAL';
    if (refused || (target.refusals ?? []).some((kind) => error instanceof kind)) return `refusal ${String(error)}`;
    throw new FuzzFailure(target, `it threw ${String(error)}`, input, error);
  }
}
