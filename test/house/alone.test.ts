import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ALONE } from '../support/alone.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('every test file that sets the address of IMDS for its process runs in a process of its own', () => {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) =>
      /process\.env\.AZURE_POD_IDENTITY_AUTHORITY_HOST =/.test(readFileSync(join(root, 'test', name), 'utf8')),
    )
    .map((name) => `test/${name}`);
  expect(files.sort()).toEqual([...ALONE].sort());
});
