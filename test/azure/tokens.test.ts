import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, READER, reader, SUBJECT, secret, startLab, TENANT, textOf, workload } from '../support/azure.ts';

const HOUR = 3600_000;
let lab: Lab;
const tokenOutcomes: string[] = [];

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  lab = await startLab({
    telemetry: { ...silentTelemetry, tokenRequest: (_, outcome) => tokenOutcomes.push(outcome) },
  });
});
beforeEach(() => {
  lab.emulator.requests.clear();
  tokenOutcomes.length = 0;
});
afterEach(() => lab.emulator.faults.clear());
afterAll(async () => {
  await lab.close();
  vi.useRealTimers();
});

/** Moves the clocks of the provider and of the emulator. */
function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

function podToken(expiresInSeconds: number): string {
  return lab.emulator.issueServiceAccountToken({
    subject: SUBJECT,
    audience: WORKLOAD_IDENTITY_AUDIENCE,
    expiresInSeconds,
  });
}

function read(identity = reader(), name = 's0') {
  return lab.open(identity).get(secret(name), lab.context());
}

/** Answers one request with 401 and this challenge. */
function challengeOnce(header: string): void {
  const action = { kind: 'answer', status: 401, headers: { 'www-authenticate': header } } as const;
  lab.emulator.faults.add({ on: 'vault', count: 1, action });
}

describe('a pooled token', () => {
  it('is renewed in the background ahead of its end, while the old one still serves', async () => {
    await read();
    pass(HOUR - 9 * 60_000);
    lab.emulator.requests.clear();
    const renewal = lab.emulator.faults.hold({ on: 'entra' });
    await read();
    await renewal.reached;
    await read();
    expect(lab.tokens()).toBe(0);
    renewal.release();
    await expect.poll(() => lab.tokens()).toBe(1);
    await read();
    expect(lab.tokens()).toBe(1);
  });

  it('serves on where its renewal fails, which is not tried again at each read', async () => {
    pass(HOUR - 9 * 60_000);
    lab.emulator.faults.add({
      on: 'entra',
      action: { kind: 'answer', status: 400, body: { error: 'invalid_request' } },
    });
    await read();
    await expect.poll(() => tokenOutcomes).toEqual(['unauthenticated']);
    await Promise.all([read(), read(), read()]);
    expect(tokenOutcomes).toEqual(['unauthenticated']);
  });

  it('serves no longer once Entra refuses the login at its renewal', async () => {
    pass(2 * HOUR);
    await read();
    pass(HOUR - 9 * 60_000);
    const body = { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' };
    lab.emulator.faults.add({ on: 'entra', method: 'POST', action: { kind: 'answer', status: 401, body } });
    await read();
    await expect.poll(() => tokenOutcomes).toEqual(['ok', 'unauthenticated']);
    await expect(read()).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      details: { remoteCode: 'AADSTS7000215', phase: 'entra' },
    });
  });

  it('that Entra gives for a day is asked for anew within ninety minutes, so that a revoked secret ends', async () => {
    const seed = `
tenants:
  - id: "${TENANT}"
    tokenLifetimeSeconds: 86400
    identities: [{name: reader, clientId: "${READER}", secrets: [{value: reader-secret}]}]
vaults:
  - name: lab-vault
    tenant: "${TENANT}"
    grants: [{identity: reader, secrets: [get]}]
    secrets: [{name: s0, value: value-0}]
`;
    const long = await startLab({ seed });
    try {
      const readLong = () => long.open(reader()).get(secret('s0'), long.context());
      await readLong();
      pass(79 * 60_000);
      await readLong();
      expect(long.tokens()).toBe(1);
      long.emulator.faults.add({ on: 'entra', action: { kind: 'drop' } });
      pass(10 * 60_000);
      await expect(readLong()).rejects.toMatchObject({ details: { phase: 'entra' } });
    } finally {
      await long.close();
    }
  });

  it('is fetched before use once it is at its end', async () => {
    pass(2 * HOUR);
    await Promise.all([read(), read(reader(), 's1'), read(reader(), 's2')]);
    expect(lab.tokens()).toBe(1);
  });

  it('is shared whatever letter case the IDs are written in', async () => {
    await read();
    await read({ ...reader(), kind: 'service-principal', clientId: READER.toUpperCase() } as never);
    expect(lab.tokens()).toBe(0);
  });
});

