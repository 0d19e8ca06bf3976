/**
 * Turns an error of the provider into a gRPC status. The services and the guard call it. Only final codes leave the
 * process: the other ones make the kubelet keep a volume that is empty.
 */

import { Metadata, status } from '@grpc/grpc-js';
import type { ErrorCode, ProviderError } from '../base/errors.ts';
import { printableLines } from '../base/printable.ts';

/**
 * The gRPC codes that may end a Mount. After CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED and UNAVAILABLE
 * the kubelet assumes that the Mount may still run, and keeps the target directory. Driver v1.6 then finds the
 * directory fresh, skips the mount and answers OK: the pod runs with a volume that stays empty. Every other code is
 * final: the kubelet cleans up and tries again. OUT_OF_RANGE, DATA_LOSS and ALREADY_EXISTS are final too and are not
 * used here.
 */
export type FinalCode =
  | status.UNKNOWN
  | status.INVALID_ARGUMENT
  | status.NOT_FOUND
  | status.PERMISSION_DENIED
  | status.FAILED_PRECONDITION
  | status.UNIMPLEMENTED
  | status.INTERNAL
  | status.UNAUTHENTICATED;

/** The gRPC code of each error code of the provider; all of them are final. */
export const STATUS_OF: Readonly<Record<ErrorCode, FinalCode>> = {
  ERR_BAD_REQUEST: status.INVALID_ARGUMENT,
  ERR_BAD_PARAMETERS: status.INVALID_ARGUMENT,
  ERR_NO_CREDENTIALS: status.FAILED_PRECONDITION,
  ERR_SETUP: status.FAILED_PRECONDITION,
  ERR_AUTHENTICATION: status.UNAUTHENTICATED,
  ERR_FORBIDDEN: status.PERMISSION_DENIED,
  ERR_NOT_FOUND: status.NOT_FOUND,
  ERR_DISABLED: status.FAILED_PRECONDITION,
  ERR_THROTTLED: status.UNKNOWN,
  ERR_UNREACHABLE: status.UNKNOWN,
  ERR_TIMEOUT: status.UNKNOWN,
  ERR_NO_MEMORY: status.UNKNOWN,
  ERR_CANCELLED: status.UNKNOWN,
  ERR_VAULT: status.UNKNOWN,
  ERR_BAD_CONTENT: status.FAILED_PRECONDITION,
  ERR_TOO_LARGE: status.FAILED_PRECONDITION,
  ERR_USAGE: status.INTERNAL,
  ERR_INTERNAL: status.INTERNAL,
};

/** The trailer with the provider's error code, for clients that need more than the gRPC code. */
export const ERROR_CODE_TRAILER = 'akv-csi-error';

/** The status of a call. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata | null;
}

/** The status of a failed call. */
export function statusOf({ code, message }: ProviderError): CallStatus & { readonly metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(ERROR_CODE_TRAILER, code);
  return { code: STATUS_OF[code], details: message, metadata };
}

/** The five codes that are not final, and their replacements. They come from gRPC only, never from the provider. */
const REPLACEMENTS: Partial<Record<status, { readonly code: FinalCode; readonly meaning: string }>> = {
  [status.CANCELLED]: { code: status.UNKNOWN, meaning: 'The call was cancelled' },
  [status.DEADLINE_EXCEEDED]: {
    code: status.UNKNOWN,
    meaning: "The caller's deadline passed before there was an answer",
  },
  [status.RESOURCE_EXHAUSTED]: { code: status.FAILED_PRECONDITION, meaning: 'A message is over the limit of 4 MiB' },
  [status.ABORTED]: { code: status.UNKNOWN, meaning: 'The call was aborted' },
  [status.UNAVAILABLE]: { code: status.UNKNOWN, meaning: 'The provider cannot answer now' },
};

/** Returns `ended` with a final code and a message that fits into the trailers. */
export function finalStatus(ended: CallStatus): CallStatus {
  const replacement = REPLACEMENTS[ended.code];
  const details = replacement === undefined ? ended.details : `${replacement.meaning}: ${ended.details}`;
  return { ...ended, code: replacement?.code ?? ended.code, details: fitMessage(details) };
}

/**
 * The limit of a percent-encoded message: clients limit the size of trailers, some gRPC implementations to 8 KiB.
 */
const MAX_ENCODED_BYTES = 6144;
const SHORTENED = ' … (shortened; the log of the provider has the whole message)';

/**
 * Returns `message` cut to the size of trailers, with control characters escaped. Half a surrogate pair, which cannot
 * be encoded, becomes U+FFFD.
 */
export function fitMessage(message: string): string {
  const text = printableLines(Buffer.from(message, 'utf8').toString('utf8'));
  if (encodeURI(text).length <= MAX_ENCODED_BYTES) return text;
  const room = MAX_ENCODED_BYTES - encodeURI(SHORTENED).length;
  let used = 0;
  let end = 0;
  for (const char of text) {
    used += encodeURI(char).length;
    if (used > room) break;
    end += char.length;
  }
  return text.slice(0, end) + SHORTENED;
}

const GO_NAMES: Readonly<Record<status, string>> = {
  [status.OK]: 'OK',
  [status.CANCELLED]: 'Canceled',
  [status.UNKNOWN]: 'Unknown',
  [status.INVALID_ARGUMENT]: 'InvalidArgument',
  [status.DEADLINE_EXCEEDED]: 'DeadlineExceeded',
  [status.NOT_FOUND]: 'NotFound',
  [status.ALREADY_EXISTS]: 'AlreadyExists',
  [status.PERMISSION_DENIED]: 'PermissionDenied',
  [status.RESOURCE_EXHAUSTED]: 'ResourceExhausted',
  [status.FAILED_PRECONDITION]: 'FailedPrecondition',
  [status.ABORTED]: 'Aborted',
  [status.OUT_OF_RANGE]: 'OutOfRange',
  [status.UNIMPLEMENTED]: 'Unimplemented',
  [status.INTERNAL]: 'Internal',
  [status.UNAVAILABLE]: 'Unavailable',
  [status.DATA_LOSS]: 'DataLoss',
  [status.UNAUTHENTICATED]: 'Unauthenticated',
};

/** A gRPC code in the spelling of Go, as in the official provider's metrics. */
export function goName(code: status): string {
  return GO_NAMES[code];
}
