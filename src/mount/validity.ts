/**
 * Decides by the dates of an object whether a volume may have it, and reports objects whose dates do not hold. `fetch.ts`
 * calls it for each object with `validity`. The dates are compared at each Mount, also those of values from memory.
 */

import type { WallClock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { ObjectSpec } from '../spc/model.ts';
import { dateOf } from './convert/metadata.ts';
import { shortNameOf } from './failures.ts';
import type { LogOnce } from './log-once.ts';
import type { FetchedObject, ListedVersion } from './ports.ts';

/** The log and metrics of a {@link DateWatch}. */
export interface DateWatchOptions {
  readonly clock: WallClock;
  readonly telemetry: Pick<Telemetry, 'objectNotValid'>;
  readonly log: Logger;
  readonly noted: LogOnce;
}

/** Dates between which something is valid, in milliseconds since 1970. */
type Dates = Pick<ListedVersion, 'notBefore' | 'expiresAt'>;

/** The checks of one Mount. */
export class DateWatch {
  readonly #options: DateWatchOptions;
  readonly #now: number;

  constructor(options: DateWatchOptions) {
    this.#options = options;
    this.#now = options.clock.wall();
  }

  /** Returns true if the dates of a version hold. */
  isValid(dates: Dates): boolean {
    return this.#problem(dates) === undefined;
  }

  /** Returns the current version if its dates hold, or the result of `previous`, which is reported. */
  async currentOr(
    object: ObjectSpec,
    current: FetchedObject,
    previous: () => Promise<FetchedObject>,
  ): Promise<FetchedObject> {
    const problem = this.#problem(datesOf(current));
    if (problem === undefined) return current;
    const fetched = await previous();
    const detail = `version ${current.version} ${problem}; version ${fetched.version} is mounted in its place`;
    this.#options.telemetry.objectNotValid('previous');
    this.#once(object, detail, (fields) => this.#options.log.warn('Previous version mounted', fields));
    return fetched;
  }

  /**
   * Checks a version that a volume is to have.
   * Throws: ERR_BAD_CONTENT if its dates do not hold and `validity` is `enforce` or `previous`.
   */
  check(object: ObjectSpec, fetched: FetchedObject): void {
    const { validity } = object;
    if (validity === undefined || validity === 'ignore') return;
    const problem = this.#problem(datesOf(fetched));
    if (problem === undefined) return;
    const { telemetry, log } = this.#options;
    if (validity === 'warn') {
      telemetry.objectNotValid('warned');
      this.#once(object, `version ${fetched.version} ${problem}`, (fields) => log.warn('Object is not valid', fields));
      return;
    }
    telemetry.objectNotValid('refused');
    throw new ProviderError('ERR_BAD_CONTENT', `it ${problem} (validity: ${validity}); ${REMEDY}`);
  }

  #problem({ notBefore, expiresAt }: Dates): string | undefined {
    if (expiresAt !== undefined && this.#now >= expiresAt) return `expired at ${dateOf(expiresAt)}`;
    if (notBefore !== undefined && this.#now < notBefore) return `is not valid before ${dateOf(notBefore)}`;
    return undefined;
  }

  #once(object: ObjectSpec, detail: string, write: (fields: { object: string; detail: string }) => void): void {
    const name = shortNameOf(object);
    const whole = `${name}: ${detail}`;
    this.#options.noted.note(whole, () => write({ object: name, detail: whole }));
  }
}

const REMEDY = 'store a version that is valid now, correct its dates in the vault, or write validity: warn';

/** Returns the error about an object of which no version is valid now. */
export function noneValid(): ProviderError {
  return new ProviderError('ERR_BAD_CONTENT', `no enabled version of it is valid now (validity: previous); ${REMEDY}`);
}

function datesOf({ expiresAt, facts }: FetchedObject): Dates {
  return { expiresAt, notBefore: facts?.notBefore };
}
