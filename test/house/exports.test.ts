/** What a file exports, another file uses: nothing is open to others without need. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filesOf, root } from './imports.ts';

const EXPORT = /^export (?:async )?(?:function\*?|const|class|let) (\w+)/gm;

it('exports only values that another file uses', () => {
  const scripts = ['bench', 'scripts', '.'].flatMap((folder) =>
    readdirSync(join(root, folder), { encoding: 'utf8' })
      .filter((name) => /\.m?[jt]s$/.test(name))
      .map((name) => join(folder, name)),
  );
  const files = [...['src', 'test', 'bench'].flatMap(filesOf), ...scripts];
  const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
  const users = new Map<string, Set<string>>();
  for (const [file, text] of texts) {
    for (const word of text.match(/\b[A-Za-z]\w+/g) ?? []) users.set(word, (users.get(word) ?? new Set()).add(file));
  }
  const unused = [...texts].flatMap(([file, text]) =>
    [...text.matchAll(EXPORT)].flatMap(([, name = '']) => (users.get(name)?.size === 1 ? [`${file}: ${name}`] : [])),
  );
  expect(unused).toEqual([]);
});
