/**
 * Tracks the values that one Mount got: when the vault gave each, and which are last known values. The vault reader
 * records them, `fetch.ts` refuses values that were never in the vault together, and the report names the last known
 * ones.
 */

import { type Clock, msSince, type SteadyTime } from '../base/clock.ts';
import type { ProviderError } from '../base/errors.ts';
import { ALL_OBJECTS } from '../base/objects.ts';
import type { ObjectSpec } from '../spc/model.ts';

/** The largest time between the reads of one Mount. */
const TOGETHER_MS = 10_000;

/** The object that was asked for; `version` is empty for the current one. */
export interface GivenRef extends Pick<ObjectSpec, 'type' | 'name' | 'version'> {
  /** The origin of the vault that was asked first. */
  readonly vaultUrl: string;
}

/** A value that a Mount got. */
export interface GivenValue {
  readonly ref: GivenRef;
  /** The first time when the vault gave it, with no other value in between. */
  readonly since: SteadyTime;
  /** The last time when the vault gave it. */
  readonly readAt: SteadyTime;
  /** How long after that a Mount may get it without a request, in milliseconds. */
  readonly ttlMs: number;
  /** How long after that it is served as a last known value, in milliseconds. */
  readonly keepMs: number;
  /** The reason why it is a last known value; undefined: the vault gave it now, or a moment ago. */
  readonly cause: ProviderError | undefined;
}

/** A last known value that a Mount got. */
export interface LastKnownValue {
  readonly ref: GivenRef;
  readonly ageMs: number;
  /** How much longer it is served, in milliseconds. */
  readonly leftMs: number;
  readonly cause: ProviderError;
}

/** A value that a fallback vault gave in place of another one. */
export interface ValueElsewhere {
  readonly ref: GivenRef;
  /** Name of the vault that was asked first. */
  readonly vault: string;
  readonly fallback: string;
  /** Why the first vault did not give it; undefined: the value is one of an earlier Mount, from memory. */
  readonly cause?: ProviderError | undefined;
}

/** The values of one Mount. */
export class Snapshot {
  readonly #clock: Pick<Clock, 'steady'>;
  readonly #given: GivenValue[] = [];
  readonly #elsewhere: ValueElsewhere[] = [];
  /** The reads under way that have no last known value, by name, with the words for it. */
  readonly #lacking = new Map<string, () => string | undefined>();

  constructor(clock: Pick<Clock, 'steady'>) {
    this.#clock = clock;
  }

  add(value: GivenValue): void {
    this.#given.push(value);
  }

  /** Records that a fallback vault gave a value. */
  answeredElsewhere(value: ValueElsewhere): void {
    this.#elsewhere.push(value);
  }

  /** The values of fallback vaults, in the order in which they were given. */
  get elsewhere(): readonly ValueElsewhere[] {
    return this.#elsewhere;
  }

  /**
   * Records that a read has no last known value in case that its vault does not answer, and why; undefined: it is over.
   */
  lacks(read: string, why: (() => string | undefined) | undefined): void {
    if (why === undefined) this.#lacking.delete(read);
    else this.#lacking.set(read, why);
  }

  /** Says of the first read under way why it has no last known value; undefined if there is none, or nothing to say. */
  get lacking(): string | undefined {
    const [why] = this.#lacking.values();
    return why?.();
  }

  /** The last known values, in the order in which they were given. */
  get lastKnown(): readonly LastKnownValue[] {
    return this.#given.flatMap((given) => this.#asLastKnown(given));
  }

  /**
   * Returns the last known values that may not fit the others: another object of the Mount got a new value when they
   * were no longer current, so that no Mount could have been given both. Values of versions that were asked for by name
   * never change, so they fit all others; a listing is no value, and changes with objects that the Mount does not get.
   */
  get outdated(): readonly LastKnownValue[] {
    const current = this.#given.filter(({ ref }) => ref.version === '' && ref.name !== ALL_OBJECTS);
    const newestMs = Math.min(...current.map(({ since }) => msSince(this.#clock, since)));
    return current.flatMap((given) =>
      this.#asLastKnown(given).filter(({ ageMs }) => ageMs - given.ttlMs - newestMs > TOGETHER_MS),
    );
  }

  #asLastKnown({ ref, readAt, keepMs, cause }: GivenValue): readonly LastKnownValue[] {
    if (cause === undefined) return [];
    const ageMs = msSince(this.#clock, readAt);
    return [{ ref, ageMs, leftMs: Math.max(0, keepMs - ageMs), cause }];
  }
}