describe('a service-account token', () => {
  it('is exchanged once until it ends, however often the access token is renewed meanwhile', async () => {
    const [first, second] = [podToken(10 * 3600), podToken(10 * 3600)];
    await read(workload(first));
    await read(workload(second));
    expect(lab.tokens()).toBe(2);
    pass(2 * HOUR);
    await read(workload(first));
    expect(lab.tokens()).toBe(3);
    await read(workload(second));
    await read(workload(first));
    expect(lab.tokens()).toBe(3);
  });

  it('proves nothing any more when it is past its end', async () => {
    const [short, long] = [podToken(600), podToken(10 * 3600)];
    await read(workload(short));
    await read(workload(long));
    pass(20 * 60_000);
    lab.emulator.requests.clear();
    await expect(read(workload(short))).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      details: { remoteCode: 'AADSTS700024', phase: 'entra' },
    });
    expect(lab.count('vault')).toBe(0);
    await read(workload(long));
  });

  it('renews by the token that the pod has now', async () => {
    const old = podToken(600);
    await read(workload(old));
    pass(2 * HOUR);
    expect(textOf(await read(workload(podToken(3600))))).toBe('value-0');
  });
});

describe('a challenge of the vault', () => {
  it('for other claims is answered with a token that has them, once for all who read', async () => {
    await read();
    const claims = Buffer.from('{"access_token":{"nbf":{"essential":true,"value":"1"}}}').toString('base64');
    const header = `Bearer realm="", authorization_uri="https://login.localhost/x", error="insufficient_claims", claims="${claims}"`;
    for (let i = 0; i < 3; i++) challengeOnce(header);
    lab.emulator.requests.clear();
    const names = ['s1', 's2', 's3'];
    const fetched = await Promise.all(names.map((name) => read(reader(), name)));
    expect(fetched.map(textOf)).toEqual(['value-1', 'value-2', 'value-3']);
    expect(lab.tokens()).toBe(1);
    expect(lab.count('vault')).toBe(6);
  });

  it.each([
    ['without quotes', '', ', '],
    ['with spaces around its signs', '"', ' , '],
    ['without spaces', '"', ','],
  ])('written %s is understood', async (_, quote, comma) => {
    await read();
    const is = quote === '"' && comma === ' , ' ? ' = ' : '=';
    const field = (name: string, value: string) => `${name}${is}${quote}${value}${quote}`;
    const stranger = 'https://login.localhost/99999999-9999-9999-9999-999999999999';
    challengeOnce(`Bearer ${['resource', 'authorization'].map((name) => field(name, stranger)).join(comma)}`);
    await expect(read()).rejects.toMatchObject({ message: expect.stringContaining('trusts tenant 99999999-') });
    const claims = Buffer.from('{"access_token":{"nbf":{"essential":true}}}').toString('base64');
    const fields = [field('error', 'insufficient_claims'), field('claims', claims)];
    challengeOnce(`bearer ${fields.join(comma)}`);
    lab.emulator.requests.clear();
    expect(textOf(await read())).toBe('value-0');
    expect(lab.emulator.requests.find(({ method, kind }) => kind === 'entra' && method === 'POST')).toBeDefined();
  });

  it('after a token was revoked is answered with a new one', async () => {
    await read();
    challengeOnce(`Bearer authorization="https://login.localhost/${TENANT}", resource="https://vault.localhost"`);
    lab.emulator.requests.clear();
    expect(textOf(await read())).toBe('value-0');
    expect(lab.tokens()).toBe(1);
  });

  it('sends nothing to the authority that it names', async () => {
    await read();
    const elsewhere = `https://evil.localhost:${lab.emulator.port}/${TENANT}`;
    challengeOnce(`Bearer authorization="${elsewhere}", resource="https://vault.localhost"`);
    lab.emulator.requests.clear();
    await read();
    expect(lab.emulator.requests.filter(({ host }) => host.startsWith('evil'))).toEqual([]);
  });

  it('for a token that Entra does not give is of no consequence for others', async () => {
    await read();
    challengeOnce(`Bearer authorization="https://login.localhost/${TENANT}", resource="https://localhost"`);
    await expect(read()).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION' });
    expect(textOf(await read())).toBe('value-0');
    expect(textOf(await read(workload(podToken(3600))))).toBe('value-0');
  });

  it.each([
    'https://evil.example',
    'https://localhost.evil.example',
    'http://vault.localhost',
    'https://graph.microsoft.com@localhost',
    'https://vault.localhost/a b',
    'not a url',
  ])('for a token for %s, which the vault is no part of, is refused', async (resource) => {
    await read();
    lab.emulator.requests.clear();
    challengeOnce(`Bearer authorization="https://login.localhost/${TENANT}", resource="${resource}"`);
    await expect(read()).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      message: expect.stringContaining(`asks for a token for "${resource}", which does not match its own host`),
    });
    expect(lab.tokens()).toBe(0);
  });

  it('that stays is an error with the words of the vault, after one new token', async () => {
    await read();
    lab.emulator.requests.clear();
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status: 401 } });
    await expect(read()).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      details: { httpStatus: 401, phase: 'vault' },
      message: expect.stringContaining(`does not accept the token of service principal ${READER}: 401 Unauthorized`),
    });
    expect(lab.tokens()).toBe(1);
    expect(lab.count('vault')).toBe(2);
  });
});

