import { messageOf, ProviderError } from '../base/errors.ts';
import type { Identity } from '../spc/model.ts';
import { claimedPrincipal, WORKLOAD_IDENTITY_AUDIENCE } from '../spc/tokens.ts';
import { loginPhase } from './login.ts';
import { networkFailure } from './network-error.ts';
import { describeIdentity } from './principal.ts';

/** What the wire showed of a login. */
export interface LoginWitness {
  host: string;
  status: number | undefined;
  body: string;
  requestId: string | undefined;
  failure: unknown;
}

/** What is known of a login that failed. */
export interface LoginFailure {
  readonly identity: Identity;
  readonly witness: LoginWitness;
  readonly error: unknown;
}

/** Entra's answer, explained: ERR_AUTHENTICATION, or ERR_UNREACHABLE, ERR_VAULT where it is no refusal. */
export function loginError({ identity, witness, error }: LoginFailure): ProviderError {
  if (error instanceof ProviderError) return error;
  const phase = loginPhase(identity);
  const { host, status, requestId } = witness;
  const details = {
    phase,
    ...(host === '' ? {} : { host }),
    ...(status === undefined ? {} : { httpStatus: status }),
    ...(requestId === undefined ? {} : { requestId }),
  } as const;
  const who = describeIdentity(identity);
  const at = `${SERVICE[phase]}${host === '' ? '' : ` at ${host}`}`;
  const network = status === undefined ? networkFailure(witness.failure ?? error) : undefined;
  if (network !== undefined) {
    const message = `Cannot log in as ${who}: ${at} did not answer: ${network.layer} failed, ${network.code}: ${network.explanation}`;
    return new ProviderError('ERR_UNREACHABLE', message, { cause: error, details });
  }
  const text = `${answerOf(witness)} ${messageOf(error)}`;
  const remoteCode = /AADSTS\d+/.exec(text)?.[0];
  const said = sentence(text, remoteCode);
  const request = requestId === undefined ? '' : ` (request id ${requestId})`;
  const code =
    status !== undefined && status >= 500 ? 'ERR_VAULT' : status === 429 ? 'ERR_THROTTLED' : 'ERR_AUTHENTICATION';
  const answer = `${status === undefined ? '' : `${status} `}${said}`.trim();
  return new ProviderError(
    code,
    `Cannot log in as ${who}: ${at} answered ${answer}${request}; ${remedy(identity, remoteCode, text)}`,
    {
      cause: error,
      details: { ...details, ...(remoteCode === undefined ? {} : { remoteCode }) },
    },
  );
}

const SERVICE = { entra: 'Entra ID', imds: 'the managed identity endpoint (IMDS)', nmi: "pod identity's NMI" } as const;

function answerOf({ body }: LoginWitness): string {
  try {
    const { error_description, error } = JSON.parse(body) as { error_description?: unknown; error?: unknown };
    return `${typeof error === 'string' ? error : ''} ${typeof error_description === 'string' ? error_description : ''}`.trim();
  } catch {
    return '';
  }
}

/** The first sentence that says something; tokens of a login never stand in an answer that is no success. */
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
