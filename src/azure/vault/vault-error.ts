/**
 * Explains failures of a vault in words: what failed, why, and the next step. The vault reader calls it for each read
 * that fails. Texts of the SDK are not used, since they may quote request and answer.
 */

import { isRestError } from '@azure/core-rest-pipeline';
import { type ErrorCode, ProviderError, type ProviderErrorOptions } from '../../base/errors.ts';
import { membersOf } from '../../base/json.ts';
import type { ObjectType } from '../../base/objects.ts';
import { networkFailure, noAnswer } from '../http/network-error.ts';
import { serverWords } from '../http/server-words.ts';
import { BadAnswer } from './bad-answer.ts';
import type { Operation } from './known-request.ts';

/** A question to a vault, as error messages name it. */
export interface VaultQuestion {
  readonly type: ObjectType;
  readonly name: string;
  /** Empty: the current version. */
  readonly version: string;
  /** `learn the tenant of`: no object is asked for. */
  readonly operation: Operation | 'learn the tenant of';
  readonly vaultName: string;
  readonly host: string;
  /** The identity in words; see `describeIdentity`. */
  readonly identity: string;
}

/** Key Vault's names for the kinds of objects. */
export const NOUN: Readonly<Record<ObjectType, string>> = { secret: 'secret', key: 'key', cert: 'certificate' };
const ROLE: Readonly<Record<ObjectType, string>> = {
  secret: 'Key Vault Secrets User',
  key: 'Key Vault Crypto User',
  cert: 'Key Vault Certificate User',
};

/** Returns the beginning of a message about a question that failed. */
export function describeQuestion({ operation, type, name, version, vaultName }: VaultQuestion): string {
  if (operation === 'list') return `Cannot list the ${NOUN[type]}s of vault "${vaultName}"`;
  if (operation === 'learn the tenant of') return `Cannot ${operation} vault "${vaultName}"`;
  const which = version === '' ? '' : ` (version ${version})`;
  return `Cannot ${operation} ${NOUN[type]} "${name}"${which} from vault "${vaultName}"`;
}

/** Returns the same without the object, for messages about many objects. */
export function describeQuestions(question: VaultQuestion): string {
  const { operation, vaultName } = question;
  if (operation === 'list' || operation === 'learn the tenant of') return describeQuestion(question);
  return `Cannot ${operation === 'read' ? 'read' : 'list versions'} from vault "${vaultName}"`;
}

/** Returns the error of a question. Its reason names no object, so that questions that fail alike have one reason. */
function failure(
  question: VaultQuestion,
  code: ErrorCode,
  { text, said = '', ...options }: { readonly text: string; readonly said?: string } & ProviderErrorOptions,
): ProviderError {
  const words = said === '' ? '' : `; the vault says: ${said}`;
  const details = { host: question.host, phase: 'vault', ...options.details } as const;
  const reason = `${describeQuestions(question)}: ${text}`;
  return new ProviderError(code, `${describeQuestion(question)}: ${text}${words}`, {
    ...options,
    details,
    reason,
    said,
  });
}

/**
 * Returns the error for a vault's answer, or for a vault that does not answer. Returns a `ProviderError` unchanged. The
 * SDK's error is not kept as the cause, and its text is not used: it may quote request and answer.
 */
export function vaultError(question: VaultQuestion, error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  const { host } = question;
  if (error instanceof BadAnswer) {
    const text = `${error.message}; check proxies between node and vault`;
    return failure(question, 'ERR_VAULT', { text, details: { httpStatus: 200 } });
  }
  if (isRestError(error) && error.statusCode !== undefined) {
    const { statusCode: httpStatus } = error;
    if (httpStatus < 300) {
      const text = `the vault at ${host} answered ${httpStatus}, but not with the JSON asked for; check proxies between node and vault`;
      return failure(question, 'ERR_VAULT', { text, details: { httpStatus } });
    }
    return refusal(question, answerOf(httpStatus, error.details, error.response?.headers.get('x-ms-request-id')));
  }
  const network = networkFailure(error);
  if (network !== undefined) {
    const text = noAnswer(`the vault at ${host}`, network);
    return failure(question, 'ERR_UNREACHABLE', { text, details: { remoteCode: network.code } });
  }
  const text = 'the provider failed unexpectedly; its log says more';
  return failure(question, 'ERR_INTERNAL', { text, cause: error });
}

/**
 * Statuses by which a vault says that a principal may not have an object, or that there is none. Disabled ones get 403.
 */
const REFUSALS: readonly number[] = [401, 403, 404];

/**
 * Returns true if a read failed because the vault refused it, so that no earlier value may be served any more. A
 * refusal without an error code is not Key Vault's: the page of a proxy or of a network's sign-in says nothing about
 * the object.
 */
export function isVaultRefusal(error: unknown): boolean {
  if (error instanceof ProviderError) {
    const { phase, httpStatus = 0, remoteCode } = error.details;
    return phase === 'vault' && REFUSALS.includes(httpStatus) && remoteCode !== undefined;
  }
  if (!isRestError(error) || error.statusCode === undefined) return false;
  const { code } = answerOf(error.statusCode, error.details, undefined);
  return REFUSALS.includes(error.statusCode) && code !== '';
}

