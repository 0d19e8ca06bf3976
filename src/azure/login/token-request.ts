import { AsyncLocalStorage } from 'node:async_hooks';
import type { AccessToken } from '@azure/core-auth';
import type { HttpClient, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline';
import {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  ManagedIdentityCredential,
} from '@azure/identity';
import { abortable } from '../../base/abort.ts';
import type { WallClock } from '../../base/clock.ts';
import { Secret } from '../../base/secret.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';
import { networkFailure } from '../http/network-error.ts';
import { HASTY_PAUSE_MS, RETRY_AFTER_MS_HEADERS, retryAfter } from '../http/retry-after.ts';
import { pemOfClientCertificate } from './client-certificate.ts';
import { type LoginHosts, loginPlace } from './login.ts';
import { type LoginWitness, loginError } from './login-error.ts';
import { podIdentityToken } from './pod-identity.ts';

/** Bound of one token request, the SDK's retries included. */
const TIMEOUT_MS = 60_000;
/** Longest wait that the SDK keeps; whoever asks for more is asked again when it is over, see `TokenPool`. */
const MAX_WAIT_MS = HASTY_PAUSE_MS;
/** Shortest wait, and by what part waits are spread: all pods of a node may have been refused at once. */
const MIN_WAIT_MS = 500;
const SPREAD = 0.5;
/** First wait after a 429 that names none; doubles with each further one. */
const BASE_WAIT_MS = 1_000;

/** What one token is asked for. */
export interface TokenRequest {
  readonly identity: Identity;
  readonly cloud: Cloud;
  /** Such as `https://vault.azure.net`. */
  readonly resource: string;
  /** Claims of a challenge (CAE), JSON. */
  readonly claims: string | undefined;
  readonly signal: AbortSignal;
}

/** The ways to those who give out tokens. */
export interface TokenTransport extends LoginHosts {
  readonly client: HttpClient;
  /** The way of identity binding. Errors: see `TokenProxy`. */
  readonly tokenProxy: () => Promise<HttpClient>;
  /** For a `Retry-After` that is a date. */
  readonly clock: WallClock;
}

/** A token and its life, in milliseconds since 1970 by the wall clock. */
export interface AcquiredToken {
  readonly token: Secret;
  readonly expiresAt: number;
  readonly refreshAt: number | undefined;
}

/**
 * Asks Entra (or IMDS, or NMI) for one token, with a credential made for this request alone: what Entra said to one
 * proof must not answer for another. `TokenPool` does the caching.
 * Errors: see `loginError`; the signal's reason as soon as it aborts.
 */
export async function acquireToken(request: TokenRequest, transport: TokenTransport): Promise<AcquiredToken> {
  const { identity } = request;
  const place = loginPlace(identity, request.cloud, transport);
  const witness: LoginWitness = { ...place, answer: undefined, failure: undefined, retryAfterMs: undefined };
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const way = identity.kind === 'identity-binding' ? transport.tokenProxy() : Promise.resolve(transport.client);
    const client = await abortable(way, signal);
    const asked = ask(
      request,
      { client, witness, signal, clock: transport.clock, refusals: 0, expiresAt: 0 },
      transport.nmiHost,
    );
    const { token, expiresOnTimestamp, refreshAfterTimestamp } = await abortable(asked, signal);
    return { token: new Secret(token), expiresAt: expiresOnTimestamp, refreshAt: refreshAfterTimestamp };
  } catch (error) {
    request.signal.throwIfAborted();
    throw loginError({ identity, witness, error });
  }
}

type Answered = Pick<AccessToken, 'token' | 'expiresOnTimestamp' | 'refreshAfterTimestamp'>;

