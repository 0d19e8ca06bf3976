/**
 * Reads all objects of a volume from its vault, in parallel. `mount.ts` calls it. One failed object fails the Mount,
 * with an error that names all failed objects.
 */

import { setMaxListeners } from 'node:events';
import { ProviderError, withReason } from '../base/errors.ts';
import type { MissingReason } from '../base/telemetry.ts';
import type { ObjectSpec } from '../spc/model.ts';
import { asProviderError, type FailedObject, failuresError, shortNameOf } from './failures.ts';
import { missingReason } from './missing.ts';
import type { FetchContext, FetchedObject, ObjectRef, Stamp, VaultReader } from './ports.ts';
import { MAX_ANSWER_BYTES } from './response.ts';
import type { LastKnownValue } from './snapshot.ts';
import { DateWatch, type DateWatchOptions } from './validity.ts';
import type { ReaderOf } from './vaults.ts';
import { chooseVersions } from './versions.ts';

/** An object to read. */
export interface WantedObject extends ObjectSpec {
  /** What the listing says about it, if a selection found it. */
  readonly stamp?: Stamp | undefined;
}

/** An object of the manifest and what was read of it: one entry, or one for each version of a history, newest first. */
export interface FetchedSpec {
  readonly object: ObjectSpec;
  /** Empty if the object is missing. */
  readonly fetched: readonly FetchedObject[];
  /** Why an optional object is missing. Absent: it is not. */
  readonly missing?: MissingReason | undefined;
}

/**
 * Reads all objects at the same time, and equal ones once. The result is in the order of the manifest. The reads end
 * when the files cannot fit into an answer any more.
 * Throws: ERR_TOO_LARGE; one error that names every failed object.
 */
export async function fetchObjects(
  objects: readonly WantedObject[],
  readerOf: ReaderOf,
  given: FetchContext & { readonly dates: DateWatchOptions },
): Promise<readonly FetchedSpec[]> {
  const tooLarge = new AbortController();
  const context = { ...given, signal: AbortSignal.any([given.signal, tooLarge.signal]) };
  // Each read adds a listener, and Node warns from the eleventh on.
  setMaxListeners(0, context.signal);
  let bytes = 0;
  const reads = new Map<string, Promise<FetchedObject>>();
  const fetchOne = async (object: WantedObject) => {
    const reader = readerOf(object);
    const get = (ref: ObjectRef & Pick<WantedObject, 'stamp'>) => {
      const key = JSON.stringify([object.vault, ref.type, ref.name, ref.version]);
      const read = reads.get(key) ?? reader.get(ref, context, ref.stamp);
      reads.set(key, read);
      return read;
    };
    const isPlain = object.history <= 1 && object.validity === undefined;
    const all = isPlain ? [await get(object)] : await fetchChosen(object, { reader, context, get });
    bytes += all.reduce((sum, one) => sum + leastBytes(object, one), 0);
    if (bytes > MAX_ANSWER_BYTES) tooLarge.abort(volumeTooLarge());
    return all;
  };
  const results = await Promise.allSettled(objects.map(fetchOne));
  tooLarge.signal.throwIfAborted();
  const failed: FailedObject[] = [];
  const fetched: FetchedSpec[] = [];
  for (const [index, object] of objects.entries()) {
    const result = results[index];
    const missing = result?.status === 'rejected' ? missingReason(object, result.reason) : undefined;
    if (result?.status === 'fulfilled') fetched.push({ object, fetched: result.value });
    else if (missing !== undefined) fetched.push({ object, fetched: [], missing });
    else failed.push(failureOf(object, result?.reason));
  }
  if (failed.length === 0) failed.push(...outdatedObjects(objects, readerOf, context));
  if (failed.length > 0) throw failuresError(failed, objects.length);
  return fetched;
}

/** Returns the objects whose last known values may not fit the values of the others. */
function outdatedObjects(
  objects: readonly ObjectSpec[],
  readerOf: ReaderOf,
  { snapshot }: FetchContext,
): readonly FailedObject[] {
  const { outdated } = snapshot;
  if (outdated.length === 0) return [];
  const why =
    'its last known value is not used, since another object of the volume has changed after it was read, and the two may not fit';
  return objects.flatMap((object) => {
    const { type, name, version, history } = object;
    const { vaultUrl } = readerOf(object);
    const isRead = ({ ref }: LastKnownValue) =>
      ref.vaultUrl === vaultUrl && ref.type === type && ref.name === name && (history > 1 || version === '');
    const cause = outdated.find(isRead)?.cause;
    if (cause === undefined) return [];
    return [{ label: object.label, name: shortNameOf(object), error: withReason(cause, why) }];
  });
}

/**
 * Bytes of a value for one byte of its file, at least. A value that is converted counts half: its files may be smaller.
 */
const VALUE_BYTES = { 'utf-8': 1, base64: 4 / 3, hex: 2, converted: 2 } as const;

/** Returns the least that the files of a value can have. */
function leastBytes({ content }: ObjectSpec, fetched: FetchedObject): number {
  if (fetched.type !== 'secret') return 0;
  if (content.kind === 'parts') return 0;
  const isText = content.kind === 'value' && !fetched.certificateBacked;
  return fetched.value.reveal().length / VALUE_BYTES[isText ? content.encoding : 'converted'];
}

function volumeTooLarge(): ProviderError {
  return new ProviderError(
    'ERR_TOO_LARGE',
    `failed to mount objects, error: the files of this volume have more than ${MAX_ANSWER_BYTES} bytes together, which is the ` +
      'most that the driver accepts; spread the objects over several SecretProviderClasses',
  );
}

/** The failure of one version of a history. The cause is the reason. */
class VersionFailure extends Error {
  readonly version: string;

  constructor(version: string, cause: unknown) {
    super('a version cannot be read', { cause });
    this.version = version;
  }
}

function failureOf(object: ObjectSpec, reason: unknown): FailedObject {
  if (!(reason instanceof VersionFailure))
    return { label: object.label, name: shortNameOf(object), error: asProviderError(reason) };
  const { version, cause } = reason;
  return {
    label: `${object.label} (version ${version} of its history)`,
    name: shortNameOf({ ...object, version }),
    error: asProviderError(cause),
  };
}

interface Fetching {
  readonly reader: VaultReader;
  readonly context: FetchContext & { readonly dates: DateWatchOptions };
  readonly get: (ref: ObjectRef & Pick<WantedObject, 'stamp'>) => Promise<FetchedObject>;
}

/** Reads an object by its history or by its dates. */
async function fetchChosen(
  object: WantedObject,
  { reader, context, get }: Fetching,
): Promise<readonly FetchedObject[]> {
  const { type, name, version, history, validity } = object;
  const dates = validity === undefined ? undefined : new DateWatch(context.dates);
  const chosen = async () =>
    chooseVersions(object, await reader.listVersions(object, context), validity === 'previous' ? dates : undefined);
  if (history > 1) {
    const read = async (one: string) => {
      try {
        const fetched = await get({ type, name, version: one });
        dates?.check(object, fetched);
        return fetched;
      } catch (error) {
        throw new VersionFailure(one, error);
      }
    };
    return Promise.all((await chosen()).map(read));
  }
  const current = await get(object);
  const previous = async () => get({ type, name, version: (await chosen())[0] ?? '' });
  const replaceable = validity === 'previous' && version === '';
  const one = replaceable && dates !== undefined ? await dates.currentOr(object, current, previous) : current;
  dates?.check(object, one);
  return [one];
}
