/**
 * Defines one read of a vault. The vault reader makes one for each object and listing that a Mount asks for.
 */

import type { KnownRequest, KnownValues, Operation } from './known-request.ts';
import type { SharedReads } from './shared-reads.ts';
import type { VaultCall } from './vault-client.ts';
import type { VaultQuestion } from './vault-error.ts';

/** One read: the question, how it is sent, and how its answer is understood and kept. */
export interface Read<O extends Operation> {
  readonly question: VaultQuestion;
  /** Names the read among those of all vaults. Equal reads of one principal have equal keys. */
  readonly key: string;
  readonly request: KnownRequest<O>;
  readonly shared: SharedReads<KnownValues[O]>;
  /** How long a value answers repeated reads without a request, in milliseconds. */
  readonly ttlMs: number;
  /** How old a value may be that the Mount gets, in milliseconds. */
  readonly maxAgeMs: number;
  /** Other vaults are asked if this one is away. */
  readonly hasFallbacks: boolean;
  /** Chooses the value in memory, given the one that was read a moment ago. */
  readonly choose: (kept: KnownValues[O] | undefined) => KnownValues[O] | undefined;
  /** Returns the answer, or `MORE_PAGES`: it is to be called again. */
  readonly send: (call: VaultCall) => Promise<unknown>;
  readonly understand: (body: unknown) => KnownValues[O];
}
