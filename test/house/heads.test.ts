/** Checks that every source file begins with a comment that describes its purpose. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.endsWith('.d.ts'),
);

/** A doc comment at the top of a file. An empty line or the imports separate it from the first declaration. */
const HEAD = /^\/\*\*((?:(?!\*\/)[\s\S])+)\*\/\n(?:\n|import )/;

function headOf(text: string): string {
  const found = HEAD.exec(text)?.[1] ?? '';
  return found.replace(/\n \* ?/g, ' ').trim();
}

describe('the head of a source file', () => {
  it.each(files)('%s has one, in whole sentences', (path) => {
    const head = headOf(readFileSync(join(src, path), 'utf8'));
    expect(head.split(' ').length).toBeGreaterThan(5);
    expect(head).toMatch(/[.`)]$/);
  });

  it('is not taken from the comment of the first declaration', () => {
    expect(headOf('/** Counts all that is there in this place. */\nexport const x = 1;\n')).toBe('');
    expect(headOf('/** Counts all that is there. */\n\nexport const x = 1;\n')).toBe('Counts all that is there.');
  });
});
