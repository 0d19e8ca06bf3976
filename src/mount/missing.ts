/**
 * Decides whether an optional object is missing, and makes what stands in its place. `fetch.ts` and
 * `convert/convert.ts` call it. An object that the vault refuses, or that cannot be asked for, is not missing.
 */

import { ProviderError } from '../base/errors.ts';
import type { MissingReason } from '../base/telemetry.ts';
import type { LiteralFile, ObjectSpec } from '../spc/model.ts';
import type { MountedFile, ObjectVersion } from '../wire/contract.ts';
import { contentVersionOf } from './content-version.ts';
import { shortNameOf } from './failures.ts';
import { objectIdOf } from './object-id.ts';

/** Key Vault's codes of a missing object. A 404 with another code, or none, comes from a proxy, or is about the vault. */
const NOT_FOUND = /^(Secret|Key|Certificate)NotFound$/;
/** The version that is reported of a missing object. */
const MISSING = 'missing';
/** Hexadecimal digits of the digest in the version of a default text. */
const DIGEST_LENGTH = 16;

/**
 * Returns why an optional object is missing: the vault answered, in its own form, that there is no such object or
 * version, or that it is disabled. Undefined for required objects and for all other failures.
 */
export function missingReason({ ifMissing }: ObjectSpec, error: unknown): MissingReason | undefined {
  if (ifMissing === undefined || !(error instanceof ProviderError)) return undefined;
  const { code, details } = error;
  if (code === 'ERR_DISABLED') return 'disabled';
  // Errors without a phase are about the versions that a vault listed.
  const isOfObject = details.phase === undefined || NOT_FOUND.test(details.remoteCode ?? '');
  return code === 'ERR_NOT_FOUND' && isOfObject ? 'not_found' : undefined;
}

/** The version to report of a missing object, and the file that stands in its place, if it has one. */
export interface Replacement {
  readonly source: ObjectVersion;
  readonly file: MountedFile | undefined;
}

/** Returns what stands in the place of a missing object. The version of a default text changes with the text. */
export function replacementOf(object: ObjectSpec): Replacement {
  const { content, ifMissing } = object;
  const id = objectIdOf(object);
  if (ifMissing === undefined || ifMissing.kind === 'skip' || content.kind !== 'value')
    return { source: { id, version: MISSING }, file: undefined };
  const text = ifMissing.kind === 'default' ? ifMissing.text : '';
  const digest = contentVersionOf(text).slice(0, DIGEST_LENGTH);
  const version = ifMissing.kind === 'default' ? `${MISSING}-${digest}` : MISSING;
  return { source: { id, version }, file: { path: content.path, mode: content.mode, contents: Buffer.from(text) } };
}

/**
 * Returns the file of a volume whose last file has gone. A driver leaves the old files in place if an answer has none,
 * so that this answer needs one.
 */
export function emptiedMark(missing: readonly ObjectSpec[]): LiteralFile {
  const names = missing.map(shortNameOf).join('\n');
  return { label: 'the mark of an emptied volume', path: '.missing', mode: 0o444, text: `${names}\n` };
}
