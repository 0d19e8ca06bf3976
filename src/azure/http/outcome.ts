/**
 * Gives failures the class that metrics count them under.
 * The vault reader and the token pool report with it.
 */

import { isRestError } from '@azure/core-rest-pipeline';
import { type ErrorCode, ProviderError } from '../../base/errors.ts';
import type { Outcome } from '../../base/telemetry.ts';

const BY_CODE: Readonly<Partial<Record<ErrorCode, Outcome>>> = {
  ERR_AUTHENTICATION: 'unauthenticated',
  ERR_FORBIDDEN: 'forbidden',
  ERR_DISABLED: 'forbidden',
  ERR_NOT_FOUND: 'not_found',
  ERR_THROTTLED: 'throttled',
  ERR_UNREACHABLE: 'unreachable',
  ERR_TIMEOUT: 'timeout',
  ERR_CANCELLED: 'cancelled',
};

/** Returns the class of a failure, for metrics. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof ProviderError) {
    return BY_CODE[error.code] ?? ofStatus(error.details.httpStatus ?? 0) ?? 'other';
  }
  if (isRestError(error) && error.statusCode !== undefined) return ofStatus(error.statusCode) ?? 'other';
  if (error instanceof Error) {
    if (error.name === 'AbortError') return 'cancelled';
    if (error.name === 'TimeoutError') return 'timeout';
    if (error.name.startsWith('Authentication')) return 'unauthenticated';
  }
  return 'other';
}

function ofStatus(status: number): Outcome | undefined {
  if (status >= 500) return 'server_error';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 429) return 'throttled';
  return status >= 400 ? 'bad_request' : undefined;
}
