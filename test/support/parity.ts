/**
 * Checks facts about the official provider, one per row: each row mounts objects and compares the result.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createLogger } from '../../src/cli/logging.ts';
import { createProvider, type ProviderSurroundings } from '../../src/cli/provider.ts';
import { parseServeFlags } from '../../src/cli/serve-flags.ts';
import { type CallOptions, connectProvider, type ProviderClient } from '../../src/driver/client.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/emulator.ts';
import { startServer } from '../../src/server/server.ts';
import type { MountRequest, MountResponse } from '../../src/wire/contract.ts';
import type { ClusterApi } from './cluster-api.ts';
import { tokenKey } from './pki.ts';
import { call, grpcClient } from './server.ts';

export const TENANT = '11111111-1111-1111-1111-111111111111';
export const CLIENT = '22222222-2222-2222-2222-222222222222';
export const CLIENT_SECRET = 'Pr1ncipal~Secret';
export const VAULT = 'parity-vault';
const KUBELET = 'csi.storage.k8s.io/';
/** Time limit of a Mount, in milliseconds: a little less than the two minutes of the kubelet. */
export const KUBELET_MS = 110_000;

/** Returns the YAML of a vault in which one service principal may read everything, and the additions of the test. */
export function seedWith({ vault = '', identities = '', rest = '' } = {}): string {
  return `
tenants:
  - id: "${TENANT}"
    identities:
      - {name: app, clientId: "${CLIENT}", secrets: [{value: "${CLIENT_SECRET}"}]}
${identities}
vaults:
  - name: ${VAULT}
    tenant: "${TENANT}"
    grants:
      - {identity: app, secrets: all, keys: all, certificates: all}
${vault}
${rest}`;
}

/** An object of the `objects` parameter. */
export type Item = Readonly<Record<string, unknown>>;

/** The parts of a Mount request that differ from the default. */
export interface Asked {
  /** Items, each of which becomes one text, or the whole parameter as text. */
  readonly objects?: readonly Item[] | string | undefined;
  /** Overrides of the default parameters. Undefined removes a parameter. */
  readonly parameters?: Readonly<Record<string, string | undefined>> | undefined;
  readonly secrets?: Readonly<Record<string, string>> | string | null;
  readonly permission?: string;
  /** Arguments of `serve`. */
  readonly flags?: readonly string[];
}

/** The result of a Mount. */
export type Outcome =
  | { readonly kind: 'mounted'; readonly response: MountResponse }
  | { readonly kind: 'failed'; readonly code: status; readonly message: string };

/** An emulator, and providers that can reach no other Azure. */
export interface ParityWorld {
  readonly emulator: Emulator;
  /** All log lines of all providers, as JSON. */
  readonly log: readonly string[];
  readonly directory: string;
  /** Returns a provider with these arguments of `serve`. Equal arguments return the same provider. */
  provider(flags?: readonly string[]): Promise<ProviderClient>;
  mount(asked: Asked, options?: CallOptions): Promise<Outcome>;
  /**
   * Mounts with a time limit that the request names, in milliseconds. The caller waits for longer, so that the provider
   * answers first on a busy machine too.
   */
  mountWithin(limitMs: number, asked: Asked): Promise<Outcome>;
  /** Adds a secret that looks like the secret of a certificate. */
  certificateSecret(name: string, value: string, contentType?: string): void;
  close(): Promise<void>;
}

