/**
 * An emulator and a provider process, for the end-to-end tests.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import exampleSeed from '../../examples/emulator-seed.yaml?raw';
import { Secret } from '../../src/base/secret.ts';
import { NODE_PUBLISH_SECRET, RESOURCES, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { type ProviderProcess, startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { connectProvider, type ProviderClient } from '../../src/driver/client.ts';
import { type PublishRequest, publish } from '../../src/driver/publish.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { render } from '../../src/render/render.ts';
import type { RenderedVolume } from '../../src/render/volume.ts';
import { tokenKey } from './pki.ts';

/** Directory of the built program. */
export const distDirectory = fileURLToPath(new URL('../../dist', import.meta.url));

/** The pod of volumes in tests that do not depend on the pod. */
export const POD: PublishRequest['pod'] = {
  name: 'broker-0',
  namespace: 'azure-iot-operations',
  uid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
  serviceAccount: 'broker',
};

/** The node-publish secret of the service principal in the example seed. */
export const CREDENTIALS = {
  clientid: new Secret(NODE_PUBLISH_SECRET.clientid),
  clientsecret: new Secret(NODE_PUBLISH_SECRET.clientsecret),
};

/** The identity of {@link CREDENTIALS} in the YAML of a seed. */
export const APP_IDENTITY = `{name: app, clientId: "${NODE_PUBLISH_SECRET.clientid}", secrets: [{value: ${NODE_PUBLISH_SECRET.clientsecret}}]}`;

/** The example seed with EC keys, since RSA keys are slow to make. */
export const EC_SEED = exampleSeed.replaceAll('kty: RSA', 'kty: EC');

/**
 * Returns the YAML of a seed with one vault. `objects`: the lines of its objects, indented by four. `grants`: what
 * {@link APP_IDENTITY} may do there.
 */
export function seedOf(objects: string, grants = 'secrets: [get, list]'): string {
  return `
tenants:
  - {id: "${TENANT}", identities: [${APP_IDENTITY}]}
vaults:
  - name: ${VAULT}
    tenant: "${TENANT}"
    grants: [{identity: app, ${grants}}]
${objects}`;
}

/** Returns the path of the built program. Throws an error that names the command that builds it, if it is missing. */
export function builtProgram(): string {
  const program = join(distDirectory, 'main.js');
  if (!existsSync(program)) throw new Error(`there is no ${program}: run "npm run build" (npm test does it)`);
  return program;
}

/** An emulator and a provider in a separate process, which can reach no other Azure. */
export interface World {
  readonly emulator: Emulator;
  /** Endpoint of the provider, `unix://…`. */
  readonly endpoint: string;
  /** A client that is connected to the provider. */
  readonly client: ProviderClient;
  /** A directory for files of the test. `close` removes it. */
  readonly directory: string;
  readonly provider: Pick<ProviderProcess, 'log' | 'child' | 'stop'>;
  close(): Promise<void>;
}

/** Options of {@link startWorld}. */
export interface WorldOptions {
  /** YAML of the emulator's state. Default: {@link EC_SEED}. */
  readonly seed?: string;
  /** Flags of `serve`. By default the cache is off, so that changes in the vault take effect immediately. */
  readonly serveArgs?: readonly string[];
  /** Additional environment variables of the provider. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts an emulator and a provider, and connects to the provider. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { seed = EC_SEED, serveArgs = ['--cache-ttl=0'], env = {} } = options;
  const program = builtProgram();
  const directory = mkdtempSync(join(tmpdir(), 'akv-e2e-'));
  const undos: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const close = async () => {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
  };
  try {
    const emulator = await startEmulator({ seed, tokenKey: tokenKey() });
    undos.push(() => emulator.close());
    const provider = await startProviderProcess({ program, directory, emulator, args: serveArgs, env });
    undos.push(() => provider.stop());
    const client = connectProvider(provider.endpoint);
    undos.push(() => client.close());
    return { emulator, endpoint: provider.endpoint, client, directory, provider, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Returns the three resources of examples/, rendered for the example seed. */
export function exampleVolumes(): Readonly<Record<'listener' | 'authentication' | 'bridge', RenderedVolume>> {
  const [listener, authentication, bridge] = render(RESOURCES, { directoryId: TENANT }).volumes;
  if (listener === undefined || authentication === undefined || bridge === undefined) throw new Error('no volumes');
  return { listener, authentication, bridge };
}

/** Mounts parameters into a directory as the driver does. Returns the directory and the result. */
export async function mountInto(
  { client, directory }: Pick<World, 'client' | 'directory'>,
  name: string,
  parameters: Readonly<Record<string, string>>,
) {
  const targetDir = join(directory, name);
  const volumeAttributes = { secretProviderClass: name };
  const request = { parameters, volumeAttributes, pod: POD, nodePublishSecret: CREDENTIALS, targetDir };
  return { targetDir, ...(await publish(client, request)) };
}
