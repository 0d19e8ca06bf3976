/** Reads the files of a volume as a pod does. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the files of a volume and their contents as text; empty if there are none. */
export function filesIn(directory: string): string {
  const walk = (path: string): readonly string[] =>
    readdirSync(path, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('..'))
      .flatMap(({ name }) => {
        const file = join(path, name);
        try {
          return [`${name}: ${readFileSync(file, 'utf8')}`];
        } catch {
          return walk(file);
        }
      });
  try {
    return walk(directory).join('\n');
  } catch {
    return '';
  }
}