/** Starts an emulator. With an API server, the providers are in that cluster. */
export async function openWorld(
  seed: string,
  options: Partial<EmulatorOptions> = {},
  cluster?: Pick<ClusterApi, 'env' | 'serviceAccountDir'>,
): Promise<ParityWorld> {
  const emulator = await startEmulator({ seed, tokenKey: tokenKey(), ...options });
  const directory = mkdtempSync(join(tmpdir(), 'akv-parity-'));
  const file = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const env = {
    SSL_CERT_FILE: file('ca.pem', emulator.caPem),
    AZURE_ENVIRONMENT_FILEPATH: file('cloud.json', emulator.cloudFile),
    ...cluster?.env,
  };
  const log: string[] = [];
  const providers = new Map<string, Promise<Running>>();
  const running = (flags: readonly string[]) => {
    const key = flags.join(' ');
    const known = providers.get(key);
    if (known !== undefined) return known;
    const path = join(directory, `${providers.size}.sock`);
    const started = startProvider({
      flags,
      path,
      env,
      ...(cluster && { serviceAccountDir: cluster.serviceAccountDir }),
      write: (line) => log.push(line),
    });
    providers.set(key, started);
    return started;
  };
  const provider = async (flags: readonly string[] = []) => (await running(flags)).client;
  const outcomeOf = (answer: Promise<MountResponse>): Promise<Outcome> =>
    answer.then(
      (response) => ({ kind: 'mounted', response }),
      ({ code, details }: ServiceError) => ({ kind: 'failed', code, message: details }),
    );
  return {
    emulator,
    log,
    directory,
    provider,
    async mount({ flags = [], ...asked }, options = {}) {
      const client = await provider(flags);
      return outcomeOf(client.mount(requestOf(asked), { deadlineMs: KUBELET_MS, ...options }));
    },
    async mountWithin(limitMs, { flags = [], ...asked }) {
      const client = grpcClient(`unix:${(await running(flags)).path}`);
      return outcomeOf(call(client, 'Mount', requestOf(asked), { metadata: { 'grpc-timeout': `${limitMs}m` } }));
    },
    certificateSecret(name, value, contentType) {
      emulator.setSecret(VAULT, name, value, contentType === undefined ? {} : { contentType });
      const kid = `${emulator.vaultUrl(VAULT)}/keys/${name}/0123456789abcdef0123456789abcdef`;
      emulator.faults.add({ on: 'vault', object: name, path: '/secrets/', action: { kind: 'edit', set: { kid } } });
    },
    async close() {
      for (const one of providers.values()) await (await one).close();
      await emulator.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Running {
  readonly path: string;
  readonly client: ProviderClient;
  close(): Promise<void>;
}

interface Start extends Pick<ProviderSurroundings, 'env' | 'serviceAccountDir'> {
  readonly flags: readonly string[];
  readonly path: string;
  readonly write: (line: string) => void;
}

/** Starts the provider as `serve` does, with a socket but without a cache of values. */
async function startProvider({ flags, path, write, ...surroundings }: Start): Promise<Running> {
  const defaults = ['--cloud-name=AzureStackCloud', '--cache-ttl=0s', '--pinned-cache-ttl=0s', '--max-stale=0s'];
  const settings = parseServeFlags([...defaults, ...flags]);
  const log = createLogger({ json: true, verbosity: settings.verbosity, stdout: write, stderr: write });
  const provider = await createProvider(settings, {
    ...surroundings,
    log,
    telemetry: silentTelemetry,
    clock: systemClock,
  });
  const server = await startServer({
    endpoint: { kind: 'unix', path },
    mount: provider.mount,
    version: '0.0.0',
    log,
    meter: { callStarted() {}, callEnded() {} },
    drainMs: 0,
  });
  const client = connectProvider(`unix://${path}`);
  return {
    path,
    client,
    async close() {
      client.close();
      await server.stop();
      await provider.close();
    },
  };
}

/** Returns the default request of a driver: a service principal, the test vault, and the given objects. */
export function requestOf({ objects, parameters = {}, secrets, permission = '420' }: Asked): MountRequest {
  const text = typeof objects === 'string' || objects === undefined ? objects : objectsText(objects);
  const attributes: Record<string, string | undefined> = {
    keyvaultName: VAULT,
    tenantID: TENANT,
    objects: text,
    secretProviderClass: 'parity',
    [`${KUBELET}pod.name`]: 'web-0',
    [`${KUBELET}pod.namespace`]: 'prod',
    [`${KUBELET}pod.uid`]: '33333333-3333-3333-3333-333333333333',
    [`${KUBELET}serviceAccount.name`]: 'web',
    [`${KUBELET}ephemeral`]: 'true',
    ...parameters,
  };
  return {
    attributes: JSON.stringify(attributes),
    secrets: secretsText(secrets),
    targetPath: '/var/lib/kubelet/pods/33333333/volumes/kubernetes.io~csi/secrets/mount',
    permission,
    currentObjectVersion: [],
  };
}

/** Returns `objects` in the classic form: a list of texts, each of which is a YAML map. */
export function objectsText(items: readonly Item[]): string {
  return stringify({ array: items.map((item) => stringify(item)) });
}

function secretsText(secrets: Asked['secrets']): string {
  if (typeof secrets === 'string') return secrets;
  return JSON.stringify(secrets === undefined ? { clientid: CLIENT, clientsecret: CLIENT_SECRET } : secrets);
}

/** Returns the attribute that contains service account tokens. */
export function tokensParameter(tokens: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(tokens).map(([audience, token]) => [
    audience,
    { token, expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() },
  ]);
  return { [`${KUBELET}serviceAccount.tokens`]: JSON.stringify(Object.fromEntries(entries)) };
}

/** One fact: the content of the vault, the request, and the expected result. */
export interface Row extends Asked {
  readonly fact: string;
  readonly given?: (world: ParityWorld) => unknown;
  /** Every file, in the order of the response. Texts are UTF-8, patterns must match. */
  readonly files?: Readonly<Record<string, string | Buffer | RegExp>> | undefined;
  readonly modes?: readonly number[];
  /** `<id> <version>` of each object version in the response, in its order. A trailing `*` means any version. */
  readonly versions?: readonly string[];
  readonly fails?: { readonly code: status; readonly says: readonly (string | RegExp)[] };
  /** Number of requests to vaults. Absent: any number. */
  readonly vaultRequests?: number;
}

/** Codes that the kubelet treats as not final. */
const NOT_FINAL: readonly status[] = [1, 4, 8, 10, 14];

/** Mounts a row and compares the result. */
export async function checkRow(world: ParityWorld, row: Row): Promise<void> {
  await row.given?.(world);
  world.emulator.requests.clear();
  const outcome = await world.mount(row);
  checkOutcome(outcome, row);
  if (row.vaultRequests !== undefined) {
    const asked = world.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ path }) => path);
    expect(asked).toHaveLength(row.vaultRequests);
  }
}

