import { SecretClient } from '@azure/keyvault-secrets';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, openLab, requestToken, sdkOptions, seedWith, VAULT, vaultGet } from '../support/emulator.ts';

const PATH = '/secrets/a?api-version=7.4';
const SEED = `${seedWith(`
    secrets: [{name: a, value: value of a, contentType: text/plain}, {name: b, value: v}]
`)}
faults:
  - {on: vault, object: seeded, count: 1, action: {kind: answer, status: 503}}
`;

describe('scripted faults of the emulator', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED);
  });
  afterEach(() => lab.emulator.faults.clear());
  afterAll(() => lab.close());

  it('can come with the seed', async () => {
    expect((await vaultGet(lab, '/secrets/seeded?api-version=7.4')).status).toBe(503);
    expect((await vaultGet(lab, '/secrets/seeded?api-version=7.4')).status).toBe(404);
  });

  it("answer 429 in Key Vault's words, with or without Retry-After", async () => {
    const { faults } = lab.emulator;
    faults.add({ on: 'vault', count: 1, action: { kind: 'answer', status: 429 } });
    faults.add({ on: 'vault', skip: 0, action: { kind: 'answer', status: 429, headers: { 'retry-after': '7' } } });
    const without = await vaultGet(lab, PATH);
    expect(without).toMatchObject({
      status: 429,
      json: {
        error: {
          code: 'Throttled',
          message:
            'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
        },
      },
    });
    expect(without.headers['retry-after']).toBeUndefined();
    expect((await vaultGet(lab, PATH)).headers['retry-after']).toBe('7');
  });

  it('cause the stock client to retry after the given time', async () => {
    const retrying = new SecretClient(lab.emulator.vaultUrl(VAULT), lab.credential, {
      agent: lab.agent,
      retryOptions: { maxRetries: 2 },
    });
    const headers = { 'retry-after-ms': '1' };
    lab.emulator.faults.add({ on: 'vault', object: 'b', count: 2, action: { kind: 'answer', status: 429, headers } });
    lab.emulator.requests.clear();
    expect((await retrying.getSecret('b')).value).toBe('v');
    expect(lab.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ status }) => status)).toEqual([
      401, 429, 429, 200,
    ]);
  });

  it.each([
    [500, 'InternalServerError'],
    [503, 'ServiceUnavailable'],
    [403, 'Forbidden'],
    [418, 'BadRequest'],
    [502, 'InternalServerError'],
  ])('answer %i with the code that belongs to it', async (status, code) => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status } });
    expect(await vaultGet(lab, PATH)).toMatchObject({ status, json: { error: { code } } });
  });

  it('respond with any body and headers', async () => {
    const html = { kind: 'answer', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' } as const;
    lab.emulator.faults.add({ on: 'vault', count: 1, action: html });
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status: 200, body: { value: 'other' } } });
    expect(await vaultGet(lab, PATH)).toMatchObject({ status: 502, text: '<html>' });
    expect((await vaultGet(lab, PATH)).json).toEqual({ value: 'other' });
  });

  it('apply to the given vault, object, method and part of the path', async () => {
    const { faults } = lab.emulator;
    const action = { kind: 'answer', status: 500 } as const;
    faults.add({ on: 'vault', vault: 'other-vault', action });
    faults.add({ on: 'vault', object: 'b', action });
    faults.add({ on: 'vault', method: 'PUT', action });
    faults.add({ on: 'vault', path: '/versions', action });
    expect((await vaultGet(lab, PATH)).status).toBe(200);
    expect((await vaultGet(lab, '/secrets/B?api-version=7.4')).status).toBe(500);
    expect((await vaultGet(lab, '/secrets/a/versions?api-version=7.4')).status).toBe(500);
    await expect(lab.secrets.setSecret('c', 'v')).rejects.toMatchObject({ statusCode: 500 });
  });

  it('let the first requests pass and end after their count', async () => {
    lab.emulator.faults.add({ on: 'vault', skip: 1, count: 2, action: { kind: 'answer', status: 500 } });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await vaultGet(lab, PATH)).status);
    expect(statuses).toEqual([200, 500, 500, 200]);
  });

  it('ignore requests without a token unless these are included', async () => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status: 500 } });
    expect((await vaultGet(lab, PATH, '')).status).toBe(401);
    lab.emulator.faults.clear();
    lab.emulator.faults.add({ on: 'vault', unauthenticated: true, action: { kind: 'answer', status: 500 } });
    expect((await vaultGet(lab, PATH, '')).status).toBe(500);
  });

  it('drop the connection or truncate the response', async () => {
    const token = await requestToken(lab, {
      grant_type: 'client_credentials',
      client_id: '22222222-2222-2222-2222-222222222222',
      client_secret: 'first-client-secret',
      scope: 'https://vault.localhost/.default',
    });
    const get = () => vaultGet(lab, PATH, token.json.access_token);
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'drop' } });
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'truncate' } });
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'truncate', bytes: 0 } });
    await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(get()).rejects.toThrow('aborted');
    await expect(get()).rejects.toThrow('aborted');
    expect((await get()).status).toBe(200);
    expect(lab.emulator.requests.filter(({ status }) => status === 0)).toHaveLength(1);
  });

  it('leave a request without a response until the caller cancels', async () => {
    lab.emulator.faults.add({ on: 'vault', object: 'a', action: { kind: 'hang' } });
    const gaveUp = new AbortController();
    const asked = new Promise<void>((resolve) => {
      const seen = setInterval(() => {
        if (!lab.emulator.requests.some(({ status, path }) => status === 0 && path === '/secrets/a/')) return;
        clearInterval(seen);
        resolve();
      }, 5);
    });
    const answer = lab.secrets.getSecret('a', { abortSignal: gaveUp.signal });
    const outcome = expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    await asked;
    gaveUp.abort();
    await outcome;
  });

  it('edit the real response', async () => {
    const edit = {
      kind: 'edit',
      remove: ['id', 'attributes.created'],
      set: { value: 'changed', 'attributes.enabled': 'x', 'no.such': 1 },
    };
    lab.emulator.faults.add({ on: 'vault', action: edit as { kind: 'edit' } });
    const { json } = await vaultGet(lab, PATH);
    expect(json).toMatchObject({ value: 'changed', contentType: 'text/plain', attributes: { enabled: 'x' } });
    expect(json.id).toBeUndefined();
    expect(json.attributes.created).toBeUndefined();
    expect(json.no).toBeUndefined();
  });

  it('delay a response', async () => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'delay', ms: 1 } });
    expect((await vaultGet(lab, PATH)).json.value).toBe('value of a');
  });

  it('reach the authority and the managed-identity endpoint too', async () => {
    lab.emulator.faults.add({ on: 'entra', action: { kind: 'answer', status: 503 } });
    lab.emulator.faults.add({ on: 'imds', action: { kind: 'answer', status: 500 } });
    lab.emulator.faults.add({ on: 'nmi', action: { kind: 'answer', status: 500, body: 'no' } });
    const token = await requestToken(lab, {});
    expect(token).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable', error_codes: [90033] } });
    expect((await fetch(`${lab.emulator.imdsUrl}/metadata/identity/oauth2/token`)).status).toBe(500);
    expect(await (await fetch(`${lab.emulator.imdsUrl}/host/token/`)).text()).toBe('no');
  });
});

describe('the stock client on a vault that never answers', () => {
  it('fails when the emulator closes', async () => {
    const lab = await openLab(seedWith('    secrets: [{name: a, value: v}]'));
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'hang' } });
    const answer = new SecretClient(lab.emulator.vaultUrl(VAULT), lab.credential, sdkOptions(lab.agent)).getSecret('a');
    const outcome = expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
    while (!lab.emulator.requests.some(({ status }) => status === 0))
      await new Promise((resolve) => setTimeout(resolve, 5));
    await lab.close();
    await outcome;
  });
});
