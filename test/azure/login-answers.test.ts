import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loginError } from '../../src/azure/login/login-error.ts';
import type { Identity } from '../../src/spc/model.ts';
import { type Lab, reader, secret, startLab, workload } from '../support/azure.ts';
import { clearImds, setImds } from '../support/imds.ts';

const managed: Identity = { kind: 'managed-identity', clientId: '44444444-4444-4444-4444-444444444444' };
const pod: Identity = { kind: 'pod-identity', podNamespace: 'prod', podName: 'web-0' };
const bound: Identity = { ...workload('token'), kind: 'identity-binding' } as Identity;

const ENTRA = {
  phase: 'entra',
  host: 'login.example',
  identity: reader(),
  words: 'Entra ID at login.example',
} as const;
const HOSTS = [
  ENTRA,
  { ...ENTRA, identity: workload('token') },
  { phase: 'imds', host: '169.254.169.254', identity: managed, words: '(IMDS) at 169.254.169.254' },
  { phase: 'token-proxy', host: 'api.example', identity: bound, words: "the cluster's token proxy at api.example" },
] as const;

/** Requests to IMDS never use the proxy of the environment. */
const BETWEEN = /check proxies between node and host|check what takes requests to 169\.254\.169\.254/;
const AWAY = /check proxies between node and host|IMDS is being updated/;
/** The meaning of each status, even if the body has the form of the service's errors. */
const STATUSES: readonly (readonly [number, string, RegExp])[] = [
  [301, 'ERR_VAULT', /never redirected.*sign-in page of a network; check /],
  [302, 'ERR_VAULT', /never redirected.*sign-in page of a network; check /],
  [307, 'ERR_VAULT', /never redirected.*sign-in page of a network; check /],
  [308, 'ERR_VAULT', /never redirected.*sign-in page of a network; check /],
  [404, 'ERR_VAULT', AWAY],
  [405, 'ERR_VAULT', BETWEEN],
  [407, 'ERR_VAULT', BETWEEN],
  [408, 'ERR_VAULT', /did not receive the request in time; check the network of the node/],
  [410, 'ERR_VAULT', AWAY],
  [418, 'ERR_VAULT', BETWEEN],
  [429, 'ERR_THROTTLED', /accepts no more logins for a while/],
  [500, 'ERR_VAULT', /has a fault/],
  [502, 'ERR_VAULT', /has a fault/],
  [503, 'ERR_VAULT', /has a fault/],
];
const REFUSALS = [400, 401, 403];

/** Returns the error of a login that received this response. */
function explained({ identity, phase, host }: (typeof HOSTS)[number], status: number, body: string) {
  const answer = { status, body, requestId: undefined };
  const witness = { phase, host, answer, failure: undefined, retryAfterMs: undefined };
  return loginError({ identity, witness, error: new Error('the SDK has its own words') });
}

const OWN_WORDS = JSON.stringify({ error: 'invalid_client', error_description: 'AADSTS90033: Something.' });

describe.each(HOSTS)('a login at $words ($identity.kind)', (host) => {
  it.each(STATUSES)('answered %i: %s, with what to check', (status, code, next) => {
    for (const body of [OWN_WORDS, '<html>', '']) {
      const error = explained(host, status, body);
      expect(error).toMatchObject({ code, details: { httpStatus: status, phase: host.phase, host: host.host } });
      expect(error.message).toContain(host.words);
      expect(error.message).toMatch(next);
      expect(error.message).not.toMatch(/check tenant|assign the identity|put the current value/);
    }
  });

  it.each(REFUSALS)('answered %i for a fault of its own has not refused', (status) => {
    for (const error of ['temporarily_unavailable', 'server_error']) {
      const fault = explained(host, status, JSON.stringify({ error, error_description: 'AADSTS90033: Try again.' }));
      expect(fault).toMatchObject({ code: 'ERR_VAULT', message: expect.stringContaining('has a fault') });
    }
  });

  it.each(REFUSALS)('answered %i in its own words is refused, in others is not', (status) => {
    expect(explained(host, status, OWN_WORDS)).toMatchObject({ code: 'ERR_AUTHENTICATION' });
    const page = explained(host, status, '<html>');
    expect(page).toMatchObject({ code: 'ERR_VAULT' });
    expect(page.message).toMatch(host.phase === 'imds' && status === 403 ? /keeps pods from IMDS/ : BETWEEN);
    if (host.phase === 'imds') expect(page.message).not.toContain('proxies');
  });
});

describe('a login on its way', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ nmi: true });
    setImds(lab.emulator.imdsUrl);
  });
  afterEach(() => lab.emulator.faults.clear());
  afterAll(async () => {
    clearImds();
    await lab.close();
  });

  it.each([
    ["Entra's metadata", 'entra', 'GET', reader()],
    ['Entra', 'entra', 'POST', reader()],
    ['IMDS', 'imds', 'GET', managed],
    ['NMI', 'nmi', 'GET', pod],
  ] as const)('that %s redirects follows nobody and blames nobody', async (_, on, method, identity) => {
    const headers = { location: 'https://portal.localhost/' };
    lab.emulator.faults.add({ on, method, action: { kind: 'answer', status: 302, headers, body: '<html>' } });
    const read = lab.open(identity).get(secret('s0'), lab.context());
    await expect(read).rejects.toMatchObject({ code: 'ERR_VAULT', details: { httpStatus: 302 } });
    expect(lab.emulator.requests.filter(({ host }) => host.startsWith('portal'))).toEqual([]);
  });

  it.each([
    [408, 'ERR_VAULT'],
    [429, 'ERR_THROTTLED'],
    [404, 'ERR_AUTHENTICATION'],
  ] as const)('that NMI answers with %i: %s', async (status, code) => {
    lab.emulator.faults.add({ on: 'nmi', action: { kind: 'answer', status } });
    await expect(lab.open(pod).get(secret('s0'), lab.context())).rejects.toMatchObject({ code });
  });
});
