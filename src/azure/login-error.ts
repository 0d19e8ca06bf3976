import { type ErrorCode, messageOf, ProviderError } from '../base/errors.ts';
import type { Identity } from '../spc/model.ts';
import { claimedPrincipal, WORKLOAD_IDENTITY_AUDIENCE } from '../spc/tokens.ts';
import { loginPhase } from './login.ts';
import { networkFailure } from './network-error.ts';
import { describeIdentity } from './principal.ts';

/** What the wire showed of a login. */
export interface LoginWitness {
  /** Asked last. */
  host: string;
  /** `body` is empty where the answer is a success, which holds a token. */
  answer: { readonly status: number; readonly body: string; readonly requestId: string | undefined } | undefined;
  failure: unknown;
  /** How long it asked to wait last, in milliseconds. */
  retryAfterMs: number | undefined;
}

/** What is known of a login that failed. */
export interface LoginFailure {
  readonly identity: Identity;
  readonly witness: LoginWitness;
  readonly error: unknown;
}

/**
 * Entra's answer, explained: ERR_AUTHENTICATION, or ERR_UNREACHABLE, ERR_THROTTLED, ERR_VAULT where it is no refusal.
 * The SDK's error is no cause of it: it may quote the request.
 */
export function loginError({ identity, witness, error }: LoginFailure): ProviderError {
  if (error instanceof ProviderError) return error;
  const { host, answer } = witness;
  const phase = loginPhase(identity);
  const failed = `Cannot log in as ${describeIdentity(identity)}`;
  const at = `${identity.kind === 'identity-binding' ? "the cluster's token proxy" : SERVICE[phase]} at ${host}`;
  if (answer !== undefined)
    return refusal({ identity, failed: `${failed}: ${at}`, host, retryAfterMs: witness.retryAfterMs }, answer);
  const network = networkFailure(witness.failure) ?? networkFailure(error);
  const details = { phase, host };
  if (network === undefined) {
    // Nothing was asked: the SDK takes offence at what the manifest says.
    const text = `${failed}: ${sentence(messageOf(error), undefined)}; ${remedy(identity, undefined, '')}`;
    return new ProviderError('ERR_AUTHENTICATION', text, { details });
  }
  const hint = phase === 'imds' ? '; only Azure VMs have this endpoint, and pods may be kept from it' : '';
  return new ProviderError(
    'ERR_UNREACHABLE',
    `${failed}: ${at} did not answer: ${network.layer} failed, ${network.code}: ${network.explanation}${hint}`,
    { details: { ...details, remoteCode: network.code } },
  );
}

interface Refused {
  readonly identity: Identity;
  readonly failed: string;
  readonly host: string;
  readonly retryAfterMs: number | undefined;
}

function refusal(
  { identity, failed, host, retryAfterMs }: Refused,
  { status, body, requestId }: NonNullable<LoginWitness['answer']>,
): ProviderError {
  const text = textOf(body);
  const remoteCode = /AADSTS\d+/.exec(text)?.[0];
  const said = status === 200 ? 'something that is no token' : sentence(text, remoteCode);
  const request = requestId === undefined ? '' : ` (request id ${requestId})`;
  const details = {
    phase: loginPhase(identity),
    host,
    httpStatus: status,
    ...(status !== 429 || retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(remoteCode === undefined ? {} : { remoteCode }),
  };
  const { code, next } = meaning(identity, { status, remoteCode, text });
  return new ProviderError(code, `${`${failed} answered ${status} ${said}`.trim()}${request}; ${next}`, { details });
}

function meaning(
  identity: Identity,
  { status, remoteCode, text }: { status: number; remoteCode: string | undefined; text: string },
): { readonly code: ErrorCode; readonly next: string } {
  if (status === 429)
    return { code: 'ERR_THROTTLED', next: 'it takes no more logins for a while; it is asked again when that is over' };
  if (status >= 500) return { code: 'ERR_VAULT', next: 'the service, or a proxy before it, has a fault' };
  // Entra refuses in JSON; anything else was said by somebody in between.
  if (text === '') return { code: 'ERR_VAULT', next: 'check proxies between node and host' };
  return { code: 'ERR_AUTHENTICATION', next: remedy(identity, remoteCode, text) };
}

const SERVICE = { entra: 'Entra ID', imds: 'the managed identity endpoint (IMDS)', nmi: "pod identity's NMI" } as const;

/** What a refusal says: `error` and `error_description` of its JSON; empty where it is none. */
function textOf(body: string): string {
  try {
    const { error_description: description, error } = JSON.parse(body) as {
      error_description?: unknown;
      error?: unknown;
    };
    return [error, description].filter((part) => typeof part === 'string').join(': ');
  } catch {
    return '';
  }
}

/** The first sentence that says something, on one line. */
function sentence(text: string, code: string | undefined): string {
  const start = code === undefined ? 0 : text.indexOf(code);
  const line = text.slice(start).split(/\r?\n| Trace ID:| Correlation ID:| - Correlation| - Trace/)[0] ?? '';
  return line.replace(/\s+/g, ' ').trim().slice(0, 400);
}

function remedy(identity: Identity, code: string | undefined, text: string): string {
  switch (identity.kind) {
    case 'managed-identity':
      if (/multiple user assigned/i.test(text)) {
        return 'the node has several user-assigned identities: name one by userAssignedIdentityID (its client ID)';
      }
      return identity.clientId === ''
        ? 'turn on the system-assigned identity of the node, or name a user-assigned one by userAssignedIdentityID (its client ID)'
        : `assign the identity ${identity.clientId} to the node (userAssignedIdentityID takes the client ID, not the resource or object ID)`;
    case 'pod-identity':
      return 'check that NMI runs on the node and that an AzureIdentityBinding selects the pod';
    case 'service-principal':
    case 'client-certificate':
    case 'workload-identity':
    case 'identity-binding':
      return entraRemedy(identity, code);
  }
}

function entraRemedy(identity: Identity & { tenantId: string; clientId: string }, code: string | undefined): string {
  const { tenantId, clientId } = identity;
  switch (code) {
    case 'AADSTS700016':
      return `check the client ID ${clientId} and the tenant ID ${tenantId}: there is no such application in this tenant`;
    case 'AADSTS7000215':
      return 'put the current value (not the ID) of the client secret into the node-publish secret';
    case 'AADSTS7000222':
      return `the client secret has expired: create a new one for ${clientId} and put it into the node-publish secret`;
    case 'AADSTS90002':
    case 'AADSTS900023':
      return `check the tenant ID ${tenantId}`;
    case 'AADSTS700024':
      return 'the service-account token is outside its validity: check the clocks, and restart the pod';
    case 'AADSTS70021':
    case 'AADSTS700211':
    case 'AADSTS700212':
    case 'AADSTS700213':
      return federationRemedy(identity);
    default:
      return `check tenant ${tenantId} and client ${clientId}`;
  }
}

function federationRemedy(identity: Identity): string {
  const token =
    identity.kind === 'workload-identity' || identity.kind === 'identity-binding' ? identity.token : undefined;
  const claimed = token === undefined ? undefined : claimedPrincipal(token);
  if (claimed === undefined) return 'add a federated identity credential for the pod’s service account to the identity';
  return (
    `add a federated identity credential to the identity: issuer "${claimed.issuer}", ` +
    `subject "${claimed.subject}", audience "${WORKLOAD_IDENTITY_AUDIENCE}"`
  );
}
