/** Mounts of pods on an emulator whose services go away, for tests of last known values. Each test starts its own. */
import type { TestContext } from 'vitest';
import { Sweeper } from '../../src/base/sweeper.ts';
import { type MountOutcome, silentTelemetry } from '../../src/base/telemetry.ts';
import type { Fault } from '../../src/emulator/host/faults.ts';
import { createMount } from '../../src/mount/mount.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, type LabOptions, READER, SUBJECT, startLab, TENANT, WORKLOAD } from './azure.ts';
import { type ManualClock, manualClock } from './clocks.ts';
import { type KeptLog, keptLog } from './mount.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** A pod, as the driver tells of it. */
export interface Pod {
  readonly names?: readonly string[];
  readonly client?: string;
  readonly secret?: string;
  /** A service-account token: the pod has a workload identity then. */
  readonly token?: string;
  /** Number of versions of each object. */
  readonly history?: number;
  readonly timeoutMs?: number;
}

/** A provider that keeps last known values for an hour, and an emulator whose services a test takes away. */
export interface Outage {
  readonly lab: Lab;
  readonly clock: ManualClock;
  /** Causes of the Mounts with last known values. */
  readonly causes: string[];
  /** Ages of last known values, in milliseconds, one for each Mount. */
  readonly ages: readonly number[];
  readonly log: KeptLog;
  /** Mounts a pod. Throws: the error of the Mount. */
  mounted(pod?: Pod): Promise<{ readonly values: readonly string[]; readonly objectVersions: unknown }>;
  /** Mounts a pod, and returns the error. */
  refused(pod?: Pod): Promise<unknown>;
  /** Puts a fault on the vault. */
  away(action: Fault['action'], more?: Partial<Fault>): void;
  /** Puts a fault on the logins. */
  entra(action: Fault['action']): void;
  /** Returns a service-account token of {@link SUBJECT}. Default: it lasts a day. */
  podToken(expiresInSeconds?: number): string;
}

/** Starts an emulator and a provider of the test, which ends them. */
export async function startOutage(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  options: Pick<LabOptions, 'maxStaleMs'> = {},
): Promise<Outage> {
  const clock = manualClock(Date.now());
  const causes: string[] = [];
  const ages: number[] = [];
  const log = keptLog();
  const telemetry = {
    ...silentTelemetry,
    lastKnownMount: (cause: string) => void causes.push(cause),
    mountFinished: ({ lastKnownAgeMs }: MountOutcome) => void ages.push(lastKnownAgeMs),
  };
  const lab = await startLab({ clock, telemetry, maxStaleMs: HOUR, log: log.log, ...options });
  onTestFinished(() => lab.close());
  const mount = createMount({
    vaults: lab.azure.vaults,
    defaults: { cloudName: 'AzureStackCloud', orderChain: true, split: false },
    readCloudFile: async () => ({ name: 'cloud', text: lab.emulator.cloudFile }),
    certificatePolicy: 'warn',
    telemetry,
    lastKnownServed: (cause) => lab.azure.lastKnownServed(cause),
    clock,
    sweeper: new Sweeper(clock),
    log: log.log,
  });
  const mounted = async (pod: Pod = {}) => {
    const { timeoutMs = 100_000 } = pod;
    const { files, objectVersions } = await mount(requestOf(pod), { timeoutMs, signal: new AbortController().signal });
    return { values: files.map(({ contents }) => contents.toString()), objectVersions };
  };
  return {
    lab,
    clock,
    causes,
    ages,
    log,
    mounted,
    refused: (pod) =>
      mounted(pod).then(
        () => 'served',
        (error: unknown) => error,
      ),
    away: (action, more = {}) => void lab.emulator.faults.add({ on: 'vault', action, ...more }),
    entra: (action) => void lab.emulator.faults.add({ on: 'entra', method: 'POST', action }),
    podToken: (expiresInSeconds = 24 * 3600) =>
      lab.emulator.issueServiceAccountToken({
        subject: SUBJECT,
        audience: WORKLOAD_IDENTITY_AUDIENCE,
        expiresInSeconds,
      }),
  };
}

/** Returns the request of the driver for a pod. */
function requestOf({ names = ['s1'], client = READER, secret = 'reader-secret', token, history = 0 }: Pod) {
  const objects = names.map(
    (name) => `  - {objectName: ${name}, objectType: secret, objectVersionHistory: ${history}}\n`,
  );
  const tokens = { [WORKLOAD_IDENTITY_AUDIENCE]: { token, expirationTimestamp: '2100-01-01T00:00:00Z' } };
  const identity =
    token === undefined
      ? {}
      : { clientID: WORKLOAD, 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(tokens) };
  const attributes = {
    keyvaultName: 'lab-vault',
    tenantID: TENANT,
    cloudEnvFileName: 'cloud',
    objects: `array:\n${objects.join('')}`,
    'csi.storage.k8s.io/pod.name': 'web-0',
    'csi.storage.k8s.io/pod.namespace': 'prod',
    ...identity,
  };
  const secrets = token === undefined ? JSON.stringify({ clientid: client, clientsecret: secret }) : '{}';
  return { attributes: JSON.stringify(attributes), secrets, permission: '420' };
}

/** Returns the answer of a service with this status. */
export const answer = (status: number, headers: Record<string, string> = {}) =>
  ({ kind: 'answer', status, headers }) as const;
