/**
 * Defines the types between the server and the pipeline of a Mount. The server, the driver of the demo and `mount.ts`
 * use them.
 */

import type { Span } from '../base/trace.ts';
import type { MountedFile, ObjectVersion } from '../wire/contract.ts';

/** A request as the driver sends it: three JSON texts and a path. */
export interface MountInput {
  readonly attributes: string;
  readonly secrets: string;
  readonly permission: string;
  /**
   * The path of the volume. It identifies the volume if a driver does not name the SecretProviderClass (rotation up to
   * v1.5).
   */
  readonly targetPath?: string;
}

/** The deadline and the signal of one call. */
export interface MountCall {
  /** Milliseconds until the caller gives up; `Infinity` if it sent no deadline. */
  readonly timeoutMs: number;
  /** Aborted when the caller cancels or disconnects. */
  readonly signal: AbortSignal;
  /** The span of the call, if it is traced. */
  readonly span?: Span | undefined;
}

/** All files of one volume, and the versions of the objects that they were made of. */
export interface MountOutput {
  /** The server overwrites their contents when it has encoded them. */
  readonly files: readonly MountedFile[];
  readonly objectVersions: readonly ObjectVersion[];
  /** Says that the answer has last known values, and which; absent: it has none. */
  readonly note?: string | undefined;
  /** The memory of the files. Default: it is not charged. */
  readonly memory?: AnswerMemory;
}

/** The memory of an answer, until it is sent. */
export interface AnswerMemory {
  /** Size of the encoded answer, about. */
  readonly bytes: number;
  /** Releases the memory. Called when the answer was sent, or when no client waits for it any more. */
  release(): void;
}

/** Answers one Mount. Throws: `ProviderError`; any other error is a defect. */
export type MountHandler = (input: MountInput, call: MountCall) => Promise<MountOutput>;
