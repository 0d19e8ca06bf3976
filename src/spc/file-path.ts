/** What is wrong with a file's name, or undefined. The first three texts are the official provider's. */
export function filePathProblem(path: string): string | undefined {
  if (path === '') return 'file name must not be empty';
  if (path.startsWith('/')) return `file name must be a relative path: "${path}" starts at the root`;
  if (path.includes('..')) return `file name must not contain '..': "${path}"`;
  if (path.includes('\0')) return 'file name must not contain a NUL byte';
  const elements = path.split('/');
  if (elements.some((element) => element === '' || element === '.')) {
    return `file name "${path}" is not in its shortest form: leave out empty elements, "." and a trailing "/"`;
  }
  if (elements.some((element) => Buffer.byteLength(element) > 255))
    return `file name "${path}" has an element over 255 bytes`;
  if (Buffer.byteLength(path) > 4096) return 'file name is over 4096 bytes';
  return undefined;
}

/** Permission bits of an octal text such as `0644`, or undefined where it is none between 0 and 0777. */
export function parseFileMode(text: string): number | undefined {
  if (!/^[0-7]{1,6}$/.test(text)) return undefined;
  const mode = Number.parseInt(text, 8);
  return mode <= 0o777 ? mode : undefined;
}

/** A path that a volume will hold, and who asks for it. */
export interface ClaimedPath {
  readonly path: string;
  /** The object, in the words of an error message. */
  readonly owner: string;
}

/** Paths that cannot stand side by side: the same path twice, or a file where another needs a directory. */
export function pathConflicts(
  claims: readonly ClaimedPath[],
): readonly { readonly path: string; readonly message: string }[] {
  const owners = new Map<string, string>();
  const conflicts: { path: string; message: string }[] = [];
  for (const { path, owner } of claims) {
    const other = owners.get(path);
    if (other === undefined) owners.set(path, owner);
    else
      conflicts.push({
        path,
        message: `file "${path}" is written by both ${other} and ${owner}; give one of them another objectAlias`,
      });
  }
  for (const [path, owner] of owners) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const other = owners.get(parent);
      if (other === undefined) continue;
      conflicts.push({
        path,
        message: `"${parent}" is a file of ${other} and a directory of ${owner} ("${path}"); give one of them another objectAlias`,
      });
    }
  }
  return conflicts;
}
