/**
 * An emulator with the provider's client of Azure, for tests of src/azure/.
 */
import { setMaxListeners } from 'node:events';
import { type Azure, type AzureOptions, connectAzure } from '../../src/azure/azure.ts';
import { type Clock, later, systemClock, type WallClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry, type Telemetry } from '../../src/base/telemetry.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { Progress } from '../../src/mount/pending-waits.ts';
import type { FetchContext, FetchedObject, ObjectRef, VaultReader } from '../../src/mount/ports.ts';
import { Snapshot } from '../../src/mount/snapshot.ts';
import { type Cloud, resolveCloud } from '../../src/spc/cloud.ts';
import type { Identity } from '../../src/spc/model.ts';
import { NO_LIMIT } from './mount.ts';
import { tokenKey } from './pki.ts';

/** The tenant of all seeds in this file. */
export const TENANT = '11111111-1111-1111-1111-111111111111';
/** Client id of a service principal that may read everything. */
export const READER = '22222222-2222-2222-2222-222222222222';
/** Client id of a workload identity for the service account default/app. */
export const WORKLOAD = '33333333-3333-3333-3333-333333333333';
/** Subject of the federated credential of {@link WORKLOAD}. */
export const SUBJECT = 'system:serviceaccount:default:app';

/** The pod of all Mounts. */
export const POD = { name: 'web-0', namespace: 'prod', uid: 'u', serviceAccount: 'app' };

const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - name: reader
        clientId: "${READER}"
        secrets: [{value: reader-secret}]
      - name: stranger
        clientId: "55555555-5555-5555-5555-555555555555"
        secrets: [{value: stranger-secret}]
      - name: workload
        clientId: "${WORKLOAD}"
        federated: [{subject: "${SUBJECT}"}]
  - id: "99999999-9999-9999-9999-999999999999"
    identities: []
vaults:
  - name: lab-vault
    tenant: "${TENANT}"
    grants:
      - {identity: reader, secrets: [get, list], keys: [get], certificates: [get]}
      - {identity: workload, secrets: [get]}
    secrets:
${Array.from({ length: 60 }, (_, i) => `      - {name: s${i}, value: value-${i}}`).join('\n')}
      - {name: many, value: many, versions: 60}
  - name: foreign-vault
    tenant: "99999999-9999-9999-9999-999999999999"
    secrets: [{name: s0, value: foreign}]