describe('clouds of a file', () => {
  it('hear of nobody else: every request goes to a host that the file names', async () => {
    await read();
    const hosts = new Set(lab.emulator.requests.map(({ host }) => host));
    expect([...hosts].every((host) => host.endsWith(`.localhost:${lab.emulator.port}`))).toBe(true);
  });

  it('tell their OpenID metadata once a day, whoever logs in', async () => {
    const metadata = () => lab.emulator.requests.filter(({ path }) => path.includes('openid-configuration')).length;
    pass(25 * HOUR);
    await Promise.all([read(), read(workload(podToken(3600))), read(reader(), 's2')]);
    expect(metadata()).toBe(1);
    pass(20 * HOUR);
    await read();
    expect(metadata()).toBe(1);
    pass(5 * HOUR);
    await read();
    expect(metadata()).toBe(2);
  });
});

describe('Entra that asks to wait', () => {
  const throttle = (after: string) =>
    lab.emulator.faults.add({
      on: 'entra',
      method: 'POST',
      action: { kind: 'answer', status: 429, headers: { 'retry-after': after } },
    });

  it('for long is not asked again by the same principal before, and others are not concerned', async () => {
    pass(25 * HOUR);
    throttle('300');
    for (let i = 0; i < 5; i++) await expect(read()).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    expect(lab.tokens()).toBe(1);
    lab.emulator.faults.clear();
    expect(textOf(await read(workload(podToken(3600))))).toBe('value-0');
    await expect(read()).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    // At most half more, and at most five minutes.
    pass(299_500);
    expect(textOf(await read())).toBe('value-0');
  });

  it('for no time at all is not asked as fast as it answers', async () => {
    pass(25 * HOUR);
    throttle('0');
    const startedAt = performance.now();
    await expect(read()).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    expect(lab.tokens()).toBe(4);
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
  });
});

describe('a token that does not say how long it lives', () => {
  it('is used for some minutes', async () => {
    pass(25 * HOUR);
    lab.emulator.faults.add({
      on: 'entra',
      method: 'POST',
      action: { kind: 'edit', remove: ['expires_in', 'ext_expires_in'] },
    });
    for (let i = 0; i < 3; i++) expect(textOf(await read())).toBe('value-0');
    expect(lab.tokens()).toBe(1);
  });
});
