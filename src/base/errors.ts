/**
 * The one error class of this project, with its codes. Thrown in every room; `server/status.ts` turns a code into a
 * gRPC status, and `cli/` into an exit code.
 */

import type { Phase } from './phases.ts';

/** Kinds of failures, as stable codes; the message has the details. */
export type ErrorCode =
  /** The request itself is malformed: attributes, secrets or permission are not what the driver sends. */
  | 'ERR_BAD_REQUEST'
  /** A parameter of the SecretProviderClass is missing, unknown or wrong. */
  | 'ERR_BAD_PARAMETERS'
  /** The parameters ask for an identity whose credentials did not come with the request. */
  | 'ERR_NO_CREDENTIALS'
  /** The pod of the provider lacks what the identity or a flag needs. */
  | 'ERR_SETUP'
  /** Entra ID, IMDS or the vault refused the identity. */
  | 'ERR_AUTHENTICATION'
  /** The identity is known and may not read the object. */
  | 'ERR_FORBIDDEN'
  /** The object, or the version of it, does not exist. */
  | 'ERR_NOT_FOUND'
  /** The object exists and is disabled. */
  | 'ERR_DISABLED'
  /** The vault asked to wait for longer than this Mount may take. */
  | 'ERR_THROTTLED'
  /** A host did not answer: DNS, TCP, TLS or proxy. */
  | 'ERR_UNREACHABLE'
  /** The time for this Mount ran out. */
  | 'ERR_TIMEOUT'
  /** The time of this Mount ran out while it waited for memory, or too many Mounts wait for memory. */
  | 'ERR_NO_MEMORY'
  /** The caller cancelled the request. */
  | 'ERR_CANCELLED'
  /** The vault answered with something that is not in its contract, or with 5xx. */
  | 'ERR_VAULT'
  /** The value read from the vault cannot be turned into the requested files. */
  | 'ERR_BAD_CONTENT'
  /** The answer would exceed what the driver accepts. */
  | 'ERR_TOO_LARGE'
  /** A command line that cannot be understood. */
  | 'ERR_USAGE'
  /** A defect of this program. */
  | 'ERR_INTERNAL';

/** Facts next to the message, for logs, metrics and tests; never a secret. */
export interface ErrorDetails {
  /** HTTP status the remote side answered with. */
  readonly httpStatus?: number;
  /** Key Vault's or Entra's own code, such as `ForbiddenByRbac` or `AADSTS7000215`. */
  readonly remoteCode?: string;
  /** `x-ms-request-id` of the answer. */
  readonly requestId?: string;
  /** Host that was asked. */
  readonly host?: string;
  /** The wait that the remote side asked for, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The kind of host that was asked when it failed. */
  readonly phase?: Phase;
}

/** Options of {@link ProviderError}. */
export interface ProviderErrorOptions {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
  /** The single failures this error stands for, in request order. */
  readonly errors?: readonly ProviderError[];
  /** The subject of each single failure, in the same order. */
  readonly failed?: readonly string[];
  /** The message without the object that failed, and without {@link said}; default: the message. */
  readonly reason?: string;
  /** The remote side's own words, short and without parts that differ from one attempt to the next. */
  readonly said?: string;
}

/**
 * The one error class of this project. The message is for the person on call. It names what failed, the object, the
 * vault, the identity, the next step, and the server's own words; it never holds a value or a token. The same cause has
 * the same message each time, so that Kubernetes counts the event of a pod. Ids, times and counts are in the details.
 */
export class ProviderError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly errors: readonly ProviderError[];
  readonly failed: readonly string[];
  /** Objects that failed for the same cause have the same reason, and share one text. */
  readonly reason: string;
  readonly said: string;

  constructor(code: ErrorCode, message: string, options: ProviderErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProviderError';
    this.code = code;
    this.details = options.details ?? {};
    this.errors = options.errors ?? [];
    this.failed = options.failed ?? [];
    this.reason = options.reason ?? message;
    this.said = options.said ?? '';
  }
}

/** Returns the same error with one more sentence. */
export function withReason(error: ProviderError, why: string): ProviderError {
  const { code, message, reason, ...parts } = error;
  return new ProviderError(code, `${message}; ${why}`, { ...parts, cause: error.cause, reason: `${reason}; ${why}` });
}

/**
 * The stack of anything that was thrown, line by line and without its message. The frames name places, not values; the
 * message of a foreign error may quote a secret.
 */
export function framesOf(thrown: unknown): readonly string[] {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  return stack.split('\n').filter((line) => /^\s+at /.test(line));
}

/** Returns the message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Returns the code of an error of the system or of Node, such as `ENOENT`; empty for other errors. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
