import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { publish } from '../../src/driver/publish.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { SUBJECT, TENANT, WORKLOAD } from '../support/azure.ts';
import { POD, startWorld, type World } from '../support/e2e.ts';

const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - name: workload
        clientId: "${WORKLOAD}"
        federated: [{subject: "${SUBJECT}"}]
vaults:
  - name: lab-vault
    tenant: "${TENANT}"
    grants: [{identity: workload, secrets: [get]}]
    secrets: [{name: password, value: known}]
`;
const PARAMETERS = {
  keyvaultName: 'lab-vault',
  tenantID: TENANT,
  clientID: WORKLOAD,
  cloudName: 'AzureStackCloud',
  objects: 'array:\n  - {objectName: password, objectType: secret}',
};

/** Mounts as a new pod of a service account, with a token that nobody has seen. Returns the contents of its files. */
async function mountPod(world: World, name: string, subject = SUBJECT): Promise<readonly string[]> {
  const token = world.emulator.issueServiceAccountToken({ subject, audience: WORKLOAD_IDENTITY_AUDIENCE });
  const [, , namespace = '', serviceAccount = ''] = subject.split(':');
  const { files } = await publish(world.client, {
    parameters: PARAMETERS,
    pod: { ...POD, name, namespace, serviceAccount },
    tokens: new Secret(JSON.stringify({ [WORKLOAD_IDENTITY_AUDIENCE]: { token } })),
    targetDir: `${world.directory}/${name}`,
  });
  return files.map(({ contents }) => Buffer.from(contents).toString());
}

function away(world: World, ...services: ('entra' | 'vault')[]): void {
  for (const on of services) world.emulator.faults.add({ on, unauthenticated: true, action: { kind: 'drop' } });
}

/** Starts the program, and mounts a first pod of the service account. */
async function start(...flags: readonly string[]): Promise<World> {
  const world = await startWorld({ seed: SEED, serveArgs: ['--cache-ttl=0', '-v=2', ...flags] });
  expect(await mountPod(world, 'first')).toEqual(['known']);
  return world;
}

const REFUSED = { message: expect.stringMatching(/Cannot log in as .*Entra ID at .* did not answer/s) };

describe('the program, while Entra ID is away', () => {
  let world: World;
  beforeAll(async () => {
    world = await start();
    await vi.waitUntil(() => world.provider.log().includes('The keys of an issuer are kept'), { timeout: 60_000 });
  });
  afterAll(() => world.close());

  it('mounts a new pod of a known service account, and says so in the log', async () => {
    away(world, 'entra', 'vault');
    expect(await mountPod(world, 'both-away')).toEqual(['known']);
    world.emulator.faults.clear();
    away(world, 'entra');
    world.emulator.requests.clear();
    expect(await mountPod(world, 'entra-away')).toEqual(['known']);
    expect(world.emulator.requests.filter(({ kind }) => kind === 'vault')).toEqual([]);
    const lines = world.provider.log().split('\n');
    for (const pod of ['both-away', 'entra-away']) {
      expect(lines.filter((line) => line.includes(`pod=${pod}`)).join('\n')).toMatch(/last known/i);
    }
  });

  it('refuses a pod of another service account, and names Entra ID', async () => {
    away(world, 'entra');
    await expect(mountPod(world, 'other', 'system:serviceaccount:default:other')).rejects.toMatchObject(REFUSED);
  });
});

describe('the program with --verify-tokens-offline=false, while Entra ID is away', () => {
  let world: World;
  beforeAll(async () => {
    world = await start('--verify-tokens-offline=false');
  });
  afterAll(() => world.close());

  it('refuses a new pod, and has asked no issuer for its keys', async () => {
    away(world, 'entra');
    await expect(mountPod(world, 'new')).rejects.toMatchObject(REFUSED);
    expect(world.emulator.requests.filter(({ kind }) => kind === 'issuer')).toEqual([]);
  });
});
