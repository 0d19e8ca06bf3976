/**
 * Reads plain data of a manifest, whose scalars may be texts or JSON values: `render` reads manifests from YAML,
 * where every scalar is a text, and the webhook gets objects from the API server.
 */

import { isJsonObject } from '../../base/json.ts';

/** A map of a manifest. */
export type Data = Readonly<Record<string, unknown>>;

/** Names and list positions that lead from a map to a value in it. */
export type Path = readonly (string | number)[];

/** Returns the value at a path, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => {
    if (Array.isArray(inner)) return typeof key === 'number' ? inner[key] : undefined;
    return isJsonObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined;
  }, value);
}

/** Returns the text at a path; empty if there is none. */
export function textAt(value: unknown, path: Path): string {
  const text = valueAt(value, path);
  return typeof text === 'string' ? text : '';
}

/** Returns the list at a path; empty if there is none. */
export function listAt(value: unknown, path: Path): readonly unknown[] {
  const list = valueAt(value, path);
  return Array.isArray(list) ? list : [];
}

/** Compares two values of manifests. `true` and the text `true` are equal, and the order of keys does not matter. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((element, index) => isSame(element, b[index]));
  if (isJsonObject(a) && isJsonObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
    );
  }
  return isScalar(a) && isScalar(b) && String(a) === String(b);
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}
