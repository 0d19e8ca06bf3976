/**
 * The Mounts of the soak: what each worker asks for, and how it checks the answer. `soak.ts` starts the workers.
 */
import { X509Certificate } from 'node:crypto';
import { type ServiceError, status } from '@grpc/grpc-js';
import { Secret } from '../../src/base/secret.ts';
import { mountRequestOf } from '../../src/driver/publish.ts';
import type { MountRequest, MountResponse } from '../../src/wire/contract.ts';
import type { SoakProvider } from './process.ts';
import { AUDIENCE, OWNERS, type Owner, type SoakWorld, TENANT } from './world.ts';

const DEADLINE_MS = 15_000;
/** Causes of a failure while services fail, or just after it. */
const BY_FAULT: readonly number[] = [status.UNKNOWN];

/** Counts what the workers saw. */
export class Tally {
  mounted = 0;
  failed = 0;
  /** Wrong values and unexpected failures; each text counts once. */
  readonly wrong = new Map<string, number>();

  fault(text: string): void {
    this.wrong.set(text, (this.wrong.get(text) ?? 0) + 1);
  }
}

/** The parts that all workers share. */
export interface Soak {
  readonly provider: SoakProvider;
  readonly world: SoakWorld;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** One kind of Mount. */
interface Task {
  readonly request: MountRequest;
  /** Returns what is wrong with the answer. */
  readonly check: (answer: MountResponse, startedAt: number) => string | undefined;
  /** The code of the failure that must come; undefined if the Mount must succeed. */
  readonly code?: status;
  /** The caller leaves after this time, in milliseconds. */
  readonly leaveAfterMs?: number;
}

/** Mounts until the signal aborts. */
export async function runWorker(number: number, soak: Soak): Promise<void> {
  for (let turn = number; !soak.signal.aborted; turn++) {
    const owner = OWNERS[turn % OWNERS.length];
    if (owner !== undefined) await mountOnce(taskOf(turn, owner, soak.world), soak);
  }
}

async function mountOnce({ request, check, code, leaveAfterMs }: Task, { provider, world, tally }: Soak) {
  const startedAt = performance.now();
  try {
    const signal = leaveAfterMs === undefined ? undefined : AbortSignal.timeout(leaveAfterMs);
    const answer = await provider.client.mount(request, { deadlineMs: DEADLINE_MS, ...(signal && { signal }) });
    tally.mounted++;
    const fault = code === undefined ? check(answer, startedAt) : `a Mount succeeded that must end with code ${code}`;
    if (fault !== undefined) tally.fault(fault);
  } catch (error) {
    const { code: seen, details } = error as ServiceError;
    const expected =
      seen === code ||
      (leaveAfterMs !== undefined && seen === status.CANCELLED) ||
      (BY_FAULT.includes(seen) && world.disturbed(startedAt));
    if (expected) tally.failed++;
    else tally.fault(`code ${seen}: ${details}`);
  }
}

const KINDS = ['values', 'values', 'certificate', 'workload', 'workload', 'absent', 'stranger', 'leaves'] as const;

function taskOf(turn: number, owner: Owner, world: SoakWorld): Task {
  const kind = KINDS[Math.floor(turn / OWNERS.length) % KINDS.length];
  const values = { request: requestOf(owner, world.names), check: checkValues(owner, world) };
  switch (kind) {
    case 'certificate':
      return { request: requestOf(owner, ['web']), check: checkCertificate(owner) };
    case 'workload':
      return { ...values, request: requestOf(owner, world.names, { token: world.tokenOf(owner) }) };
    case 'absent':
      return { ...values, request: requestOf(owner, ['absent']), code: status.NOT_FOUND };
    case 'stranger':
      return {
        ...values,
        request: requestOf({ ...owner, clientSecret: 'wrong' }, world.names),
        code: status.UNAUTHENTICATED,
      };
    case 'leaves':
      return { ...values, leaveAfterMs: turn % 50 };
    default:
      return values;
  }
}

function requestOf(owner: Owner, names: readonly string[], { token }: { token?: string } = {}): MountRequest {
  const items = names.map((objectName) => `  - |\n    objectName: ${objectName}\n    objectType: secret\n`);
  const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
  return mountRequestOf({
    parameters: {
      keyvaultName: owner.vault,
      tenantID: TENANT,
      objects: `array:\n${items.join('')}`,
      ...(token !== undefined && { clientID: owner.workloadClientId }),
    },
    pod: { name: 'app-0', namespace: owner.vault, uid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8', serviceAccount: 'app' },
    targetDir: '/var/lib/kubelet/pods/6ba7b810-9dad-41d1-80b4-00c04fd430c8/volumes/kubernetes.io~csi/v/mount',
    ...(token === undefined
      ? { nodePublishSecret: { clientid: new Secret(owner.clientId), clientsecret: new Secret(owner.clientSecret) } }
      : { tokens: new Secret(JSON.stringify({ [AUDIENCE]: { token, expirationTimestamp } })) }),
  });
}

function checkValues({ vault }: Owner, world: SoakWorld): Task['check'] {
  return ({ files }, startedAt) => {
    if (files.length !== world.names.length) return `${files.length} files instead of ${world.names.length}`;
    for (const { path, contents } of files) {
      const fault = world.faultOf(vault, path, contents.toString(), startedAt);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

function checkCertificate({ vault }: Owner): Task['check'] {
  return ({ files: [file] }) => {
    const pem = file?.contents.toString() ?? '';
    if (!pem.includes('PRIVATE KEY')) return 'a certificate came without its key';
    const { subject } = new X509Certificate(pem.slice(pem.indexOf('-----BEGIN CERTIFICATE')));
    return subject === `CN=${vault}.example` ? undefined : `a certificate of ${subject} came for ${vault}`;
  };
}
