/**
 * Checks the paths and permission bits of files, and finds paths that cannot both exist. Called by the readers
 * of objects and for the files of a whole volume. Applies the rules of the official provider first, then those of the
 * driver.
 */

import { quote } from '../base/words.ts';

const MAX_PATH_BYTES = 4096;
const MAX_ELEMENT_BYTES = 255;

/** A problem of a file's path. */
export interface PathProblem {
  readonly text: string;
  /** True if the official provider finds it too, with this text. */
  readonly upstream: boolean;
}

/** Returns the problem of a file's path, or undefined. The rules are the official provider's, then the driver's. */
export function filePathProblem(path: string): PathProblem | undefined {
  const found = (upstream: boolean, text: string): PathProblem => ({ text, upstream });
  if (path === '') return found(true, 'file name must not be empty');
  if (path.startsWith('/')) return found(true, `file name must be a relative path: ${quote(path)} starts at the root`);
  if (path.includes('..')) return found(true, `file name must not contain '..': ${quote(path)}`);
  if (path.includes('\0')) return found(false, 'file name must not contain a NUL byte');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return found(false, `file name is over ${MAX_PATH_BYTES} bytes`);
  const elements = path.split('/');
  if (elements.some((element) => element === '' || element === '.')) {
    const rule = 'leave out empty elements, "." and a trailing "/"';
    return found(false, `file name ${quote(path)} is not in its shortest form: ${rule}`);
  }
  if (elements.some((element) => Buffer.byteLength(element) > MAX_ELEMENT_BYTES)) {
    return found(false, `file name ${quote(path)} has an element over ${MAX_ELEMENT_BYTES} bytes`);
  }
  return undefined;
}

/** Returns the permission bits of an octal text such as `0644`, or undefined if it is not between 0 and 0777. */
export function parseFileMode(text: string): number | undefined {
  if (!/^\+?[0-7]+$/.test(text)) return undefined;
  const mode = Number.parseInt(text, 8);
  return mode <= 0o777 ? mode : undefined;
}

/** A path that a volume will hold, and the object that it belongs to. */
export interface ClaimedPath {
  readonly path: string;
  /** The object, in the words of an error message. */
  readonly owner: string;
}

/** Two paths that cannot both exist. */
export interface PathConflict<C extends ClaimedPath> {
  readonly claim: C;
  /** The earlier claim. */
  readonly other: C;
  /** Names both owners. */
  readonly message: string;
}

/** Returns the paths that cannot both exist: the same path twice, or a file where another path needs a directory. */
export function pathConflicts<C extends ClaimedPath>(claims: readonly C[]): readonly PathConflict<C>[] {
  const taken = new Map<string, C>();
  const conflicts: PathConflict<C>[] = [];
  const report = (claim: C, other: C, text: string) =>
    conflicts.push({ claim, other, message: `${text}; give one of them another path` });
  for (const claim of claims) {
    const { path, owner } = claim;
    const other = taken.get(path);
    if (other === undefined) taken.set(path, claim);
    else report(claim, other, `file ${quote(path)} is written by both ${other.owner} and ${owner}`);
  }
  const lengths = new Set([...taken.keys()].map(({ length }) => length));
  for (const [path, claim] of taken) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (!lengths.has(slash)) continue;
      const parent = path.slice(0, slash);
      const other = taken.get(parent);
      if (other === undefined) continue;
      const text = `${quote(parent)} is a file of ${other.owner} and a directory of ${claim.owner} (${quote(path)})`;
      report(claim, other, text);
    }
  }
  return conflicts;
}
