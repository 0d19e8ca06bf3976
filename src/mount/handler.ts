import type { MountedFile, ObjectVersion } from '../wire/contract.ts';

/** What a Mount is asked, as the driver sends it: three JSON texts and a path. */
export interface MountInput {
  readonly attributes: string;
  readonly secrets: string;
  readonly permission: string;
  /** Where the volume is mounted: tells volumes apart where a driver does not name the SecretProviderClass (rotation up to v1.5). */
  readonly targetPath?: string;
}

/** Circumstances of one call. */
export interface MountCall {
  /** Milliseconds until the caller gives up; `Infinity` where it sent no deadline. */
  readonly timeoutMs: number;
  /** Aborted when the caller cancels or goes away. */
  readonly signal: AbortSignal;
}

/** The whole content of one volume and where it came from. */
export interface MountOutput {
  readonly files: readonly MountedFile[];
  readonly objectVersions: readonly ObjectVersion[];
}

/** Answers one Mount. Rejects with a `ProviderError`; anything else it rejects with is a defect. */
export type MountHandler = (input: MountInput, call: MountCall) => Promise<MountOutput>;
