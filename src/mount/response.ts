/**
 * Builds the answer of a Mount. `mount.ts` calls it. Files that collide, volumes whose objects give no file, and
 * answers that are too large for the driver are refused.
 */

import { ProviderError } from '../base/errors.ts';
import { type ClaimedPath, type PathConflict, pathConflicts } from '../spc/file-path.ts';
import type { MountedFile, ObjectVersion } from '../wire/contract.ts';
import type { MountOutput } from './handler.ts';

/** The size of an answer that the driver's client accepts by default, in bytes. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** The size limit of a synced Kubernetes Secret; the driver warns above it too. */
const WARN_ANSWER_BYTES = 1024 * 1024;
/** Upper estimate of the encoding of one file besides its path and contents. */
const FILE_OVERHEAD_BYTES = 32;

/** A file, and the object that it was made of. */
export interface MadeFile {
  readonly file: MountedFile;
  readonly source: ObjectVersion;
  /** The label of the object in error messages. */
  readonly owner: string;
  /** The path has a key of a secret in it, which messages must not show. */
  readonly named?: 'by content' | undefined;
}

/** The answer, with a warning if it is large. */
export interface Answer extends Omit<MountOutput, 'memory' | 'note'> {
  /** Upper estimate of the size of its encoding. */
  readonly bytes: number;
  readonly warning: string | undefined;
}

/**
 * Builds the answer from the files, with one object version for each file, and checks the limits of the driver.
 * `unwritten` holds the versions of objects that were used for the files of other objects, or that are missing;
 * `mayBeEmpty`: these are all, so that there is no file.
 * Throws: ERR_BAD_PARAMETERS for paths that collide, ERR_TOO_LARGE.
 */
export function assembleAnswer(
  made: readonly MadeFile[],
  unwritten: readonly ObjectVersion[],
  mayBeEmpty = false,
): Answer {
  const claims = made.map(({ file, owner, named }) => ({ path: file.path, owner, named }));
  const [conflict] = pathConflicts(claims);
  if (conflict !== undefined) {
    throw new ProviderError('ERR_BAD_PARAMETERS', `failed to mount objects, error: ${inWords(conflict)}`);
  }
  if (made.length === 0 && !mayBeEmpty) {
    throw new ProviderError(
      'ERR_BAD_PARAMETERS',
      'failed to mount objects, error: the objects give no file; at least one of them must be written',
    );
  }
  const bytes = made.reduce(
    (sum, { file }) => sum + file.contents.length + Buffer.byteLength(file.path) + FILE_OVERHEAD_BYTES,
    0,
  );
  if (bytes > MAX_ANSWER_BYTES) {
    throw new ProviderError(
      'ERR_TOO_LARGE',
      `failed to mount objects, error: the files of this volume have ${bytes} bytes together, and the driver accepts ${MAX_ANSWER_BYTES}; ` +
        'spread the objects over several SecretProviderClasses',
    );
  }
  return {
    bytes,
    files: made.map(({ file }) => file),
    objectVersions: [...made.map(({ source }) => source), ...unwritten],
    warning:
      bytes > WARN_ANSWER_BYTES
        ? `the files of this volume have ${bytes} bytes together; over ${WARN_ANSWER_BYTES} they cannot be synced to a Kubernetes Secret`
        : undefined,
  };
}

/** Returns the message about two paths that cannot both exist, without a path that is the content of a secret. */
function inWords({ claim, other, message }: PathConflict<ClaimedPath & Pick<MadeFile, 'named'>>): string {
  if (claim.named === undefined && other.named === undefined) return message;
  const owners = claim.owner === other.owner ? claim.owner : `${other.owner} and ${claim.owner}`;
  return `a key of a secret gives a path that another file has, or that another file needs as a directory: ${owners}; put another directory in front of {key}`;
}
