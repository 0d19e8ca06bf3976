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
import type { FetchContext, FetchedObject } from '../../src/mount/ports.ts';
import type { ContentSpec, ObjectSpec, OutputSpec } from '../../src/spc/model.ts';
import { handClock } from './clocks.ts';

export { handClock };

/** A log that keeps its lines. */
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

/** A secret as the vault gave it. */
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

/** One file, as it is. */
export function valueContent(path: string, more: Partial<Extract<ContentSpec, { kind: 'value' }>> = {}): ContentSpec {
  return { kind: 'value', path, mode: 0o644, format: '', encoding: 'utf-8', split: false, orderChain: true, ...more };
}

/** Chosen files of a certificate; all of them have to be there unless said otherwise. */
export function outputsContent(
  outputs: readonly (Pick<OutputSpec, 'output' | 'path'> & Partial<OutputSpec>)[],
  more: Partial<Extract<ContentSpec, { kind: 'outputs' }>> = {},
): ContentSpec {
  const defaults = { mode: 0o644, presence: 'required', keyFormat: 'pkcs8', pfxForm: 'modern' } as const;
  return {
    kind: 'outputs',
    role: 'certificate',
    forClient: false,
    chainFrom: undefined,
    passwordFrom: undefined,
    ...more,
    outputs: outputs.map((output) => ({ ...defaults, passwordFrom: undefined, ...output })),
  };
}

/** An object of a manifest; a secret of one version unless said otherwise. */
export function objectSpec(name: string, more: Partial<ObjectSpec> = {}): ObjectSpec {
  const content = valueContent(name);
  return { label: `object ${name}`, type: 'secret', name, version: '', history: 1, content, ...more };
}

/** An object with what was read of it. */
export function read(object: ObjectSpec, ...fetched: readonly FetchedObject[]): FetchedSpec {
  return { object, fetched };
}

export function convertContext(more: Partial<ConvertContext> = {}): ConvertContext {
  return {
    vaultName: 'kv',
    certificatePolicy: 'warn',
    clock: handClock(),
    contents: new CertificateCache(new Sweeper(handClock())),
    telemetry: silentTelemetry,
    log: keptLog().log,
    noted: new LogOnce(),
    signal: new AbortController().signal,
    ...more,
  };
}

export function fetchContext(signal = new AbortController().signal): FetchContext {
  const clock = handClock();
  return { signal, deadlineAt: later(clock.steady(), 60_000), hasty: false, progress: new Progress(clock), mountId: 1 };
}

/** The `ProviderError` that work fails with. */
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
