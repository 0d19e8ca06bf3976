/**
 * Reads the imports of the project's own files from their text, those of types included, and finds the circles
 * among them. The house tests call it. Packages, generated texts (`?raw`) and files that do not exist are left out.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the project. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** `from '…'`, `import '…'` and `import('…')` with a relative path. */
const IMPORT = /(?:\bfrom |\bimport |\bimport\()'(\.[^']+)'/g;

/** Returns the TypeScript files below a folder of the project, relative to its root, sorted. */
export function filesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => join(folder, path))
    .sort();
}

/** Returns the files of the project that a file imports, relative to its root. */
export function importsOf(path: string): readonly string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(IMPORT)]
    .map(([, specifier = '']) => relative(root, resolve(root, dirname(path), specifier)))
    .filter((target) => target.endsWith('.ts') && existsSync(join(root, target)));
}

/**
 * Circles in a graph of imports: for each edge that leads back to a file on the way there, the files from that file
 * on, with the file repeated at the end. Empty where there is no circle.
 */
export function importCycles(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const cycles: (readonly string[])[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) {
      cycles.push([...way.slice(start), file]);
    } else if (!done.has(file)) {
      for (const target of graph.get(file) ?? []) {
        visit(target, [...way, file]);
      }
      done.add(file);
    }
  };
  for (const file of graph.keys()) {
    visit(file, []);
  }
  return cycles;
}
