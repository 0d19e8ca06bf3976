/**
 * The driver's rules for responses and file paths. `publish.ts` and the writer call it.
 */

import { csiDriverProvider, type MountedFile, type MountResponse, type ObjectVersion } from '../wire/contract.ts';
import { MAX_RESPONSE_BYTES } from './client.ts';

/** The action that the driver takes on a response. */
export type ResponseAction =
  /** Write exactly these files; each path occurs once. */
  | {
      readonly kind: 'write';
      readonly files: readonly MountedFile[];
      readonly objectVersions: readonly ObjectVersion[];
    }
  /** Leave the volume unchanged. The Mount succeeds, because a response without files is allowed. */
  | { readonly kind: 'keep'; readonly objectVersions: readonly ObjectVersion[] }
  /** Write nothing. The Mount fails. `code` is the provider's code, if it sent one. */
  | { readonly kind: 'refused'; readonly message: string; readonly code?: string };

const MAX_PATH_BYTES = 4096;
const MAX_ELEMENT_BYTES = 255;

/** Checks a response by the driver's rules, in the driver's order. */
export function checkResponse(response: MountResponse): ResponseAction {
  const size = csiDriverProvider.Mount.responseSerialize(response).length;
  if (size > MAX_RESPONSE_BYTES) {
    return { kind: 'refused', message: `received message larger than max (${size} vs. ${MAX_RESPONSE_BYTES})` };
  }
  const code = response.error?.code ?? '';
  if (code !== '') return { kind: 'refused', message: `mount request failed with provider error code ${code}`, code };
  if (response.objectVersion.length === 0) return { kind: 'refused', message: 'missing object versions' };
  const objectVersions = lastById(response.objectVersion);
  if (response.files.length === 0) return { kind: 'keep', objectVersions };

  for (const { path } of response.files) {
    const problem = pathProblem(path);
    if (problem !== undefined) return { kind: 'refused', message: `invalid path: ${problem}: ${JSON.stringify(path)}` };
  }
  const files = lastByPath(response.files);
  const blocked = blockedPath(files);
  if (blocked !== undefined) {
    return { kind: 'refused', message: `open ${JSON.stringify(blocked)}: a file exists at the path of its directory` };
  }
  return { kind: 'write', files, objectVersions };
}

/** Returns the reason for which the driver refuses a path, or undefined. The limits count bytes. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'must not be empty';
  if (path.startsWith('/')) return 'must be relative path';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `must be less than or equal to ${MAX_PATH_BYTES} characters`;
  const elements = path.split('/');
  if (elements.includes('..')) return "must not contain '..'";
  if (elements[0]?.startsWith('..')) return "must not start with '..'";
  if (elements.some((element) => element === '' || element === '.')) return 'must be in its shortest form';
  if (elements.some((element) => Buffer.byteLength(element) > MAX_ELEMENT_BYTES)) {
    return `filenames must be less than or equal to ${MAX_ELEMENT_BYTES} characters`;
  }
  if (path.includes('\0')) return 'must not contain a NUL byte';
  return undefined;
}

function lastByPath(files: readonly MountedFile[]): MountedFile[] {
  const byPath = new Map<string, MountedFile>();
  for (const file of files) byPath.set(file.path, { ...file, mode: file.mode & 0o777 });
  return [...byPath.values()];
}

function lastById(objectVersions: readonly ObjectVersion[]): ObjectVersion[] {
  return [...new Map(objectVersions.map((object) => [object.id, object])).values()];
}

function blockedPath(files: readonly MountedFile[]): string | undefined {
  const paths = new Set(files.map(({ path }) => path));
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (paths.has(path.slice(0, slash))) return path;
    }
  }
  return undefined;
}
