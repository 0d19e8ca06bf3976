/**
 * Explains a login that failed: the identity, the service, its answer and the next step. Called when a token request
 * fails. The next step comes from the identity mode. No part of the SDK's error that may quote the request is used.
 */

import { type ErrorCode, messageOf, ProviderError } from '../../base/errors.ts';
import { jsonValue, membersOf } from '../../base/json.ts';
import { serviceInWords } from '../../base/phases.ts';
import type { Identity } from '../../spc/model.ts';
import { networkFailure, noAnswer } from '../http/network-error.ts';
import { serverWords } from '../http/server-words.ts';
import type { LoginFaults, LoginRefusal } from './identity-mode.ts';
import { describeIdentity, modeOf } from './identity-modes.ts';
import type { LoginWitness } from './login-attempt.ts';

/** A login that failed. */
export interface LoginFailure {
  readonly identity: Identity;
  readonly witness: LoginWitness;
  readonly error: unknown;
}

/**
 * Returns the error of a failed login: ERR_AUTHENTICATION after a refusal, else ERR_UNREACHABLE, ERR_THROTTLED or
 * ERR_VAULT. The SDK's error does not become its cause, since it may quote the request.
 */
export function loginError({ identity, witness, error }: LoginFailure): ProviderError {
  if (error instanceof ProviderError) return error;
  const { phase, faults, remedy } = modeOf(identity);
  const { host, answer } = witness;
  const failed = `Cannot log in as ${describeIdentity(identity)}`;
  const at = serviceInWords(phase, host);
  if (answer !== undefined) return refusal({ identity, failed: `${failed}: ${at}`, witness }, answer);
  const network = networkFailure(witness.failure) ?? networkFailure(error);
  const details = { phase, host };
  if (network === undefined) {
    // No service was asked: the SDK refused what the manifest says.
    const text = `${failed}: ${serverWords(messageOf(error))}; ${remedy(identity, undefined)}`;
    return new ProviderError('ERR_AUTHENTICATION', text, { details });
  }
  return new ProviderError('ERR_UNREACHABLE', `${failed}: ${noAnswer(at, network)}${faults.unreachable}`, {
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
  const { phase } = modeOf(identity);
  const { host, retryAfterMs } = witness;
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
  const { code, next } = meaning(identity, status, { code: remoteCode, text });
  const answered = status === 200 ? '200 without a token' : `${status} ${remoteCode ?? ''}`.trim();
  const reason = `${failed} answered ${answered}; ${next}`;
  const words = said === '' ? '' : `; it says: ${said}`;
  return new ProviderError(code, `${reason}${words}`, { details, reason, said });
}

/** Statuses of a refusal. Every other status is a fault of the service, or of a host before it. */
const REFUSALS: readonly number[] = [400, 401, 403];
/** OAuth's names of faults. Entra sends them with 400 too (such as AADSTS90033), although it refused nothing. */
const FAULT = /^(temporarily_unavailable|server_error)\b/;

function meaning(
  identity: Identity,
  status: number,
  refusal: LoginRefusal,
): { readonly code: ErrorCode; readonly next: string } {
  const { faults, remedy } = modeOf(identity);
  const { text } = refusal;
  if (status === 429)
    return { code: 'ERR_THROTTLED', next: 'it accepts no more logins for a while; it is asked again after that time' };
  if (REFUSALS.includes(status) && FAULT.test(text)) return { code: 'ERR_VAULT', next: faultRemedy(503, faults) };
  // A service refuses in JSON; any other answer comes from a host in between.
  if (REFUSALS.includes(status) && text !== '') return { code: 'ERR_AUTHENTICATION', next: remedy(identity, refusal) };
  return { code: 'ERR_VAULT', next: faultRemedy(status, faults) };
}

/** Returns the next step if a service failed, or if another host answered in its place. */
function faultRemedy(status: number, { byStatus, between }: LoginFaults): string {
  const known = byStatus[status];
  if (known !== undefined) return known;
  if (status >= 500) return 'the service, or a proxy before it, has a fault; the next mount asks again';
  if (status >= 300 && status < 400) {
    return `logins are never redirected, so that a host in between has answered, such as the sign-in page of a network; ${between}`;
  }
  if (status === 408) return `it did not receive the request in time; check the network of the node; ${between}`;
  return between;
}

/** `error` and `error_description` of the JSON of a refusal; empty if it is no such JSON. */
function textOf(body: string): string {
  const { error_description: description, error } = membersOf(jsonValue(body));
  return [error, description].filter((part) => typeof part === 'string').join(': ');
}

/** Returns the first sentence of the text after the code. */
function sentence(text: string, code: string | undefined): string {
  const start = code === undefined ? 0 : text.indexOf(code) + code.length;
  const line = text.slice(start).split(/\r?\n| Trace ID:| Correlation ID:| - Correlation| - Trace/)[0] ?? '';
  return serverWords(line.replace(/^\s*:\s*/, ''));
}
