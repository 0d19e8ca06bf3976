import { RestError } from '@azure/core-rest-pipeline';
import { describe, expect, it } from 'vitest';
import { describeIdentity } from '../../src/azure/login/identity-modes.ts';
import type { LoginWitness } from '../../src/azure/login/login-attempt.ts';
import { loginError } from '../../src/azure/login/login-error.ts';
import { vaultError } from '../../src/azure/vault/vault-error.ts';
import type { ProviderError } from '../../src/base/errors.ts';
import { failuresError } from '../../src/mount/failures.ts';
import type { Identity } from '../../src/spc/model.ts';
import { reader, workload } from '../support/azure.ts';

// Names have the length of names in clusters. Viewers of events show the first 1,000 bytes; the kubelet uses 250 of
// them.

const claims = {
  iss: 'https://westeurope.oic.prod-aks.azure.com/11111111-1111-1111-1111-111111111111/22222222-2222-2222-2222-222222222222/',
  sub: 'system:serviceaccount:azure-iot-operations:aio-broker-default',
};
const token = ['{"alg":"RS256"}', JSON.stringify(claims), 'x'].map((part) => Buffer.from(part).toString('base64url'));
const pod = workload(token.join('.'));
const vaultName = 'kv-production-westeurope';
const name = 'secrets-application-database-pw';
const long = 'x'.repeat(2000);

function refused(status: number, inner: string, identity: Identity, type: 'secret' | 'cert' = 'secret'): ProviderError {
  const host = `${vaultName}.vault.azure.net`;
  const question = {
    type,
    name,
    version: '',
    operation: 'read',
    vaultName,
    host,
    identity: describeIdentity(identity),
  } as const;
  const details = { error: { code: 'Forbidden', message: long, innererror: { code: inner } } };
  return vaultError(question, Object.assign(new RestError('', { statusCode: status }), { details }));
}

function unanswered(code: string, more: object = {}): ProviderError {
  const error = Object.assign(new RestError('x', { code }), more);
  return refusedBy(error);
}

function refusedBy(error: unknown): ProviderError {
  const host = `${vaultName}.vault.azure.net`;
  const question = {
    type: 'secret',
    name,
    version: '',
    operation: 'read',
    vaultName,
    host,
    identity: describeIdentity(pod),
  } as const;
  return vaultError(question, error);
}

function notLoggedIn(code: number, identity: Identity): ProviderError {
  const body = JSON.stringify({ error: 'invalid_client', error_description: `AADSTS${code}: ${long}` });
  const answer = { status: 401, body, requestId: 'r' };
  const witness: LoginWitness = {
    host: 'login.microsoftonline.com',
    answer,
    failure: undefined,
    retryAfterMs: undefined,
  };
  return loginError({ identity, witness, error: undefined });
}

const ADDRESSES = { addresses: ['10.224.0.17:443', '10.224.0.18:443'] };
const PROXY = { proxy: 'proxy.corp.example.com:3128', atProxy: true };
const CAUSES: readonly (readonly [string, ProviderError])[] = [
  ...(
    ['ForbiddenByRbac', 'AccessDenied', 'ForbiddenByFirewall', 'ForbiddenByConnection', 'SecretDisabled'] as const
  ).map((inner) => [inner, refused(403, inner, pod)] as const),
  ['ForbiddenByRbac, certificate', refused(403, 'ForbiddenByRbac', reader(), 'cert')],
  ...[400, 401, 404, 409, 429, 500, 503].map((status) => [`${status}`, refused(status, '', pod)] as const),
  ...[
    'ENOTFOUND',
    'EAI_AGAIN',
    'ECONNREFUSED',
    'ETIMEDOUT',
    'ECONNRESET',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'NO_ANSWER',
  ].flatMap((code) => [
    [code, unanswered(code, ADDRESSES)] as const,
    [`${code} at the proxy`, unanswered(code, { ...ADDRESSES, ...PROXY })] as const,
  ]),
  ...[70021, 7002138, 50166, 700024, 700016, 90002, 500011, 900382, 53003, 12345].map(
    (code) => [`AADSTS${code}`, notLoggedIn(code, pod)] as const,
  ),
  ...[7000215, 7000222].map((code) => [`AADSTS${code}`, notLoggedIn(code, reader())] as const),
];

describe.each([1, 20, 500])('the message of %i objects that failed', (count) => {
  it.each(CAUSES)('has its next step in the first 750 bytes: %s', (_, error) => {
    const names = Array.from({ length: count }, (_, i) => `${name}-${i}`);
    const failed = names.map((one) => ({
      label: `objectType:secret, objectName:${one}, objectVersion:`,
      name: one,
      error,
    }));
    const { message } = failuresError(failed, count);
    const at = message.indexOf(error.reason);
    expect(at).toBeGreaterThan(0);
    expect(Buffer.byteLength(message.slice(0, at + error.reason.length))).toBeLessThan(750);
    for (const one of names) expect(message).toContain(one);
    expect(message).not.toContain(long.slice(0, 202));
  });
});
