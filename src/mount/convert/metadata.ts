/**
 * Makes the file of an object's metadata: JSON of what the vault says about the object. `convert.ts` calls it. The file
 * never holds the value.
 */

import type { ObjectSpec } from '../../spc/model.ts';
import type { MountedFile, ObjectVersion } from '../../wire/contract.ts';
import { contentVersionOf } from '../content-version.ts';
import type { FetchedObject } from '../ports.ts';

/** The largest distance from 1970 that a date of JavaScript has, in milliseconds. */
const MAX_TIME_MS = 8.64e15;

/** A file, and the version to report of it. */
export interface MetadataDraft {
  readonly file: MountedFile;
  readonly source: ObjectVersion;
}

/**
 * Returns the metadata of one version of an object. The version of the file is a digest of its content, since tags and
 * dates change without a new version of the object.
 */
export function metadataOf(
  { type, name }: ObjectSpec,
  { version, expiresAt, facts = {} }: FetchedObject,
  { path, mode, vaultName }: { readonly path: string; readonly mode: number; readonly vaultName: string },
): MetadataDraft {
  const { contentType, enabled, createdAt, updatedAt, notBefore, tags = {} } = facts;
  const metadata = {
    name,
    type,
    vault: vaultName,
    version,
    contentType,
    enabled,
    created: dateOf(createdAt),
    updated: dateOf(updatedAt),
    notBefore: dateOf(notBefore),
    expires: dateOf(expiresAt),
    tags,
  };
  const contents = Buffer.from(`${JSON.stringify(metadata, undefined, 2)}\n`);
  return { file: { path, mode, contents }, source: { id: `metadata/${path}`, version: contentVersionOf(contents) } };
}

/** Returns a time in the form of RFC 3339, in UTC and whole seconds, which is all that Key Vault keeps. */
export function dateOf(time: number | undefined): string | undefined {
  if (time === undefined || Math.abs(time) > MAX_TIME_MS) return undefined;
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}