/** Compares a result with a row. */
export function checkOutcome(outcome: Outcome, { files, modes, versions, fails }: Row): void {
  if (outcome.kind === 'failed') {
    expect(NOT_FINAL).not.toContain(outcome.code);
    expect(outcome.message).not.toContain(CLIENT_SECRET);
  }
  if (fails !== undefined) {
    expect(outcome).toMatchObject({ kind: 'failed' });
    if (outcome.kind !== 'failed') return;
    for (const text of fails.says) {
      if (typeof text === 'string') expect(outcome.message).toContain(text);
      else expect(outcome.message).toMatch(text);
    }
    expect(outcome.code).toBe(fails.code);
    return;
  }
  expect(outcome).toMatchObject({ kind: 'mounted' });
  if (outcome.kind !== 'mounted') return;
  const { response } = outcome;
  expect(response.files.map(({ path }) => path)).toEqual(Object.keys(files ?? {}));
  for (const { path, contents } of response.files) {
    const expected = files?.[path];
    if (Buffer.isBuffer(expected)) expect(contents.toString('hex')).toBe(expected.toString('hex'));
    else if (expected instanceof RegExp) expect(contents.toString()).toMatch(expected);
    else expect(contents.toString()).toBe(expected);
  }
  if (modes !== undefined) expect(response.files.map(({ mode }) => mode)).toEqual(modes);
  if (versions !== undefined) {
    const given = response.objectVersion.map(({ id, version }) => `${id} ${version}`);
    expect(given).toEqual(
      versions.map((one) => (one.endsWith('*') ? expect.stringMatching(`^${one.slice(0, -1)}[^/ ]+$`) : one)),
    );
  }
}
