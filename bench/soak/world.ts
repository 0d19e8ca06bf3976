/**
 * The data of the soak: two vaults of two owners, and values that tell where they come from and how old they are.
 * `soak.ts` makes it; the workers check answers with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Emulator } from '../../src/emulator/emulator.ts';

export const TENANT = '11111111-1111-1111-1111-111111111111';
export const AUDIENCE = 'api://AzureADTokenExchange';
/** The lifetime of cached values in the soak, in milliseconds. */
export const CACHE_TTL_MS = 1_000;
/**
 * After a fault, the provider may serve last known good values for a while: until its pause for the host is over, and the
 * value is read again.
 */
const AFTER_FAULT_MS = 30_000;
/** Time that a loaded machine may add between a change in the vault and the check of an answer. */
const SLACK_MS = 10_000;
const ROTATION_MS = 500;
const SECRETS = 10;

/** An owner of a vault, with its identities. */
export interface Owner {
  readonly vault: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly workloadClientId: string;
  readonly subject: string;
}

export const OWNERS: readonly Owner[] = ['red', 'blue'].map((vault, n) => ({
  vault,
  clientId: `22222222-2222-2222-2222-00000000000${n}`,
  clientSecret: `Soak~Secret~${vault}`,
  workloadClientId: `33333333-3333-3333-3333-00000000000${n}`,
  subject: `system:serviceaccount:${vault}:app`,
}));

/** Returns the seed of the emulator. */
export function seedOf(): string {
  const identities = OWNERS.flatMap(({ vault, clientId, clientSecret, workloadClientId, subject }) => [
    { name: `${vault}-principal`, clientId, secrets: [{ value: clientSecret }] },
    { name: `${vault}-workload`, clientId: workloadClientId, federated: [{ subject }] },
  ]);
  const vaults = OWNERS.map(({ vault }) => ({
    name: vault,
    tenant: TENANT,
    grants: ['principal', 'workload'].map((kind) => ({
      identity: `${vault}-${kind}`,
      secrets: ['get', 'list'],
      certificates: ['get'],
    })),
    secrets: names().map((name) => ({ name, value: soakValue(vault, name, 0) })),
    certificates: [{ name: 'web', subject: `CN=${vault}.example` }],
  }));
  return JSON.stringify({ tenants: [{ id: TENANT, identities }], vaults });
}

function names(): readonly string[] {
  return Array.from({ length: SECRETS }, (_, n) => `secret-${n}`);
}

function soakValue(vault: string, name: string, sequence: number): string {
  return `${vault}/${name}/${sequence}/`.padEnd(50 + ((sequence * 997) % 9000), 'x');
}

/** The history of the values in the vaults. */
export class SoakWorld {
  readonly names = names();
  /** True if the provider may serve last known good values. */
  staleAllowed = false;
  readonly #emulator: Emulator;
  /** By vault and name: the time at which each value was replaced, in milliseconds of `performance.now()`. */
  readonly #replacedAt = new Map<string, number[]>();
  #faultUntil = 0;

  constructor(emulator: Emulator) {
    this.#emulator = emulator;
  }

  /** A token as the kubelet gives it to a pod of the owner. */
  tokenOf({ subject }: Owner): string {
    return this.#emulator.issueServiceAccountToken({ subject, audience: AUDIENCE });
  }

  /** Tells that services begin to fail. */
  faultBegins(): void {
    this.#faultUntil = Number.POSITIVE_INFINITY;
  }

  /** Tells that services fail no longer. */
  faultEnds(): void {
    this.#faultUntil = performance.now();
  }

  /** True if services fail, or have failed shortly before `since`, in milliseconds of `performance.now()`. */
  disturbed(since: number): boolean {
    return since < this.#faultUntil + AFTER_FAULT_MS;
  }

  /** Gives objects new values until the signal aborts. */
  async rotate(signal: AbortSignal): Promise<void> {
    for (let turn = 0; !signal.aborted; turn++) {
      const { vault } = OWNERS[turn % OWNERS.length] ?? { vault: '' };
      const name = this.names[Math.floor(Math.random() * SECRETS)] ?? '';
      const history = this.#historyOf(vault, name);
      this.#emulator.setSecret(vault, name, soakValue(vault, name, history.length + 1));
      history.push(performance.now());
      if (turn % 20 === 0) await this.#emulator.rotateCertificate(vault, 'web');
      await sleep(ROTATION_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Returns what is wrong with a value that a Mount delivered, if anything. `startedAt` is when the Mount began. */
  faultOf(vault: string, name: string, value: string, startedAt: number): string | undefined {
    const [of, object, number] = value.split('/');
    const sequence = Number(number);
    if (of !== vault || object !== name) return `got the value of ${of}/${object} for ${vault}/${name}`;
    if (value !== soakValue(vault, name, sequence)) return `the value of ${vault}/${name} is damaged`;
    const history = this.#historyOf(vault, name);
    // The emulator has a value a moment before the history has it.
    if (sequence > history.length + 1) return `${vault}/${name} has a value from the future`;
    const replacedAt = history[sequence] ?? Number.POSITIVE_INFINITY;
    const age = startedAt - replacedAt;
    if (age > CACHE_TTL_MS + SLACK_MS && !(this.staleAllowed && this.disturbed(startedAt)))
      return `a value of ${vault}/${name} was delivered that was replaced over ${(CACHE_TTL_MS + SLACK_MS) / 1000} s before`;
    return undefined;
  }

  #historyOf(vault: string, name: string): number[] {
    const key = `${vault}/${name}`;
    const history = this.#replacedAt.get(key) ?? [];
    this.#replacedAt.set(key, history);
    return history;
  }
}
