/**
 * Reports one Mount in log and metrics. `mount.ts` calls it for each step. It writes one line for the Mount, one for
 * each changed version, and one for each failed object if the message is too long for one line.
 */

import { type Clock, msSince, type SteadyTime } from '../base/clock.ts';
import { type ErrorCode, framesOf, type ProviderError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { LastKnownCause, ObjectExpiry, Telemetry } from '../base/telemetry.ts';
import { clip } from '../base/words.ts';
import type { Attributes } from '../spc/attributes.ts';
import type { Finding } from '../spc/finding.ts';
import type { VolumeSpec } from '../spc/model.ts';
import { shortNameOf } from './failures.ts';
import type { FetchedSpec } from './fetch.ts';
import type { LogOnce } from './log-once.ts';
import type { Answer } from './response.ts';
import type { LastKnownValue, Snapshot, ValueElsewhere } from './snapshot.ts';
import type { VersionLog } from './version-log.ts';
import type { VolumeNames } from './volume-names.ts';

/** Bytes of the error that the line of a Mount holds in addition to the other fields. */
const MAX_ERROR_BYTES = 6 * 1024;

/** The message of the line about a mistake of the manifest that does not fail the Mount. */
export const MANIFEST_WARNING = 'Manifest warning';
/** Names of objects in one line. */
const MAX_NAMES = 50;
/** The reason for last known values, by the code of the failure. */
const CAUSES: Readonly<Partial<Record<ErrorCode, LastKnownCause>>> = {
  ERR_UNREACHABLE: 'unreachable',
  ERR_TIMEOUT: 'timeout',
  ERR_THROTTLED: 'throttled',
};

/** The log and metrics of a {@link MountReport}, and its memory of earlier Mounts. */
export interface ReportOptions {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly journal: VersionLog;
  readonly noted: LogOnce;
  readonly names: VolumeNames;
  /** Called for each Mount that is answered with last known values, with the first reason. Default: nothing. */
  readonly lastKnownServed?: ((cause: ProviderError) => void) | undefined;
  /** The path of the volume, if the request has one. */
  readonly targetPath: string | undefined;
  /** Names the trace of the Mount. Undefined: it is not traced. */
  readonly traceId?: string | undefined;
}

/** The report of one Mount. */
export class MountReport {
  readonly #options: ReportOptions;
  readonly #startedAt: SteadyTime;
  #log: Logger;
  #attributes: Attributes | undefined;
  #name = '';
  #expiries: readonly ObjectExpiry[] = [];
  #objects: number | undefined;
  #lastKnownAgeMs = 0;

  constructor(options: ReportOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#startedAt = options.clock.steady();
  }

  /** The log. Its lines name the pod as soon as the pod is known. */
  get log(): Logger {
    return this.#log;
  }

  /** Records the pod and the class. */
  begun(attributes: Attributes): void {
    const { pod, parameters } = attributes;
    this.#attributes = attributes;
    this.#name = this.#options.names.nameOf(this.#options.targetPath ?? '', attributes.secretProviderClass);
    const names = { namespace: pod.namespace, pod: pod.name, secretProviderClass: this.#name };
    const { log, traceId } = this.#options;
    this.#log = log.with(traceId === undefined ? names : { ...names, traceId });
    this.#log.debug('Parameters', { objects: parameters.get('objects') ?? parameters.get('keyVault') ?? '' });
  }

  /** Records the parsed manifest. Its warnings and notes are logged once for each volume. */
  parsed(findings: readonly Finding[], volume: VolumeSpec | undefined): void {
    this.#objects = volume?.objects.length;
    for (const { severity, message } of findings) {
      if (severity === 'warning') this.#once(message, () => this.#log.warn(MANIFEST_WARNING, { detail: message }));
      else if (severity === 'note') this.#once(message, () => this.#log.info('Manifest note', { detail: message }));
    }
  }

  /** True if the last Mount of the volume gave files, as far as that is known. */
  get hadFiles(): boolean {
    return this.#options.journal.hadFiles(this.#volume());
  }

  /** Records that the files are made. The missing objects are logged once for each volume, and later changes as versions. */
  converted(all: readonly FetchedSpec[]): void {
    this.#objects = all.length;
    const missing = all.filter(({ missing }) => missing !== undefined);
    for (const { missing: reason } of missing) if (reason) this.#options.telemetry.objectMissing(reason);
    if (missing.length > 0) {
      const objects = namesOf(missing.map(({ object }) => object));
      const some =
        missing.length < all.length ? 'Optional objects are missing' : 'All objects are optional and missing';
      this.#once(`missing ${objects}`, () => this.#log.info(some, { objects }));
    }
    const { namespace = '', name: pod = '' } = this.#attributes?.pod ?? {};
    this.#expiries = all.flatMap(({ object: { type: objectType, name: objectName }, fetched: [first] }) => {
      const expiresAt = first?.expiresAt;
      return expiresAt === undefined ? [] : [{ namespace, pod, objectType, objectName, expiresAt }];
    });
  }

  /**
   * Records the answer. If it has last known values, the log names their objects, the age of the oldest, how much longer
   * all of them are served, and the cause. Returns the same for the caller; undefined: all values are current. Values of
   * fallback vaults are logged too.
   */
  delivered(answer: Answer, { lastKnown, elsewhere }: Pick<Snapshot, 'lastKnown' | 'elsewhere'>): string | undefined {
    const { files, warning } = answer;
    const note = this.#lastKnown(lastKnown);
    this.#answeredElsewhere(elsewhere);
    if (warning !== undefined) this.#once('large', () => this.#log.warn('Volume warning', { detail: warning }));
    this.#options.journal.record(this.#volume(), answer, this.#log);
    this.#log.info('Mounted', { code: 'OK', ...this.#figures(files.length) });
    this.#finished(true);
    return note;
  }

  /** Writes one line for each fallback vault of each vault. */
  #answeredElsewhere(values: readonly ValueElsewhere[]): void {
    for (const one of values) {
      const { vault, fallback } = one;
      const same = values.filter((other) => other.vault === vault && other.fallback === fallback);
      if (same[0] !== one) continue;
      const { code, message: error } = same.find(({ cause }) => cause !== undefined)?.cause ?? {};
      const objects = namesOf(same.map(({ ref }) => ref));
      this.#log.warn('Answered by a fallback vault', { vault, fallback, objects, code, error });
    }
  }

  #lastKnown(values: readonly LastKnownValue[]): string | undefined {
    const [first] = values;
    if (first === undefined) return undefined;
    const { code, message: error } = first.cause;
    const objects = namesOf(values.map(({ ref }) => ref));
    this.#lastKnownAgeMs = Math.max(...values.map(({ ageMs }) => ageMs));
    const ageSeconds = Math.round(this.#lastKnownAgeMs / 1000);
    const leftSeconds = Math.round(Math.min(...values.map(({ leftMs }) => leftMs)) / 1000);
    this.#log.warn('Mounted with last known values', { objects, ageSeconds, leftSeconds, code, error });
    this.#options.lastKnownServed?.(first.cause);
    // An answer that cannot be the host's comes from a host in between.
    const otherwise = (first.cause.details.httpStatus ?? 500) < 400 ? 'unreachable' : 'server_error';
    this.#options.telemetry.lastKnownMount(CAUSES[code] ?? otherwise);
    const { host = '' } = first.cause.details;
    const times = `up to ${ageSeconds} s old, served for ${leftSeconds} s more`;
    return `mounted with last known values (${times}), since ${host} is away (${code}): ${clip(objects)}`;
  }

  failed(error: ProviderError): void {
    const { message, code } = error;
    this.#log.error('Mount failed', { code, ...remoteFactsOf(error), ...this.#figures(0), error: message });
    if (Buffer.byteLength(JSON.stringify(message)) > MAX_ERROR_BYTES) this.#eachFailed(error);
    for (const { code: kind, cause } of [error, ...error.errors]) {
      if (kind === 'ERR_INTERNAL' && cause instanceof Error) {
        this.#log.error('Defect', { stack: [cause.name, ...framesOf(cause)].join('\n') });
      }
    }
    this.#finished(false);
  }

  /** Writes one line for each failed object of a message that is too long for the line of the Mount. */
  #eachFailed({ failed, errors }: ProviderError): void {
    for (const [index, object] of failed.entries()) {
      const error = errors[index];
      if (error === undefined) continue;
      const facts = { code: error.code, ...remoteFactsOf(error) };
      this.#log.error('Object failed', { object, ...facts, error: error.reason });
    }
  }

  #figures(files: number) {
    const ms = Math.round(msSince(this.#options.clock, this.#startedAt));
    return { objects: this.#objects, files, ms };
  }

  #finished(ok: boolean): void {
    if (this.#attributes === undefined || this.#attributes.pod.name === '') return;
    const { namespace, name: pod } = this.#attributes.pod;
    const { telemetry, clock } = this.#options;
    const [volume, secretProviderClass, finishedAt] = [this.#volume(), this.#name, clock.wall()];
    const expiries = ok ? this.#expiries : [];
    const lastKnownAgeMs = this.#lastKnownAgeMs;
    telemetry.mountFinished({ volume, namespace, pod, secretProviderClass, ok, lastKnownAgeMs, finishedAt, expiries });
  }

  #once(message: string, write: () => void): void {
    this.#options.noted.note(`${this.#volume()} ${message}`, write);
  }

  #volume(): string {
    if (this.#options.targetPath) return this.#options.targetPath;
    const { pod, secretProviderClass } = this.#attributes ?? {};
    return `${pod?.namespace}/${pod?.name}/${pod?.uid}/${secretProviderClass}`;
  }
}

/** Returns the names of objects, as many as a line holds. */
function namesOf(refs: readonly Parameters<typeof shortNameOf>[0][]): string {
  const names = [...new Set(refs.map(shortNameOf))];
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return `${names.slice(0, MAX_NAMES).join(' ')}${more}`;
}

function remoteFactsOf({ details: { requestId, httpStatus, remoteCode } }: ProviderError) {
  return { httpStatus, remoteCode, requestId };
}
