/**
 * Asks for one token, within a time limit, by the mode of the identity. Called by `TokenPool`, which caches tokens.
 * Errors are explained.
 */

import { abortable } from '../../base/abort.ts';
import { Secret } from '../../base/secret.ts';
import type { Span } from '../../base/trace.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';
import type { TokenTransport } from './identity-mode.ts';
import { modeOf } from './identity-modes.ts';
import type { LoginWitness } from './login-attempt.ts';
import { loginError } from './login-error.ts';

/** Bound of one token request, the SDK's retries included. */
const TIMEOUT_MS = 60_000;

/** One token to ask for. */
export interface TokenRequest {
  readonly identity: Identity;
  readonly cloud: Cloud;
  /** Such as `https://vault.azure.net`. */
  readonly resource: string;
  /** Claims of a challenge (CAE), JSON. */
  readonly claims: string | undefined;
  readonly signal: AbortSignal;
  readonly span?: Span | undefined;
}

/** A token and its life, in milliseconds since 1970 by the wall clock. */
export interface AcquiredToken {
  readonly token: Secret;
  readonly expiresAt: number;
  readonly refreshAt: number | undefined;
}

/**
 * Asks for one token, with a credential made for this request only: an answer to one proof must not be used for
 * another.
 * Throws: see `loginError`; the signal's reason as soon as it aborts.
 */
export async function acquireToken(request: TokenRequest, transport: TokenTransport): Promise<AcquiredToken> {
  const { identity, cloud, resource, claims } = request;
  const mode = modeOf(identity);
  const host = mode.host(cloud, transport);
  const witness: LoginWitness = { host, answer: undefined, failure: undefined, retryAfterMs: undefined };
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  request.span?.lead(signal);
  try {
    const client = await abortable(mode.client(transport), signal);
    const { clock, developer } = transport;
    const attempt = { client, witness, signal, clock, proxiesEntra: mode.proxiesEntra, refusals: 0 };
    const given = mode.acquire(identity, { cloud, host, resource, claims, attempt, developer });
    const { token, expiresOnTimestamp, refreshAfterTimestamp } = await abortable(given, signal);
    // The SDK does not check the token of the answer.
    if (typeof token !== 'string' || token === '') throw new Error('the answer holds no token');
    return { token: new Secret(token), expiresAt: expiresOnTimestamp, refreshAt: refreshAfterTimestamp };
  } catch (error) {
    request.signal.throwIfAborted();
    throw loginError({ identity, witness, error });
  }
}
