import { isRestError } from '@azure/core-rest-pipeline';
import { type ErrorCode, ProviderError } from '../base/errors.ts';
import type { ObjectType } from '../base/telemetry.ts';
import { BadAnswer } from './bad-answer.ts';
import { networkFailure } from './network-error.ts';

/** What was asked of a vault, in the words of an error message. */
export interface VaultQuestion {
  readonly type: ObjectType;
  readonly name: string;
  /** Empty: the current version. */
  readonly version: string;
  readonly operation: 'read' | 'list the versions of';
  readonly vaultName: string;
  readonly host: string;
  /** See `describeIdentity`. */
  readonly identity: string;
}

/** What Key Vault calls the kinds of objects. */
export const NOUN: Readonly<Record<ObjectType, string>> = { secret: 'secret', key: 'key', cert: 'certificate' };
const ROLE: Readonly<Record<ObjectType, string>> = {
  secret: 'Key Vault Secrets User',
  key: 'Key Vault Crypto User',
  cert: 'Key Vault Certificate User',
};

/** What failed, as a message begins. */
export function describeQuestion({ operation, type, name, version, vaultName }: VaultQuestion): string {
  const which = version === '' ? '' : ` (version ${version})`;
  return `Cannot ${operation} ${NOUN[type]} "${name}"${which} from vault "${vaultName}"`;
}

/**
 * A vault's answer, or silence, explained; a `ProviderError` passes through. The SDK's error is no cause of it, and its
 * text is not used: it may quote request and answer.
 */
export function vaultError(question: VaultQuestion, error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  const what = describeQuestion(question);
  const { host } = question;
  if (error instanceof BadAnswer) {
    return new ProviderError('ERR_VAULT', `${what}: ${error.message}; check proxies between node and vault`, {
      details: { httpStatus: 200, host, phase: 'vault' },
    });
  }
  if (isRestError(error) && error.statusCode !== undefined) {
    if (error.statusCode < 300) {
      return new ProviderError(
        'ERR_VAULT',
        `${what}: the vault at ${host} answered ${error.statusCode} with something that is not the JSON asked for; check proxies between node and vault`,
        { details: { httpStatus: error.statusCode, host, phase: 'vault' } },
      );
    }
    const answer = answerOf(error.statusCode, error.details, error.response?.headers.get('x-ms-request-id'));
    return refusal(question, what, answer);
  }
  const network = networkFailure(error);
  if (network !== undefined) {
    return new ProviderError(
      'ERR_UNREACHABLE',
      `${what}: the vault at ${host} did not answer: ${network.layer} failed, ${network.code}: ${network.explanation}`,
      { details: { host, phase: 'vault', remoteCode: network.code } },
    );
  }
  return new ProviderError('ERR_INTERNAL', `${what}: the provider failed unexpectedly; its log says more`, {
    cause: error,
    details: { host, phase: 'vault' },
  });
}

/** What a vault said when it said no. */
export interface VaultAnswer {
  readonly status: number;
  readonly code: string;
  readonly innerCode: string;
  readonly message: string;
  readonly requestId: string | undefined;
}

interface WireError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly innererror?: { readonly code?: unknown } | null;
}

/** Reads an error body (`{error: {code, message, innererror: {code}}}`); what is not there is empty. */
export function answerOf(status: number, body: unknown, requestId: string | undefined): VaultAnswer {
  // A proxy's HTML, or nothing, is no such object: the status alone has to do then.
  const { error } = (typeof body === 'object' && body !== null ? body : {}) as { error?: WireError | null };
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    status,
    code: text(error?.code),
    innerCode: text(error?.innererror?.code),
    message: text(error?.message),
    requestId,
  };
}

/** The refusal of a vault as an error with the next step. */
export function refusal(question: VaultQuestion, what: string, answer: VaultAnswer): ProviderError {
  const { status, requestId } = answer;
  const remoteCode = answer.innerCode || answer.code;
  const { code, remedy } = meaning(question, answer);
  const names = [answer.code, answer.innerCode].filter((name) => name !== '').join('/');
  const said = answer.message.replace(/\s+/g, ' ').trim().slice(0, 600);
  const request = requestId === undefined ? '' : ` (request id ${requestId})`;
  const text = [`${what}: ${status}${names === '' ? '' : ` ${names}`} for ${question.identity}${request}`, said]
    .filter((part) => part !== '')
    .join(': ');
  // Key Vault never leaves its code out.
  const doubt =
    names === '' && status < 500
      ? '; the answer is not in the form of Key Vault: check proxies between node and vault'
      : '';
  return new ProviderError(code, `${text}; ${remedy}${remedy.includes('proxies') ? '' : doubt}`, {
    details: {
      httpStatus: status,
      host: question.host,
      phase: 'vault',
      ...(remoteCode === '' ? {} : { remoteCode }),
      ...(requestId === undefined ? {} : { requestId }),
    },
  });
}

function meaning(question: VaultQuestion, answer: VaultAnswer): { code: ErrorCode; remedy: string } {
  const { type, vaultName, identity } = question;
  const noun = NOUN[type];
  switch (answer.status) {
    case 400:
      return { code: 'ERR_BAD_PARAMETERS', remedy: 'check name and version of the object' };
    case 401:
      return { code: 'ERR_AUTHENTICATION', remedy: `check that the tenant of ${identity} is the tenant of the vault` };
    case 403:
      return forbidden(question, answer);
    case 404:
      return {
        code: 'ERR_NOT_FOUND',
        remedy: `check that the ${noun}${question.version === '' ? '' : ' and its version'} exists in "${vaultName}" (deleted ones can be recovered)`,
      };
    case 429:
      return {
        code: 'ERR_THROTTLED',
        remedy:
          'the vault is over its request limit, and the wait it asks for outlasts this mount: ' +
          'fewer pods, objects or rotations at once, or another vault',
      };
    default:
      return {
        code: 'ERR_VAULT',
        remedy:
          answer.status >= 500
            ? 'the service has a fault; it is tried again at the next mount'
            : 'check proxies between node and vault',
      };
  }
}

function forbidden(
  { type, vaultName, identity }: VaultQuestion,
  answer: VaultAnswer,
): { code: ErrorCode; remedy: string } {
  const noun = NOUN[type];
  const code = 'ERR_FORBIDDEN';
  const inner = answer.innerCode;
  if (inner.endsWith('Disabled'))
    return { code: 'ERR_DISABLED', remedy: `enable the ${noun} in the vault, or name a version that is enabled` };
  if (inner === 'ForbiddenByFirewall') {
    const address = /Client address: *([0-9a-fA-F.:]+)/.exec(answer.message)?.[1];
    const which = address === undefined ? 'the address of the node' : `the node's address ${address}`;
    return {
      code,
      remedy: `allow ${which} in the firewall of the vault (Networking), or give the node a private endpoint`,
    };
  }
  if (inner === 'ForbiddenByConnection' || inner === 'ForbiddenByPolicy') {
    return {
      code,
      remedy: 'the vault is closed to this network: connect the node by a private endpoint, or open public access',
    };
  }
  if (inner === 'AccessDenied') {
    return {
      code,
      remedy: `add an access policy with the ${noun} permissions Get and List for ${identity} on "${vaultName}"`,
    };
  }
  return {
    code,
    remedy: `grant "${ROLE[type]}" on the vault "${vaultName}" to ${identity} (a new grant takes some minutes to work), or with access policies the ${noun} permission Get`,
  };
}
