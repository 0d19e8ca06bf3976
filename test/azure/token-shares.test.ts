import { expect, it, onTestFinished } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { Outages } from '../../src/azure/http/outages.ts';
import { SilentHosts } from '../../src/azure/http/silent-hosts.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { noOfflineProof } from '../../src/azure/login/offline-proof.ts';
import { TokenPool } from '../../src/azure/login/token-pool.ts';
import { Vouchers } from '../../src/azure/login/vouchers.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { resolveCloud } from '../../src/spc/cloud.ts';
import { READER, TENANT } from '../support/azure.ts';
import { manualClock } from '../support/clocks.ts';
import { tokenKey } from '../support/pki.ts';

const SECRETS = Array.from({ length: 30 }, (_, i) => `secret-${i}`);
const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - {name: app, clientId: "${READER}", secrets: [${SECRETS.map((value) => `{value: ${value}}`).join(', ')}]}
vaults: []
`;

/** A pool of eight tokens, in front of an emulator whose application has thirty secrets: as many principals. */
async function pool() {
  const clock = manualClock();
  const sweeper = new Sweeper(clock);
  const emulator = await startEmulator({ seed: SEED, tokenKey: tokenKey(), clock });
  const agents = new Agents([emulator.caPem]);
  onTestFinished(async () => {
    agents.close();
    await emulator.close();
  });
  const client = createTransport({ agents, userAgent: 'test', telemetry: silentTelemetry, timeoutMs: 30_000 });
  const tokens = new TokenPool({
    transport: { client, tokenProxy: async () => client, tokenProxyHost: '', nmiHost: '', clock },
    silent: new SilentHosts(sweeper),
    outages: new Outages(sweeper),
    vouchers: new Vouchers({ sweeper, offlineProof: noOfflineProof, maxStaleMs: 0 }),
    telemetry: silentTelemetry,
    clock,
    sweeper,
    maxTokens: 8,
  });
  const cloud = resolveCloud('AzureStackCloud', { name: 'cloud', text: emulator.cloudFile });
  const resource = cloud.vaultResource;
  const loginOf = (index: number, namespace: string) => {
    const clientSecret = new Secret(SECRETS[index] ?? '');
    return tokens.login(
      { kind: 'service-principal', tenantId: TENANT, clientId: READER, clientSecret },
      cloud,
      namespace,
    );
  };
  return {
    logIn: (index: number, namespace: string) =>
      loginOf(index, namespace).token({ resource, signal: new AbortController().signal }),
    has: (index: number) => loginOf(index, '').has(resource),
  };
}

it('a namespace that logs in with many identities pushes out its own tokens, and none of others', async () => {
  const { logIn, has } = await pool();
  const own = [0, 1, 2];
  for (const index of own) await logIn(index, 'prod');
  for (let index = 3; index < SECRETS.length; index++) await logIn(index, 'thief');
  expect(own.map(has)).toEqual([true, true, true]);
  expect(SECRETS.filter((_, index) => has(index))).toHaveLength(8);
});

it('many namespaces with one identity each push out the tokens that are used least', async () => {
  const { logIn, has } = await pool();
  await logIn(0, 'prod');
  for (let index = 1; index < SECRETS.length; index++) {
    await logIn(index, `thief-${index}`);
    await logIn(0, 'prod');
    expect(has(0)).toBe(true);
  }
});
