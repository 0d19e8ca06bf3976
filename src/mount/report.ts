import { type Clock, msSince, type SteadyTime } from '../base/clock.ts';
import { framesOf, type ProviderError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { ObjectExpiry, Telemetry } from '../base/telemetry.ts';
import type { Attributes } from '../spc/attributes.ts';
import type { Finding } from '../spc/finding.ts';
import type { VolumeSpec } from '../spc/model.ts';
import type { FetchedSpec } from './fetch.ts';
import type { NotedOnce } from './log-once.ts';
import type { Answer } from './response.ts';
import type { Journal } from './version-log.ts';
import type { VolumeNames } from './volume-names.ts';

/** What the line of a Mount holds of its error beside the other fields. */
const MAX_ERROR_BYTES = 6 * 1024;

/** What a {@link MountReport} writes to, and what it remembers of earlier Mounts. */
export interface ReportOptions {
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly noted: NotedOnce;
  readonly names: VolumeNames;
  /** Names the volume where the request does. */
  readonly targetPath: string | undefined;
}

/** Says in log and metrics how one Mount went: one line for the Mount, one for each version that changed, and one for each failed object where they are many. */
export class MountReport {
  readonly #options: ReportOptions;
  readonly #startedAt: SteadyTime;
  #log: Logger;
  #attributes: Attributes | undefined;
  #name = '';
  #expiries: readonly ObjectExpiry[] = [];
  #objects: number | undefined;

  constructor(options: ReportOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#startedAt = options.clock.steady();
  }

  /** The log with the pod in each line, as soon as there is one. */
  get log(): Logger {
    return this.#log;
  }

  /** Whose volume it is. */
  begun(attributes: Attributes): void {
    const { pod, parameters } = attributes;
    this.#attributes = attributes;
    this.#name = this.#options.names.nameOf(this.#options.targetPath ?? '', attributes.secretProviderClass);
    this.#log = this.#options.log.with({ namespace: pod.namespace, pod: pod.name, secretProviderClass: this.#name });
    this.#log.debug('Parameters', { objects: parameters.get('objects') ?? parameters.get('keyVault') ?? '' });
  }

  /** What the manifest asks for; of its findings those that are no errors are said once a volume. */
  parsed(findings: readonly Finding[], volume: VolumeSpec | undefined): void {
    this.#objects = volume?.objects.length;
    for (const { severity, message } of findings) {
      if (severity === 'warning') this.#once(message, () => this.#log.warn('Manifest warning', { detail: message }));
      else if (severity === 'note') this.#once(message, () => this.#log.info('Manifest note', { detail: message }));
    }
  }

  /** What the files were made of. */
  converted(all: readonly FetchedSpec[]): void {
    const { namespace = '', name: pod = '' } = this.#attributes?.pod ?? {};
    this.#expiries = all.flatMap(({ object: { type: objectType, name: objectName }, fetched: [first] }) => {
      const expiresAt = first?.expiresAt;
      return expiresAt === undefined ? [] : [{ namespace, pod, objectType, objectName, expiresAt }];
    });
  }

  delivered({ files, objectVersions, warning }: Answer): void {
    if (warning !== undefined) this.#once('large', () => this.#log.warn('Volume warning', { detail: warning }));
    this.#options.journal.record(this.#volume(), objectVersions, this.#log);
    this.#log.info('Mounted', { code: 'OK', ...this.#figures(files.length) });
    this.#finished(true);
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

  /** One line for each object of a message that the line for the Mount does not hold in full. */
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
    telemetry.mountFinished({ volume, namespace, pod, secretProviderClass, ok, finishedAt, expiries });
  }

  #once(message: string, say: () => void): void {
    this.#options.noted.note(`${this.#volume()} ${message}`, say);
  }

  #volume(): string {
    if (this.#options.targetPath) return this.#options.targetPath;
    const { pod, secretProviderClass } = this.#attributes ?? {};
    return `${pod?.namespace}/${pod?.name}/${pod?.uid}/${secretProviderClass}`;
  }
}

function remoteFactsOf({ details: { requestId, httpStatus, remoteCode } }: ProviderError) {
  return { httpStatus, remoteCode, requestId };
}
