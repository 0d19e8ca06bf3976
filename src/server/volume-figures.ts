/**
 * The figures of the volumes of a node for Prometheus: results of their Mounts, and expiries of their objects. The
 * metrics write and read them. Figures of pods that are gone are dropped; nothing tells the provider that a pod ends.
 */

import { Cache } from '../base/cache.ts';
import { type Clock, Lifetime, msSince, type SteadyTime } from '../base/clock.ts';
import type { Sweeper } from '../base/sweeper.ts';
import type { MountOutcome, ObjectExpiry } from '../base/telemetry.ts';
import type { MountRecord } from './instruments.ts';

/** The limit of volumes: those of all pods of a node, and of many that it had within a day. */
const MAX_MOUNTS = 1000;
const MAX_EXPIRIES = 2000;
/** Figures of a volume are kept for a day: without rotation a volume is mounted only once. */
const IDLE_MS = 24 * 3_600_000;
/** The kubelet tries a failed mount again within five minutes. */
const RETRIED_WITHIN_MS = 15 * 60_000;

/** The record of a volume, with what tells whether its pod still mounts it. */
interface KeptRecord {
  readonly record: MountRecord;
  readonly at: SteadyTime;
  /** Over: no Mount came although one was due. The pod is gone, so that its failures and old values concern nobody. */
  readonly due: Lifetime;
}

/** Collects the outcomes of Mounts by volume. */
export class VolumeFigures {
  readonly #clock: Clock;
  readonly #mounts: Cache<KeptRecord>;
  readonly #expiries: Cache<readonly ObjectExpiry[]>;

  constructor(clock: Clock, sweeper: Sweeper) {
    this.#clock = clock;
    this.#mounts = new Cache({ entries: MAX_MOUNTS, idleMs: IDLE_MS, sweeper });
    this.#expiries = new Cache({ entries: MAX_EXPIRIES, idleMs: IDLE_MS, sweeper });
  }

  /** Notes the end of a Mount. */
  record(outcome: MountOutcome): void {
    const { volume, namespace, pod, secretProviderClass, ok, lastKnownAgeMs, finishedAt, expiries } = outcome;
    if (ok) this.#expiries.set(volume, expiries, { count: Math.max(1, expiries.length) });
    else this.#expiries.get(volume);
    const kept = this.#mounts.peek(volume);
    const before = kept?.record;
    const sinceMs = kept === undefined ? 0 : msSince(this.#clock, kept.at);
    // Without rotation, a volume that has its files is never mounted again: only a Mount after a success shows rotation.
    const mayBeLast = ok && before?.consecutiveFailures !== 0;
    const dueMs = mayBeLast ? IDLE_MS : Math.max(RETRIED_WITHIN_MS, 3 * sinceMs);
    this.#mounts.set(volume, {
      record: {
        names: { namespace, pod, secretProviderClass },
        lastSuccessAt: ok ? finishedAt : before?.lastSuccessAt,
        consecutiveFailures: ok ? 0 : (before?.consecutiveFailures ?? 0) + 1,
        lastKnownAgeMs: ok ? lastKnownAgeMs : (before?.lastKnownAgeMs ?? 0),
      },
      at: this.#clock.steady(),
      due: new Lifetime(this.#clock, dueMs),
    });
  }

  /** One record for all volumes of a pod that have one class: the oldest success, the most failures, the oldest value. */
  mounts(): readonly MountRecord[] {
    const found = new Map<string, MountRecord>();
    for (const [, kept] of this.#mounts) {
      const record = currentOf(kept);
      const { namespace, pod, secretProviderClass } = record.names;
      const key = JSON.stringify([namespace, pod, secretProviderClass]);
      const before = found.get(key) ?? record;
      const known = (figureOf: (of: MountRecord) => number | undefined) =>
        [before, record].map(figureOf).filter((figure) => figure !== undefined);
      found.set(key, {
        ...record,
        lastSuccessAt: least(known((of) => of.lastSuccessAt)),
        consecutiveFailures: most(known((of) => of.consecutiveFailures)),
        lastKnownAgeMs: most(known((of) => of.lastKnownAgeMs)),
      });
    }
    return [...found.values()];
  }

  /** One expiry, the soonest, for all objects of a pod that have one type and one label. */
  expiries(label: (objectName: string) => string): readonly ObjectExpiry[] {
    const found = new Map<string, ObjectExpiry>();
    for (const expiry of [...this.#expiries].flatMap(([, ofVolume]) => ofVolume)) {
      const named = { ...expiry, objectName: label(expiry.objectName) };
      const key = JSON.stringify([named.namespace, named.pod, named.objectType, named.objectName]);
      const before = found.get(key);
      if (before === undefined || named.expiresAt < before.expiresAt) found.set(key, named);
    }
    return [...found.values()];
  }
}

/** Returns the record without failures and old values of a pod that is gone. */
function currentOf({ record, due }: KeptRecord): MountRecord {
  if (!due.over) return record;
  const ifNone = (figure: number | undefined) => (figure === 0 ? 0 : undefined);
  const { consecutiveFailures, lastKnownAgeMs } = record;
  return { ...record, consecutiveFailures: ifNone(consecutiveFailures), lastKnownAgeMs: ifNone(lastKnownAgeMs) };
}

const least = (figures: readonly number[]) => (figures.length === 0 ? undefined : Math.min(...figures));
const most = (figures: readonly number[]) => (figures.length === 0 ? undefined : Math.max(...figures));