async function ask(request: TokenRequest, attempt: Attempt, nmiHost: string): Promise<Answered> {
  const { identity, cloud, resource, claims } = request;
  const options = {
    authorityHost: cloud.authorityHost,
    disableInstanceDiscovery: cloud.custom || identity.kind === 'identity-binding',
    retryOptions: { maxRetries: 3, retryDelayInMs: 500, maxRetryDelayInMs: 4000 },
    httpClient: clientBy(() => attempt),
  };
  const scope = `${resource}/.default`;
  const tokenOptions = { enableCae: true, ...(claims === undefined ? {} : { claims }) };
  switch (identity.kind) {
    case 'service-principal': {
      const { tenantId, clientId, clientSecret } = identity;
      const credential = new ClientSecretCredential(tenantId, clientId, clientSecret.reveal(), options);
      return credential.getToken(scope, tokenOptions);
    }
    case 'client-certificate': {
      const { tenantId, clientId } = identity;
      const pem = await pemOfClientCertificate(identity.certificate, identity.password);
      const credential = new ClientCertificateCredential(tenantId, clientId, { certificate: pem.reveal() }, options);
      return credential.getToken(scope, tokenOptions);
    }
    case 'workload-identity':
    case 'identity-binding': {
      const { tenantId, clientId, token } = identity;
      const credential = new ClientAssertionCredential(tenantId, clientId, async () => token.reveal(), options);
      return credential.getToken(scope, tokenOptions);
    }
    case 'managed-identity': {
      const chosen = identity.clientId === '' ? {} : { clientId: identity.clientId };
      const credential = new ManagedIdentityCredential({ ...chosen, ...options, httpClient: MANAGED_IDENTITY_CLIENT });
      const { token } = await managedIdentityAttempts.run(attempt, () => credential.getToken(scope, tokenOptions));
      return { token, expiresOnTimestamp: attempt.expiresAt };
    }
    case 'pod-identity':
      return podIdentityToken({ identity, host: nmiHost, resource, client: options.httpClient });
  }
}

/** One token request on its way. */
interface Attempt {
  readonly client: HttpClient;
  readonly witness: LoginWitness;
  readonly signal: AbortSignal;
  readonly clock: WallClock;
  /** Answers of 429 so far. */
  refusals: number;
  /** When the token of a managed identity ends, in milliseconds since 1970; 0: it does not say. */
  expiresAt: number;
}

/**
 * For managed identities the SDK goes on using the first client that it was ever given in this process, so that the
 * attempt comes from its surroundings. Nothing else may: where they are in use, every promise of the process costs more.
 */
const managedIdentityAttempts = new AsyncLocalStorage<Attempt>();
const MANAGED_IDENTITY_CLIENT: HttpClient = {
  async sendRequest(request) {
    const attempt = managedIdentityAttempts.getStore();
    const response = await send(request, attempt);
    return attempt === undefined ? response : keepLife(response, attempt);
  },
};

/**
 * Keeps the end of a managed identity's token to ourselves, and tells the SDK that it is over. The SDK would answer with
 * the token for the life of the process, by the wall clock, even when the vault has refused it.
 */
function keepLife(response: PipelineResponse, attempt: Attempt): PipelineResponse {
  const body = objectOf(response.bodyAsText ?? '');
  if (response.status !== 200 || body === undefined) return response;
  const expiresOn = Number(body.expires_on);
  attempt.expiresAt = Number.isFinite(expiresOn) ? expiresOn * 1000 : 0;
  return { ...response, bodyAsText: JSON.stringify({ ...body, expires_on: '1' }) };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what the wire said, since the SDK's errors lose it, and makes the SDK honour the signal while it talks to Entra. */
function clientBy(attemptOf: () => Attempt | undefined): HttpClient {
  return { sendRequest: (request) => send(request, attemptOf()) };
}

async function send(request: PipelineRequest, attempt: Attempt | undefined): Promise<PipelineResponse> {
  if (attempt === undefined) throw new Error('a token request outside of any attempt');
  const { client, witness, signal, clock } = attempt;
  request.abortSignal = signal;
  // The token proxy is called by Entra's name.
  if (witness.phase !== 'token-proxy') witness.host = new URL(request.url).host;
  witness.answer = undefined;
  try {
    const response = await client.sendRequest(request);
    const { status, bodyAsText, headers } = response;
    const body = status === 200 ? '' : (bodyAsText ?? '');
    witness.answer = { status, body, requestId: headers.get('x-ms-request-id') };
    if (status === 429) witness.retryAfterMs = setWait(response, attempt.refusals++, clock.wall());
    return response;
  } catch (error) {
    witness.failure = error;
    // The SDK would ask again for seconds; it does not for what carries no code.
    throw networkFailure(error)?.transient === false ? new Error('a failure that lasts') : error;
  }
}

/** Makes the SDK wait for every 429 that names no wait, and for none that names a long one. Returns the wait. */
function setWait({ headers }: PipelineResponse, refusals: number, now: number): number {
  const asked = retryAfter((name) => headers.get(name), now);
  for (const name of [...RETRY_AFTER_MS_HEADERS, 'retry-after']) headers.delete(name);
  const least = Math.max(MIN_WAIT_MS, asked ?? BASE_WAIT_MS * 2 ** refusals);
  const waitMs = Math.ceil(least * (1 + SPREAD * Math.random()));
  if (waitMs <= MAX_WAIT_MS) headers.set('retry-after-ms', waitMs);
  return waitMs;
}
