import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createLogger } from '../../src/cli/logging.ts';
import { createProvider } from '../../src/cli/provider.ts';
import { parseServeFlags } from '../../src/cli/serve-flags.ts';
import { type CallOptions, connectProvider, type ProviderClient } from '../../src/driver/client.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/emulator.ts';
import { startServer } from '../../src/server/server.ts';
import type { MountRequest, MountResponse } from '../../src/wire/contract.ts';
import { tokenKey } from './pki.ts';

export const TENANT = '11111111-1111-1111-1111-111111111111';
export const CLIENT = '22222222-2222-2222-2222-222222222222';
export const CLIENT_SECRET = 'Pr1ncipal~Secret';
export const VAULT = 'parity-vault';
const KUBELET = 'csi.storage.k8s.io/';
/** Time limit of a Mount, in milliseconds: a little less than the two minutes of the kubelet. */
export const KUBELET_MS = 110_000;

/** YAML of one vault that one service principal may read everything in, and what the test adds. */
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

/** What the driver asks, where it is not the usual. */
export interface Asked {
  /** Items, each as a text of its own; or the whole parameter. */
  readonly objects?: readonly Item[] | string | undefined;
  /** Over the usual parameters; undefined takes one away. */
  readonly parameters?: Readonly<Record<string, string | undefined>> | undefined;
  readonly secrets?: Readonly<Record<string, string>> | string | null;
  readonly permission?: string;
  /** Arguments of `serve`. */
  readonly flags?: readonly string[];
}

/** What came back. */
export type Outcome =
  | { readonly kind: 'mounted'; readonly response: MountResponse }
  | { readonly kind: 'failed'; readonly code: status; readonly message: string };

/** The emulator, and providers that know no other Azure. */
export interface ParityWorld {
  readonly emulator: Emulator;
  /** All log lines of all providers, as JSON. */
  readonly log: readonly string[];
  readonly directory: string;
  /** A provider with these arguments of `serve`; equal arguments give the same one. */
  provider(flags?: readonly string[]): Promise<ProviderClient>;
  mount(asked: Asked, options?: CallOptions): Promise<Outcome>;
  /** Puts a secret into the vault that looks as if a certificate stood behind it. */
  certificateSecret(name: string, value: string, contentType?: string): void;
  close(): Promise<void>;
}

/** Opens a world. */
export async function openWorld(seed: string, options: Partial<EmulatorOptions> = {}): Promise<ParityWorld> {
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
  };
  const log: string[] = [];
  const providers = new Map<string, Promise<Running>>();
  const running = (flags: readonly string[]) => {
    const key = flags.join(' ');
    const known = providers.get(key);
    if (known !== undefined) return known;
    const path = join(directory, `${providers.size}.sock`);
    const started = startProvider({ flags, path, env, write: (line) => log.push(line) });
    providers.set(key, started);
    return started;
  };
  const provider = async (flags: readonly string[] = []) => (await running(flags)).client;
  return {
    emulator,
    log,
    directory,
    provider,
    async mount({ flags = [], ...asked }, options = {}) {
      const client = await provider(flags);
      return client.mount(requestOf(asked), { deadlineMs: KUBELET_MS, ...options }).then(
        (response): Outcome => ({ kind: 'mounted', response }),
        ({ code, details }: ServiceError): Outcome => ({ kind: 'failed', code, message: details }),
      );
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
  readonly client: ProviderClient;
  close(): Promise<void>;
}

interface Start {
  readonly flags: readonly string[];
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly write: (line: string) => void;
}

/** The provider behind a socket, as `serve` puts it together; what a vault said is not remembered. */
async function startProvider({ flags, path, env, write }: Start): Promise<Running> {
  const defaults = ['--cloud-name=AzureStackCloud', '--cache-ttl=0s', '--pinned-cache-ttl=0s'];
  const settings = parseServeFlags([...defaults, ...flags]);
  const log = createLogger({ json: true, verbosity: settings.verbosity, stdout: write, stderr: write });
  const provider = await createProvider(settings, { env, log, telemetry: silentTelemetry, clock: systemClock });
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
    client,
    async close() {
      client.close();
      await server.stop();
      await provider.close();
    },
  };
}

/** The usual request of a driver: a service principal, our vault, the objects asked for. */
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

/** The classic form: a list of texts, each a YAML map of its own. */
export function objectsText(items: readonly Item[]): string {
  return stringify({ array: items.map((item) => stringify(item)) });
}

function secretsText(secrets: Asked['secrets']): string {
  if (typeof secrets === 'string') return secrets;
  return JSON.stringify(secrets === undefined ? { clientid: CLIENT, clientsecret: CLIENT_SECRET } : secrets);
}

/** The attribute that carries service-account tokens. */
export function tokensParameter(tokens: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(tokens).map(([audience, token]) => [
    audience,
    { token, expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() },
  ]);
  return { [`${KUBELET}serviceAccount.tokens`]: JSON.stringify(Object.fromEntries(entries)) };
}

/** One fact: what is in the vault and asked of the provider, and what has to come of it. */
export interface Row extends Asked {
  readonly fact: string;
  readonly given?: (world: ParityWorld) => unknown;
  /** Every file in the order of the answer; texts are UTF-8, patterns match. */
  readonly files?: Readonly<Record<string, string | Buffer | RegExp>> | undefined;
  readonly modes?: readonly number[];
  /** `<id> <version>` of each row of the answer, in its order; a trailing `*` stands for any version. */
  readonly versions?: readonly string[];
  readonly fails?: { readonly code: status; readonly says: readonly (string | RegExp)[] };
  /** Requests that vaults may see; absent: any number. */
  readonly vaultRequests?: number;
}

/** Codes the kubelet takes as "perhaps still going on". */
const NEVER: readonly status[] = [1, 4, 8, 10, 14];

/** Asks what the row asks and holds the answer against it. */
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

/** Holds an answer against a row. */
export function checkOutcome(outcome: Outcome, { files, modes, versions, fails }: Row): void {
  if (outcome.kind === 'failed') {
    expect(NEVER).not.toContain(outcome.code);
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
