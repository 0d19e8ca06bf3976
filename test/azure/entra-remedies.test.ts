import { describe, expect, it } from 'vitest';
import { serverWords } from '../../src/azure/http/server-words.ts';
import { modeOf } from '../../src/azure/login/identity-modes.ts';
import { loginError } from '../../src/azure/login/login-error.ts';
import { Secret } from '../../src/base/secret.ts';
import type { Identity } from '../../src/spc/model.ts';
import { reader, workload } from '../support/azure.ts';

const claims = { iss: 'https://oidc.example/c1/', sub: 'system:serviceaccount:prod:web' };
const token = ['{"alg":"RS256"}', JSON.stringify(claims), 'x'].map((part) => Buffer.from(part).toString('base64url'));
const pod = workload(token.join('.')) as Extract<ReturnType<typeof workload>, { kind: 'workload-identity' }>;
const app = reader() as Extract<ReturnType<typeof reader>, { kind: 'service-principal' }>;
const { tenantId, clientId, kind: _, clientSecret: __ } = app;
const certified = {
  kind: 'client-certificate',
  tenantId,
  clientId,
  certificate: new Secret('x'),
  password: undefined,
} as const;

function entraRemedy(identity: Identity, code: string | undefined, text: string): string {
  return modeOf(identity).remedy(identity, { code, text });
}

const CREDENTIAL = /issuer "https:\/\/oidc\.example\/c1\/", subject "system:serviceaccount:prod:web", audience "api:/;
const ADD = /^add a federated identity credential .*some minutes/;

describe('the next step after a refusal of Entra ID', () => {
  it.each([
    [70021, pod, ADD],
    [70025, pod, ADD],
    [700211, pod, ADD],
    [700212, pod, CREDENTIAL],
    [700213, pod, CREDENTIAL],
    [7002137, pod, CREDENTIAL],
    [7002138, pod, /differs in upper and lower case.*subject "system:serviceaccount:prod:web"/],
    [50166, pod, /issuer "https:\/\/oidc\.example\/c1\/": they must be public/],
    [501661, pod, /must be public/],
    [90061, pod, /must be public/],
    [700024, pod, /check the clocks/],
    [700027, certified, /add the client certificate to the application/],
    [700027, pod, /issuer publishes the key/],
    [7000112, app, /is disabled: enable it/],
    [7000229, app, /no such application in this tenant/],
    [700016, app, /no such application in this tenant/],
    [7000215, app, /current value \(not the ID\)/],
    [7000222, app, /has expired/],
    [90002, app, /check the tenant ID/],
    [500011, app, /cloudName/],
    [900382, app, /cloudName/],
    [900432, app, /cloudName/],
    [53003, app, /Conditional Access/],
    [500021, app, /tenant restrictions/],
    [90033, app, /overloaded at the moment; the next mount asks again/],
    [12345, app, /^see AADSTS12345 at https:\/\/login\.microsoftonline\.com\/error\?code=12345$/],
  ] as const)('AADSTS%i', (code, applicant, step) => {
    expect(entraRemedy(applicant, `AADSTS${code}`, '')).toMatch(step);
  });

  it.each([
    ['AADSTS7999999: No matching federated identity record found', CREDENTIAL],
    ['AADSTS5999: Request to External OIDC endpoint failed', /must be public/],
    ['AADSTS53999: blocked by Conditional Access policies', /Conditional Access/],
  ])('of a code that is new, by its words: %s', (text, step) => {
    expect(entraRemedy(pod, /AADSTS\d+/.exec(text)?.[0], text)).toMatch(step);
  });

  it('claims nothing where Entra ID names no code', () => {
    expect(entraRemedy(app, undefined, 'invalid_client')).not.toMatch(/check tenant|check the/);
  });

  it.each([
    [403, /keeps pods from IMDS.*hostNetwork/],
    [404, /being updated, or the node is not an Azure VM/],
    [410, /being updated, for 70 seconds/],
  ] as const)('IMDS that answers %i has words of its own', (status, words) => {
    const answer = { status, body: '', requestId: undefined };
    const witness = {
      host: '169.254.169.254',
      answer,
      failure: undefined,
      retryAfterMs: undefined,
    } as const;
    const error = loginError({ identity: { kind: 'managed-identity', clientId: '' }, witness, error: undefined });
    expect(error.message).toMatch(words);
    expect(error.message).not.toMatch(/proxies|assign the identity|turn on/);
    expect(error.code).toBe('ERR_VAULT');
  });
});

describe('the words of a server', () => {
  it.each([
    ['Bad. Trace ID: 0a1b2c3d-0000-4000-8000-000000000000 Correlation ID: 0a1b2c3d-1111-4000-8000-000000000000', 'Bad'],
    ['Bad (request id 0a1b2c3d-0000-4000-8000-000000000000)', 'Bad'],
    ['Bad. Timestamp: 2026-11-28 10:20:30Z', 'Bad'],
    ['Now 2026-11-28T10:20:30.123Z', 'Now …'],
    ['Now 11/28/2026 10:20:30 AM', 'Now …'],
    ['Sat, 28 Nov 2026 10:20:30 GMT', '…'],
    ['Try again in 17 seconds', 'Try again in … seconds'],
    ['Try again after 1500ms', 'Try again after …ms'],
    ['exp 1795861230', 'exp …'],
    ['Client address: 10.1.2.3:51234', 'Client address: 10.1.2.3'],
    ['app 22222222-2222-2222-2222-222222222222', 'app 22222222-2222-2222-2222-222222222222'],
    ['a\r\n  b', 'a b'],
    ['x'.repeat(300), `${'x'.repeat(200)}…`],
    ['', ''],
  ])('%s', (text, words) => {
    expect(serverWords(text)).toBe(words);
  });
});
