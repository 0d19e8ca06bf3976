import { ProviderError } from '../base/errors.ts';
import { type ClaimedPath, pathConflicts } from '../spc/file-path.ts';
import type { MountedFile, ObjectVersion } from '../wire/contract.ts';
import type { MountOutput } from './handler.ts';

/** What the driver's client accepts by default. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** What a synced Kubernetes Secret can hold; the driver warns above it too. */
const WARN_ANSWER_BYTES = 1024 * 1024;
/** A file's framing on the wire, generously. */
const FILE_OVERHEAD_BYTES = 32;

/** A file, and the object it was made of. */
export interface MadeFile {
  readonly file: MountedFile;
  readonly source: ObjectVersion;
  /** The object in the words of an error message. */
  readonly owner: string;
}

/** The answer, with a remark where it is too large to be comfortable. */
export interface Answer extends MountOutput {
  readonly warning: string | undefined;
}

/**
 * Puts the files together, one object version a file, and holds them against what the driver accepts.
 * `unwritten` are versions of objects that took part in other objects' files.
 * Errors: ERR_BAD_PARAMETERS for paths that collide, ERR_TOO_LARGE.
 */
export function assembleAnswer(made: readonly MadeFile[], unwritten: readonly ObjectVersion[]): Answer {
  const claims: ClaimedPath[] = made.map(({ file, owner }) => ({ path: file.path, owner }));
  const [conflict] = pathConflicts(claims);
  if (conflict !== undefined) {
    throw new ProviderError('ERR_BAD_PARAMETERS', `failed to mount objects, error: ${conflict.message}`);
  }
  if (made.length === 0) {
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
    files: made.map(({ file }) => file),
    objectVersions: [...made.map(({ source }) => source), ...unwritten],
    warning:
      bytes > WARN_ANSWER_BYTES
        ? `the files of this volume have ${bytes} bytes together; over ${WARN_ANSWER_BYTES} they cannot be synced to a Kubernetes Secret`
        : undefined,
  };
}
