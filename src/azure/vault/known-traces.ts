/**
 * Remembers which last known values there were, by name and date, for longer than the values. `LastKnownGood` keeps it, so
 * that a Mount that fails while its vault is away says why no last known value is served. It holds no value.
 */

import { Cache } from '../../base/cache.ts';
import { type Clock, msSince, type SteadyTime } from '../../base/clock.ts';
import { goDuration } from '../../base/go.ts';
import { minuteOf } from '../../base/words.ts';
import type { KnownRequest } from './known-request.ts';

/** Requests remembered. When they are too many, the principal with most of them loses its oldest one. */
const MAX_TRACES = 1000;

/** A value that there was. */
interface Trace {
  readonly readAt: SteadyTime;
  /** The same by the wall clock, in milliseconds since 1970. */
  readonly date: number;
  /** The version that was asked for; empty: the current one. */
  readonly version: string;
}

/** How old the value of a request may be, in milliseconds. */
export interface AgeLimits {
  readonly maxStaleMs: number;
  /** See `VaultSession`. */
  readonly maxAgeMs: number;
}

/** The values that there were. */
export class KnownTraces {
  readonly #clock: Clock;
  /** The latest one of each object, by request without its version, and earlier ones of other versions, by request. */
  readonly #traces = new Cache<Trace>({ entries: MAX_TRACES });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records that the vault gave a value at `readAt`. */
  add(request: KnownRequest, readAt: SteadyTime): void {
    const date = this.#clock.wall() - msSince(this.#clock, readAt);
    const { principal: owner, version } = request;
    const latest = this.#latest(request);
    if (latest !== undefined && latest.version !== version) {
      this.#traces.set(keyOf(request, latest.version), latest, { owner });
    }
    this.#traces.set(keyOf(request), { readAt, date, version }, { owner });
  }

  /** Forgets the value of a request that the vault refused. */
  erase(request: KnownRequest): void {
    this.#traces.delete(keyOf(request, request.version));
    if (this.#latest(request)?.version === request.version) this.#traces.delete(keyOf(request));
  }

  /** Returns why no last known value is served for a request, in words that follow an error. */
  whyNot(request: KnownRequest, { maxStaleMs, maxAgeMs }: AgeLimits): string {
    const other = this.#latest(request);
    const own = other?.version === request.version ? other : this.#traces.peek(keyOf(request, request.version));
    if (own === undefined) {
      if (other === undefined) return 'this node has no last known value of it for this identity';
      const which = other.version === '' ? 'the current version' : `version ${other.version}`;
      return `the last known value of it is for a request of ${which}, and is served for that one only`;
    }
    const ageMs = msSince(this.#clock, own.readAt);
    const value = `the last known value was read at ${minuteOf(own.date)}`;
    if (ageMs >= maxStaleMs) {
      const limit = `--max-stale (${goDuration(maxStaleMs)})`;
      return `${value}, which is longer ago than ${limit} allows; a larger --max-stale covers longer outages`;
    }
    if (ageMs >= maxAgeMs) return `${value}, which is longer ago than maxAge (${goDuration(maxAgeMs)}) allows`;
    return `${value}, and is no longer kept, since it is too large or there are too many`;
  }

  #latest(request: KnownRequest): Trace | undefined {
    return this.#traces.peek(keyOf(request));
  }
}

function keyOf({ principal, vaultUrl, operation, type, name }: KnownRequest, version?: string): string {
  return JSON.stringify([principal, vaultUrl, operation, type, name, version]);
}
