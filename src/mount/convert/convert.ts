/**
 * Converts the objects that were read into files. `mount.ts` calls it with all objects of a volume. One object that
 * cannot be converted fails the Mount, with an error that names all of them.
 */

import { nextTurn } from '../../base/turns.ts';
import type { ObjectSpec } from '../../spc/model.ts';
import type { MountedFile, ObjectVersion } from '../../wire/contract.ts';
import { asProviderError, type FailedObject, failuresError, shortNameOf } from '../failures.ts';
import type { FetchedSpec } from '../fetch.ts';
import { replacementOf } from '../missing.ts';
import { objectIdOf } from '../object-id.ts';
import type { FetchedObject } from '../ports.ts';
import type { MadeFile } from '../response.ts';
import type { CertificateCache } from './certificate-cache.ts';
import { CertificateWatch, type WatchOptions } from './certificate-watch.ts';
import { metadataOf } from './metadata.ts';
import { convertOutputs, LenderFailure } from './outputs.ts';
import { convertParts, ExtractBudget, type PartFile } from './parts.ts';
import { convertValue } from './value.ts';

/** The dependencies of a conversion: its reports, and the cache of earlier ones. */
export interface ConvertContext extends WatchOptions {
  /** Vault of the objects, for messages. */
  readonly vaultName: string;
  readonly contents: CertificateCache;
  readonly signal: AbortSignal;
}

/** Files, and the versions of objects that were read only for the files of other objects. */
export interface Converted {
  readonly made: readonly MadeFile[];
  readonly unwritten: readonly ObjectVersion[];
  /** What was made of each object, in the order of the manifest. */
  readonly objects: readonly ConvertedObject[];
}

/** The files of one object, written or not, and its version. */
export interface ConvertedObject {
  readonly drafts: readonly MountedFile[];
  /** That of the newest version. */
  readonly source: ObjectVersion;
}

type Result = Omit<Converted, 'objects'> & ConvertedObject;

/**
 * Number of objects that one Mount converts at the same time: key derivations on Node's thread pool overlap with the
 * rest.
 */
const PARALLEL = 4;

/**
 * Makes the files, in the order of the manifest. Between two certificates the event loop gets a turn.
 * Throws: one error that names every failed object.
 */
export async function convertObjects(all: readonly FetchedSpec[], context: ConvertContext): Promise<Converted> {
  const { contents, signal, vaultName } = context;
  const watchOf = ({ validity }: ObjectSpec) => new CertificateWatch(context, validity);
  const budget = new ExtractBudget();
  const conversion = { all, vaultName, watchOf, budget, tools: { contents, signal } };
  const results: (Result | FailedObject)[] = [];
  const queue = all.entries();
  const workers = Array.from({ length: PARALLEL }, async () => {
    for (const [place, one] of queue) {
      if (!isPlain(one)) await nextTurn(context.signal);
      results[place] = await convertObject(one, conversion);
    }
  });
  await Promise.all(workers);
  const failed = results.filter((result) => 'error' in result);
  if (failed.length > 0) throw failuresError(failed, all.length);
  const converted = results.filter((result) => 'made' in result);
  return {
    made: converted.flatMap(({ made }) => made),
    unwritten: converted.flatMap(({ unwritten }) => unwritten),
    objects: converted.map(({ drafts, source }) => ({ drafts, source })),
  };
}

/** True if the object is a plain value, for which no certificate is opened. */
function isPlain({ object, fetched }: FetchedSpec): boolean {
  const [first] = fetched;
  return (
    fetched.length === 1 &&
    first?.type === 'secret' &&
    object.content.kind === 'value' &&
    object.content.format === '' &&
    !first.certificateBacked
  );
}

interface Conversion {
  readonly all: readonly FetchedSpec[];
  readonly vaultName: string;
  readonly watchOf: (object: ObjectSpec) => CertificateWatch;
  readonly budget: ExtractBudget;
  /** The tools of every conversion. */
  readonly tools: Pick<ConvertContext, 'contents' | 'signal'>;
}

