import { sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/emulator/host/faults.ts';
import {
  type Asked,
  CLIENT,
  type Item,
  KUBELET_MS,
  openWorld,
  type ParityWorld,
  seedWith,
  tokensParameter,
} from '../support/parity.ts';
import { sharedKey } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

// The event of a pod that does not start ends with the message of the provider.

const AUDIENCE = 'api://AzureADTokenExchange';
let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(
    seedWith({
      vault: '    secrets: [{name: a, value: va}, {name: off, value: v, enabled: false}]',
      rest: `
  - {name: bare-vault, tenant: "11111111-1111-1111-1111-111111111111", secrets: [{name: a, value: v}]}
  - {name: walled-vault, tenant: "11111111-1111-1111-1111-111111111111", firewall: closed, secrets: [{name: a, value: v}]}`,
    }),
    { hosts: ['parity-vault.vault.invalid'] },
  );
});
afterEach(() => world.emulator.faults.clear());
afterAll(async () => {
  await world.close();
});

const one: readonly Item[] = [{ objectName: 'a', objectType: 'secret' }];
const many = (count: number, name = 'db'): readonly Item[] =>
  Array.from({ length: count }, (_, i) => ({
    objectName: `${name}-${String(i).padStart(3, '0')}`,
    objectType: 'secret',
  }));

async function messageOf(asked: Asked, deadlineMs = KUBELET_MS): Promise<string> {
  const outcome = await world.mount(asked, { deadlineMs });
  if (outcome.kind !== 'failed') throw new Error('it did not fail');
  return outcome.message;
}

let clouds = 0;
/** Returns the parameters of a cloud whose hosts differ from the emulator's. */
function cloudWith(edit: Readonly<Record<string, string>>) {
  const path = join(world.directory, `event-cloud-${++clouds}.json`);
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(world.emulator.cloudFile) as object), ...edit }));
  return { cloudName: 'AzureStackCloud', cloudEnvFileName: path };
}

/** Returns a token of a service account that no identity trusts. */
function strangersToken(serial: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3600 + serial;
  const claims = { iss: 'https://oidc.example/c1/', sub: 'system:serviceaccount:prod:web', aud: [AUDIENCE], exp };
  const signed = `${part({ alg: 'RS256', typ: 'JWT', kid: 'k' })}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), sharedKey('rsa-2048', 'a stranger')).toString('base64url')}`;
}

interface Row {
  readonly cause: string;
  readonly fault?: Fault;
  /** The request of each attempt, with the differences between attempts of a real driver. */
  readonly asked: (attempt: number) => Asked;
  /** The texts of the message, in this order: cause, affected objects and identity, next step. */
  readonly says: readonly string[];
}

const HUNDREDS = rounds(150, 500);
const says404 = ['vault "parity-vault"', '404 SecretNotFound', 'there is no such secret', 'check that it exists'];
const ROWS: readonly Row[] = [
  {
    cause: 'a wrong client secret',
    asked: () => ({ objects: one, secrets: { clientid: CLIENT, clientsecret: 'wrong-one' } }),
    says: [CLIENT, 'AADSTS7000215', 'put the current value'],
  },
  {
    cause: 'no role',
    asked: () => ({ objects: one, parameters: { keyvaultName: 'bare-vault' } }),
    says: ['vault "bare-vault"', '403 Forbidden/ForbiddenByRbac', CLIENT, 'may not read', '"Key Vault Secrets User"'],
  },
  {
    cause: 'a firewall',
    asked: () => ({ objects: one, parameters: { keyvaultName: 'walled-vault' } }),
    says: ['vault "walled-vault"', 'ForbiddenByFirewall', CLIENT, 'keeps the node out', 'allow', '127.0.0.1'],
  },
  { cause: 'no object', asked: () => ({ objects: many(1) }), says: ['objectName:db-000,', ...says404] },
  { cause: '20 absent objects', asked: () => ({ objects: many(20) }), says: ['20 of 20', 'db-000', ...says404] },
  {
    cause: 'several hundred absent objects',
    asked: () => ({ objects: many(HUNDREDS) }),
    says: [`${HUNDREDS} of ${HUNDREDS}`, 'db-000', ...says404],
  },
  {
    cause: 'a disabled object',
    asked: () => ({ objects: [{ objectName: 'off', objectType: 'secret' }] }),
    says: ['objectName:off,', 'SecretDisabled', 'is disabled', 'enable'],
  },
  {
    cause: '429, with words that differ each time',
    fault: {
      on: 'vault',
      action: {
        kind: 'answer',
        status: 429,
        headers: { 'retry-after': '600' },
        body: { error: { code: 'Throttled', message: 'Retry after 17 seconds. Activity ID: 5e1f6a7a-1111-2222.' } },
      },
    },
    asked: () => ({ objects: one, flags: ['--custom-user-agent=throttled'] }),
    says: ['429 Throttled', CLIENT, 'over its request limit', 'mount fewer'],
  },
  {
    cause: 'no name in DNS',
    asked: () => ({
      objects: one,
      parameters: cloudWith({ keyVaultDNSSuffix: 'vault.invalid', keyVaultEndpoint: 'https://vault.invalid' }),
    }),
    says: ['parity-vault.vault.invalid', 'DNS failed', "the DNS that the provider's pod uses"],
  },
  {
    cause: 'a port that is closed',
    asked: () => ({ objects: one, parameters: cloudWith({ keyVaultDNSSuffix: 'vault.localhost:1' }) }),
    says: ['parity-vault.vault.localhost:1', 'TCP failed, ECONNREFUSED', '(tried 127.0.0.1:1)', 'check address'],
  },
  {
    cause: 'no federation',
    asked: (attempt) => ({
      objects: one,
      secrets: null,
      parameters: { clientID: CLIENT, ...tokensParameter({ [AUDIENCE]: strangersToken(attempt) }) },
    }),
    says: [
      'workload identity',
      CLIENT,
      'AADSTS70',
      'federated identity credential',
      'some minutes',
      'issuer "https://oidc.example/c1/"',
      'subject "system:serviceaccount:prod:web"',
      AUDIENCE,
    ],
  },
];