/** The refusal of a vault. */
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

/** Reads an error body (`{error: {code, message, innererror: {code}}}`); fields that are absent are empty. */
export function answerOf(status: number, body: unknown, requestId: string | undefined): VaultAnswer {
  // A page of a proxy, or an empty body, is no such object. Only the status is known then.
  const { error } = membersOf(body) as { error?: WireError | null };
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    status,
    code: text(error?.code),
    innerCode: text(error?.innererror?.code),
    message: text(error?.message),
    requestId,
  };
}

/** Returns the refusal of a vault as an error with the next step. */
function refusal(question: VaultQuestion, answer: VaultAnswer): ProviderError {
  const { status: httpStatus, requestId } = answer;
  const remoteCode = answer.innerCode || answer.code;
  const { code, cause, remedy } = meaning(question, answer);
  const names = [answer.code, answer.innerCode].filter((name) => name !== '').join('/');
  // Key Vault always sends its code.
  const foreign = names === '' && httpStatus < 500 && !remedy.includes('proxies');
  const doubt = foreign ? '; the answer is not in the form of Key Vault: check proxies between node and vault' : '';
  const text = `${httpStatus}${names === '' ? '' : ` ${names}`} for ${question.identity}: ${cause}; ${remedy}${doubt}`;
  return failure(question, code, {
    text,
    said: serverWords(answer.message),
    details: {
      httpStatus,
      ...(remoteCode === '' ? {} : { remoteCode }),
      ...(requestId === undefined ? {} : { requestId }),
    },
  });
}

/** Key Vault's codes of a disabled object. */
const DISABLED = /^(Secret|Key|Certificate)Disabled$/;

/** The meaning of a refusal: our code, the cause in words, and the next step. */
interface Meaning {
  readonly code: ErrorCode;
  readonly cause: string;
  readonly remedy: string;
}

function meaning(question: VaultQuestion, answer: VaultAnswer): Meaning {
  const { type, vaultName } = question;
  const noun = NOUN[type];
  switch (answer.status) {
    case 400:
      return {
        code: 'ERR_BAD_PARAMETERS',
        cause: 'the vault does not understand the request',
        remedy: 'check name and version of the object',
      };
    case 401:
      return {
        code: 'ERR_AUTHENTICATION',
        cause: 'the vault does not accept the token of this identity',
        remedy: 'check that its tenant is the tenant of the vault',
      };
    case 403:
      return forbidden(question, answer);
    case 404: {
      const what = question.version === '' ? noun : `${noun}, or no such version of it`;
      const which = question.version === '' ? 'it exists' : 'it and its version exist';
      return {
        code: 'ERR_NOT_FOUND',
        cause: `there is no such ${what}`,
        remedy: `check that ${which} in "${vaultName}" (deleted ones can be recovered)`,
      };
    }
    case 429:
      return {
        code: 'ERR_THROTTLED',
        cause: 'the vault is over its request limit, and the wait it asks for outlasts this mount',
        remedy: 'mount fewer pods, objects or rotations at once, or use another vault',
      };
    default:
      return answer.status >= 500
        ? { code: 'ERR_VAULT', cause: 'the service has a fault', remedy: 'it is tried again at the next mount' }
        : {
            code: 'ERR_VAULT',
            cause: 'no answer of Key Vault to this request',
            remedy: 'check proxies between node and vault',
          };
  }
}

function forbidden({ type, operation }: VaultQuestion, answer: VaultAnswer): Meaning {
  const noun = NOUN[type];
  const [verb, permission] = operation === 'list' ? ['list', 'List'] : ['read', 'Get'];
  const code = 'ERR_FORBIDDEN';
  const inner = answer.innerCode;
  if (DISABLED.test(inner)) {
    const remedy = `enable the ${noun} in the vault, or name a version that is enabled`;
    return { code: 'ERR_DISABLED', cause: `the ${noun} is disabled`, remedy };
  }
  if (inner === 'ForbiddenByFirewall') {
    const address = /Client address: *([0-9a-fA-F.:]*[0-9a-fA-F])/.exec(answer.message)?.[1];
    const which = address === undefined ? 'the address of the node' : `the node's address ${address}`;
    return {
      code,
      cause: 'the firewall of the vault keeps the node out',
      remedy: `allow ${which} in the firewall of the vault (Networking), or give the node a private endpoint`,
    };
  }
  if (inner === 'ForbiddenByConnection' || inner === 'ForbiddenByPolicy') {
    return {
      code,
      cause: 'the vault is closed to this network',
      remedy: 'connect the node by a private endpoint, or open public access',
    };
  }
  const cause = `it may not ${verb} ${noun}s of this vault`;
  if (inner === 'AccessDenied') {
    return { code, cause, remedy: `add an access policy for it with the ${noun} permissions Get and List` };
  }
  return {
    code,
    cause,
    remedy: `grant it "${ROLE[type]}" on the vault (a new grant takes some minutes to work), or with access policies the ${noun} permission ${permission}`,
  };
}