/** Converts all versions of one object; returns the first failure, if there is one. */
async function convertObject(
  { object, fetched, missing }: FetchedSpec,
  conversion: Conversion,
): Promise<Result | FailedObject> {
  const { label, metadata, templateOnly } = object;
  if (missing !== undefined) return replaced(object);
  const { tools } = conversion;
  const vaultName = vaultNameOf(object, conversion);
  const made: MadeFile[] = [];
  const unwritten: ObjectVersion[] = [];
  const all: PartFile[] = [];
  const sources: ObjectVersion[] = [];
  for (const [index, version] of fetched.entries()) {
    const source = objectVersionOf(object, version, index);
    try {
      const drafts = await draftsOf(object, version, { index, conversion });
      all.push(...drafts);
      sources.push(source);
      const written = templateOnly ? [] : drafts;
      for (const { named, ...file } of written) made.push({ file, source, owner: label, named });
      if (written.length === 0) unwritten.push(source);
      if (metadata !== undefined) {
        const place = { mode: metadata.mode, path: versionPath(object, metadata.path, index), vaultName };
        made.push({ ...metadataOf(object, version, place), owner: label });
      }
    } catch (error) {
      tools.signal.throwIfAborted();
      return failureOf(error, { object, version, index, conversion });
    }
  }
  const [newest] = sources;
  if (newest === undefined) throw new Error('an object that is not missing has a version');
  return { made, unwritten, drafts: all, source: newest };
}

/** Makes the files of one version of an object. */
async function draftsOf(
  object: ObjectSpec,
  version: FetchedObject,
  { index, conversion }: { readonly index: number; readonly conversion: Conversion },
): Promise<readonly PartFile[]> {
  const { content, name } = object;
  const { all, budget, watchOf } = conversion;
  const tools = { ...conversion.tools, watch: watchOf(object) };
  switch (content.kind) {
    case 'outputs':
      return convertOutputs(version, { content, name, all, ...tools });
    case 'parts':
      return convertParts(version, { content, budget, signal: tools.signal });
    case 'value':
      return convertValue(version, { content, name, path: versionPath(object, content.path, index), ...tools });
  }
}

/** The result for a missing object. */
function replaced(object: ObjectSpec): Result {
  const { source, file } = replacementOf(object);
  if (file === undefined) return { made: [], unwritten: [source], drafts: [], source };
  const drafts = [file];
  return object.templateOnly
    ? { made: [], unwritten: [source], drafts, source }
    : { made: [{ file, source, owner: object.label }], unwritten: [], drafts, source };
}

interface FailedVersion {
  readonly object: ObjectSpec;
  readonly version: FetchedObject;
  readonly index: number;
  readonly conversion: Conversion;
}

function failureOf(thrown: unknown, { object, version, index, conversion }: FailedVersion): FailedObject {
  const { label, name, content } = object;
  if (thrown instanceof LenderFailure) {
    const { object: lender } = conversion.all[thrown.lender] ?? { object };
    const place = { vaultName: vaultNameOf(lender, conversion), name: lender.name, version: lender.version };
    const error = asProviderError(thrown.cause);
    return { label: lender.label, name: shortNameOf(lender), error, neededBy: label, content: place };
  }
  const failed = { label, name: shortNameOf(object), error: asProviderError(thrown) };
  const isCertificate =
    version.type === 'secret' &&
    content.kind !== 'parts' &&
    (content.kind === 'outputs' || content.format === 'pem' || version.certificateBacked);
  if (!isCertificate || failed.error.code !== 'ERR_BAD_CONTENT') return failed;
  const place = { vaultName: vaultNameOf(object, conversion), name };
  return { ...failed, content: { ...place, version: index > 0 ? version.version : object.version } };
}

/** Returns the name of the vault of an object: its own, or that of the volume. */
function vaultNameOf({ vault }: ObjectSpec, { vaultName }: Conversion): string {
  return vault?.name ?? vaultName;
}

/** Returns the id of an object version. Those of a history have their index behind it. */
function objectVersionOf(object: ObjectSpec, { version }: FetchedObject, index: number): ObjectVersion {
  const id = objectIdOf(object);
  return { id: object.history > 1 ? `${id}/${index}` : id, version };
}

function versionPath({ history }: ObjectSpec, path: string, index: number): string {
  return history > 1 ? `${path}/${index}` : path;
}
