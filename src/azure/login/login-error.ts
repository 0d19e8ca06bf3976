import { type ErrorCode, messageOf, ProviderError } from '../../base/errors.ts';
import type { Identity } from '../../spc/model.ts';
import { networkFailure, noAnswer } from '../http/network-error.ts';
import { serverWords } from '../http/server-words.ts';
import { entraRemedy } from './entra-remedies.ts';
import type { LoginPlace } from './login.ts';
import { describeIdentity } from './principal.ts';

/** What the wire showed of a login. */
export interface LoginWitness {
  readonly phase: LoginPlace['phase'];
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
  const { phase, host, answer } = witness;
  const failed = `Cannot log in as ${describeIdentity(identity)}`;
  const at = `${SERVICE[phase]} at ${host}`;
  if (answer !== undefined) return refusal({ identity, failed: `${failed}: ${at}`, witness }, answer);
  const network = networkFailure(witness.failure) ?? networkFailure(error);
  const details = { phase, host };
  if (network === undefined) {
    // Nothing was asked: the SDK takes offence at what the manifest says.
    const text = `${failed}: ${serverWords(messageOf(error))}; ${unaskedRemedy(identity)}`;
    return new ProviderError('ERR_AUTHENTICATION', text, { details });
  }
  const hint = phase === 'imds' ? '; only Azure VMs have this endpoint, and pods may be kept from it' : '';
  return new ProviderError('ERR_UNREACHABLE', `${failed}: ${noAnswer(at, network)}${hint}`, {
    details: { ...details, remoteCode: network.code },
  });
}

interface Refused {
  readonly identity: Identity;
  readonly failed: string;
  readonly witness: LoginWitness;
}

function refusal(
  { identity, failed, witness }: Refused,
  { status, body, requestId }: NonNullable<LoginWitness['answer']>,
): ProviderError {
  const { phase, host, retryAfterMs } = witness;
  const text = textOf(body);
  const remoteCode = /AADSTS\d+/.exec(text)?.[0];
  const said = status === 200 ? '' : sentence(text, remoteCode);
  const details = {
    phase,
    host,
    httpStatus: status,
    ...(status !== 429 || retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(remoteCode === undefined ? {} : { remoteCode }),
  };
  const { code, next } = meaning({ identity, phase }, { status, remoteCode, text });
  const answered = status === 200 ? '200 something that is no token' : `${status} ${remoteCode ?? ''}`.trim();
  const reason = `${failed} answered ${answered}; ${next}`;
  const words = said === '' ? '' : `; it says: ${said}`;
  return new ProviderError(code, `${reason}${words}`, { details, reason, said });
}

/** Statuses of which a login is refused; every other is a fault of the service, or of who stands before it. */
const REFUSALS: readonly number[] = [400, 401, 403];
/** OAuth's names of faults, which Entra gives with 400 too (such as AADSTS90033): nobody was refused. */
const FAULT = /^(temporarily_unavailable|server_error)\b/;

function meaning(
  { identity, phase }: { readonly identity: Identity; readonly phase: LoginPlace['phase'] },
  { status, remoteCode, text }: { status: number; remoteCode: string | undefined; text: string },
): { readonly code: ErrorCode; readonly next: string } {
  if (status === 429)
    return { code: 'ERR_THROTTLED', next: 'it takes no more logins for a while; it is asked again when that is over' };
  // It refuses in JSON; anything else was said by somebody in between.
  if (REFUSALS.includes(status) && FAULT.test(text)) return { code: 'ERR_VAULT', next: faultRemedy(503, phase) };
  if (REFUSALS.includes(status) && text !== '')
    return { code: 'ERR_AUTHENTICATION', next: remedy(identity, remoteCode, text) };
  return { code: 'ERR_VAULT', next: faultRemedy(status, phase) };
}

const PROXIES = 'check proxies between node and host';

/** What IMDS means by statuses that it does not explain in its body. It is never asked through a proxy of the environment. */
const IMDS_FAULTS: Readonly<Record<number, string>> = {
  403: 'something on the node keeps pods from IMDS (169.254.169.254), such as a network policy or IMDS restriction of the cluster: allow the provider, or let it use the network of the node (hostNetwork)',
  404: 'IMDS is being updated, or the node is no Azure VM; it is asked again at the next mount',
  410: 'IMDS is being updated, for 70 seconds at most; it is asked again at the next mount',
};

/** The next step where a login was not refused, but has met a fault or somebody else. */
function faultRemedy(status: number, phase: LoginPlace['phase']): string {
  const imds = phase === 'imds' ? IMDS_FAULTS[status] : undefined;
  if (imds !== undefined) return imds;
  const between =
    phase === 'imds' ? 'check what takes requests to 169.254.169.254 on the node in place of IMDS' : PROXIES;
  if (status >= 500) return 'the service, or a proxy before it, has a fault';
  if (status >= 300 && status < 400) {
    return `it redirects no login, so that something in between has answered, such as the sign-in page of a network; ${between}`;
  }
  if (status === 408) return `it did not receive the request in time; check the network of the node; ${between}`;
  if (phase === 'entra' && status === 404) {
    return `nothing takes logins at this address; check activeDirectoryEndpoint of the cloud file, if there is one; ${between}`;
  }
  return between;
}

const SERVICE: Readonly<Record<LoginPlace['phase'], string>> = {
  entra: 'Entra ID',
  imds: 'the managed identity endpoint (IMDS)',
  nmi: "pod identity's NMI",
  'token-proxy': "the cluster's token proxy",
};

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

/** The first sentence that says something, without the code. */
function sentence(text: string, code: string | undefined): string {
  const start = code === undefined ? 0 : text.indexOf(code) + code.length;
  const line = text.slice(start).split(/\r?\n| Trace ID:| Correlation ID:| - Correlation| - Trace/)[0] ?? '';
  return serverWords(line.replace(/^\s*:\s*/, ''));
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
      return entraRemedy(identity, code, text);
  }
}

/** Where the SDK refused what it was given, before it asked anybody. */
function unaskedRemedy(identity: Identity): string {
  if (!('tenantId' in identity)) return remedy(identity, undefined, '');
  return `check tenant ${identity.tenantId} and client ${identity.clientId}`;
}