describe('the message of a Mount that fails', () => {
  it.each(ROWS)(
    'for $cause: cause, identity, vault and next step within its first 750 bytes, and the same again',
    async (row) => {
      if (row.fault !== undefined) world.emulator.faults.add(row.fault);
      const message = await messageOf(row.asked(0));
      let at = 0;
      for (const text of row.says) {
        const found = message.indexOf(text, at);
        expect(found, `${JSON.stringify(text)} after ${message.slice(0, at)} in ${message}`).toBeGreaterThanOrEqual(at);
        at = found;
      }
      const remedy = message.indexOf(row.says.at(-1) ?? '', at);
      const end = message.indexOf(';', remedy) === -1 ? message.length : message.indexOf(';', remedy);
      expect(Buffer.byteLength(message.slice(0, end))).toBeLessThan(750);
      expect(message).not.toMatch(/request id|trace id|correlation id|timestamp/i);
      const clean = (text: string) => text.replace(/event-cloud-\d+/g, '');
      expect(clean(await messageOf(row.asked(1), KUBELET_MS + 37))).toBe(clean(message));
    },
  );
});

describe('many objects of one cause', () => {
  it('are all named in the log, and in the message as many as fit; the cause is told once', async () => {
    const objects = many(500, 'database-password');
    const before = world.log.length;
    const all500 = messageOf({ objects: many(500) });
    const message = await messageOf({ objects });
    const log = world.log.slice(before).join('\n');
    const named = (text: string) => objects.filter(({ objectName }) => text.includes(String(objectName))).length;
    expect(named(log)).toBe(500);
    expect(encodeURI(message).length).toBeLessThanOrEqual(6144);
    expect(encodeURI(message).length).toBeGreaterThan(6000);
    expect(named(message)).toBeGreaterThan(230);
    for (const { objectName } of many(500)) expect(await all500).toContain(objectName);
    expect(message.match(/there is no such secret/g)).toHaveLength(1);
    expect(log).toMatch(/"requestId":"[0-9a-f-]{36}"/);
  });

  it('are all named where there are twenty, some of another cause', async () => {
    const objects = [...many(19), { objectName: 'off', objectType: 'secret' }, ...one];
    const message = await messageOf({ objects });
    expect(message).toContain('20 of 21 objects: (1) failed to get objectType:secret, objectName:db-000, ');
    expect(message).toContain('; (2) failed to get objectType:secret, objectName:off, ');
    for (const { objectName } of objects.slice(0, 20)) expect(message).toContain(objectName);
    expect(message.match(/there is no such secret/g)).toHaveLength(1);
    expect(message).not.toContain('objectName:a,');
  });

  it('have one event, whichever of them is answered first', async () => {
    const objects = many(3);
    const first = world.emulator.faults.hold({ on: 'vault', object: 'db-000' });
    world.emulator.requests.clear();
    const answered = (name: string) => world.emulator.requests.some(({ path }) => path === `/secrets/${name}/`);
    const late = messageOf({ objects });
    await expect.poll(() => answered('db-001') && answered('db-002')).toBe(true);
    first.release();
    expect(await late).toBe(await messageOf({ objects }));
  });
});

it('what differs in the words of Entra is left out, and its code and request id stand in the log', async () => {
  let count = 0;
  const answer = () => {
    count++;
    world.emulator.faults.clear();
    world.emulator.faults.add({
      on: 'entra',
      path: '/token',
      action: {
        kind: 'answer',
        status: 401,
        body: {
          error: 'invalid_client',
          error_description:
            `AADSTS700024: Client assertion is not within its valid time range. Current time: 2026-11-28T10:2${count}:30.1234567Z, ` +
            `assertion valid from 2026-11-28T0${count}:00:00.0000000Z.\r\nTrace ID: 0000000${count}-7a1c-4c1f-9d3e-aaaaaaaaaaaa`,
        },
      },
    });
  };
  const flags = ['--custom-user-agent=volatile'];
  answer();
  const first = await messageOf({ objects: one, flags });
  answer();
  expect(await messageOf({ objects: one, flags })).toBe(first);
  expect(first).toContain('; the server says: Client assertion is not');
  expect(world.log.at(-1)).toMatch(/"remoteCode":"AADSTS700024"/);
});