`;

/** An emulator and the provider's client of it. */
export interface Lab {
  readonly emulator: Emulator;
  readonly azure: Azure;
  readonly cloud: Cloud;
  /** Opens a vault with an identity. */
  open(identity: Identity, vaultName?: string, maxAgeMs?: number, fallbackVaults?: readonly string[]): VaultReader;
  /** Returns the context of a new Mount. */
  context(options?: Partial<FetchContext>): FetchContext;
  /** Counts the authenticated requests in the log, by kind. */
  count(kind: 'vault' | 'entra'): number;
  /** Counts the token requests in the log. */
  tokens(): number;
  close(): Promise<void>;
}

/** A second request would disturb the counts of a test on a busy machine. */
const NEVER_MS = 3_600_000;

/** Settings that tests change. */
export interface LabOptions
  extends Pick<AzureOptions, 'requestTimeoutMs' | 'log' | 'resolve' | 'hedgeMs' | 'developer' | 'tracer'> {
  /** Replaces the seed with sixty secrets. */
  readonly seed?: string;
  /** Additional CAs to trust, PEM. */
  readonly trust?: string;
  /** Additional host names of the emulator. The cloud is then a known one. */
  readonly hosts?: readonly string[];
  /** The known cloud. Default: the public cloud. */
  readonly cloudName?: string;
  /** If true, the emulator's pod-identity endpoint is used as NMI. */
  readonly nmi?: boolean;
  /** If false, the emulator's CA is not trusted. */
  readonly trusted?: boolean;
  readonly cacheTtlMs?: number;
  readonly pinnedCacheTtlMs?: number;
  /** Default: 0, with which no last known value is served. */
  readonly maxStaleMs?: number;
  /** Default: false. */
  readonly verifyTokensOffline?: boolean;
  readonly telemetry?: Telemetry;
  readonly clock?: Clock;
  /** The clock of the emulator, if it differs from the provider's clock. */
  readonly world?: WallClock;
}

/** Starts an emulator with sixty secrets and the provider's client of it. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const {
    cacheTtlMs = 0,
    pinnedCacheTtlMs = 0,
    maxStaleMs = 0,
    verifyTokensOffline = false,
    telemetry = silentTelemetry,
    clock = systemClock,
    seed = SEED,
    trusted = true,
    requestTimeoutMs = 30_000,
    hedgeMs = NEVER_MS,
  } = options;
  const emulator = await startEmulator({
    seed,
    tokenKey: tokenKey(),
    clock: options.world ?? clock,
    hosts: options.hosts ?? [],
  });
  const azure = connectAzure({
    userAgent: 'csi-secrets-store/0.0.0 (linux/amd64)',
    requestTimeoutMs,
    hedgeMs,
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    ...(options.nmi === true ? { nmiHost: new URL(emulator.imdsUrl).host } : {}),
    trust: trusted ? [emulator.caPem, ...(options.trust === undefined ? [] : [options.trust])] : [],
    tokenProxy: { url: '', sniName: '', apiServer: { host: '', port: '' }, caFile: '' },
    cacheTtlMs,
    pinnedCacheTtlMs,
    maxStaleMs,
    verifyTokensOffline,
    ...(options.log === undefined ? {} : { log: options.log }),
    developer: options.developer,
    telemetry,
    tracer: options.tracer,
    clock,
    sweeper: new Sweeper(clock),
  });
  const name = options.hosts === undefined ? 'AzureStackCloud' : (options.cloudName ?? 'AzurePublicCloud');
  const cloud = resolveCloud(name, { name: 'cloud', text: emulator.cloudFile });
  let mounts = 0;
  return {
    emulator,
    azure,
    cloud,
    open: (identity, vaultName = 'lab-vault', maxAgeMs, fallbackVaults) =>
      azure.vaults.open({
        pod: POD,
        cloud,
        tenantId: TENANT,
        identity,
        vaultName,
        vaultUrl: `https://${vaultName}.${cloud.vaultSuffix}`,
        maxAgeMs,
        fallbackVaults,
      }),
    context: ({ signal = new AbortController().signal, ...given } = {}) => ({
      signal: withListeners(signal),
      deadlineAt: later(clock.steady(), 60_000),
      hasty: false,
      progress: new Progress(clock),
      snapshot: new Snapshot(clock),
      mountId: ++mounts,
      memory: NO_LIMIT,
      ...given,
    }),
    count: (kind) => emulator.requests.filter((request) => request.kind === kind).length,
    tokens: () => emulator.requests.filter(({ kind, method }) => kind === 'entra' && method === 'POST').length,
    async close() {
      await azure.close();
      await emulator.close();
    },
  };
}

/** Allows many listeners on the signal of a Mount, as `startBudget` does: all reads of the Mount listen to it. */
function withListeners(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal);
  return signal;
}

/** Returns the service principal that may read everything. */
export function reader(secret = 'reader-secret'): Identity {
  return { kind: 'service-principal', tenantId: TENANT, clientId: READER, clientSecret: new Secret(secret) };
}

/** Returns a service principal that may read nothing. */
export function stranger(): Identity {
  const clientSecret = new Secret('stranger-secret');
  return {
    kind: 'service-principal',
    tenantId: TENANT,
    clientId: '55555555-5555-5555-5555-555555555555',
    clientSecret,
  };
}

/** Returns the workload identity with a pod's token. */
export function workload(token: string): Identity {
  return { kind: 'workload-identity', tenantId: TENANT, clientId: WORKLOAD, token: new Secret(token) };
}

/** Returns a reference to a secret; default: the current version. */
export function secret(name: string, version = ''): ObjectRef {
  return { type: 'secret', name, version };
}

/** Returns the value of a fetched secret. */
export function textOf(fetched: FetchedObject): string {
  return fetched.type === 'secret' ? fetched.value.reveal() : '';
}
