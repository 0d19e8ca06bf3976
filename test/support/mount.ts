/**
 * Builders of objects and contexts, for tests of src/mount/.
 */
import { later } from '../../src/base/clock.ts';
import { type ErrorCode, ProviderError } from '../../src/base/errors.ts';
import type { LogFields, Logger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { CertificateCache } from '../../src/mount/convert/certificate-cache.ts';
import type { ConvertContext } from '../../src/mount/convert/convert.ts';
import type { FetchedSpec } from '../../src/mount/fetch.ts';
import { LogOnce } from '../../src/mount/log-once.ts';
import { Progress } from '../../src/mount/pending-waits.ts';
import type { FetchContext, FetchedObject, VaultReader } from '../../src/mount/ports.ts';
import { Snapshot } from '../../src/mount/snapshot.ts';
import type { DateWatchOptions } from '../../src/mount/validity.ts';
import type { ContentSpec, ObjectSpec, OutputSpec } from '../../src/spc/model.ts';
import { manualClock } from './clocks.ts';

export { manualClock };

/** A log that records its lines. */
export interface KeptLog {
  readonly log: Logger;
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[];
}

export function keptLog(): KeptLog {
  const lines: KeptLog['lines'] = [];
  const logger = (base: LogFields): Logger => {
    const at =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        lines.push({ level, message, fields: { ...base, ...fields } });
      };
    return {
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      detail: at('detail'),
      debug: at('debug'),
      with: (fields) => logger({ ...base, ...fields }),
    };
  };
  return { log: logger({}), lines };
}

type SecretParts = Partial<Omit<Extract<FetchedObject, { type: 'secret' }>, 'value' | 'type'>>;

/** Returns a secret as a vault returns it. */
export function fetchedSecret(value: string, parts: SecretParts = {}): FetchedObject {
  return {
    type: 'secret',
    version: 'v1',
    expiresAt: undefined,
    contentType: '',
    certificateBacked: false,
    ...parts,
    value: new Secret(value),
  };
}

/** Returns the specification of one file with the value of an object. */
export function valueContent(path: string, more: Partial<Extract<ContentSpec, { kind: 'value' }>> = {}): ContentSpec {
  return { kind: 'value', path, mode: 0o644, format: '', encoding: 'utf-8', split: false, orderChain: true, ...more };
}

/** Returns the specification of chosen files of a certificate. By default, all of them are required. */
export function outputsContent(
  outputs: readonly (Pick<OutputSpec, 'output' | 'path'> & Partial<OutputSpec>)[],
  more: Partial<Extract<ContentSpec, { kind: 'outputs' }>> = {},
): ContentSpec {
  const defaults = { mode: 0o644, presence: 'required', keyFormat: 'pkcs8', pfxForm: 'modern' } as const;
  return {
    kind: 'outputs',
    role: 'certificate',
    forClient: false,
    needsKey: false,
    chainFrom: undefined,
    passwordFrom: undefined,
    ...more,
    outputs: outputs.map((output) => ({ ...defaults, passwordFrom: undefined, ...output })),
  };
}

/** Returns an object of a manifest; by default, a secret with one version. */
export function objectSpec(name: string, more: Partial<ObjectSpec> = {}): ObjectSpec {
  const content = valueContent(name);
  return { label: `object ${name}`, type: 'secret', name, version: '', history: 1, content, ...more };
}

/** Returns an object with its fetched versions. */
export function read(object: ObjectSpec, ...fetched: readonly FetchedObject[]): FetchedSpec {
  return { object, fetched };
}

export function convertContext(more: Partial<ConvertContext> = {}): ConvertContext {
  return {
    vaultName: 'kv',
    certificatePolicy: 'warn',
    clock: manualClock(),
    contents: new CertificateCache(new Sweeper(manualClock())),
    telemetry: silentTelemetry,
    log: keptLog().log,
    noted: new LogOnce(),
    signal: new AbortController().signal,
    ...more,
  };
}

/** Memory that nobody has to wait for. */
export const NO_LIMIT: FetchContext['memory'] = { during: (work) => work() };

/** A vault that lists nothing; tests add its `get`. */
export const LISTS_NOTHING: Omit<VaultReader, 'get'> = {
  vaultUrl: 'https://v',
  listVersions: async () => [],
  list: async () => ({ objects: [], listedAt: undefined }),
};

export function fetchContext(
  signal = new AbortController().signal,
  clock = manualClock(),
): FetchContext & { readonly dates: DateWatchOptions } {
  return {
    dates: { clock, telemetry: silentTelemetry, log: keptLog().log, noted: new LogOnce() },
    signal,
    deadlineAt: later(clock.steady(), 60_000),
    hasty: false,
    progress: new Progress(clock),
    snapshot: new Snapshot(clock),
    mountId: 1,
    memory: NO_LIMIT,
  };
}

/** Returns the `ProviderError` with which work fails. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<ProviderError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (thrown) {
    if (thrown instanceof ProviderError) return thrown;
    throw thrown;
  }
  throw new Error('it did not fail');
}

export const error = (code: ErrorCode, message: string = code) => new ProviderError(code, message);
