/** Holds SECURITY.md to the tests that it names: each control has one, and each is a file of tests that the runner finds. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { links, markdownFiles, root, tableRows, textOf } from '../support/markdown.ts';

const PAGE = 'SECURITY.md';
const text = textOf(PAGE);
const [, controls = ''] = /^## Controls$(.*?)^## /ms.exec(text) ?? [];
const rows = tableRows(controls);

/** Returns the files of tests that a cell links to. */
const testsIn = (cell: string): readonly string[] =>
  [...cell.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);

describe('SECURITY.md', () => {
  it('has controls in each of its parts', () => {
    const parts = controls.split(/^### /m).slice(1);
    expect(parts.length).toBeGreaterThan(0);
    expect(parts.filter((part) => tableRows(part).length === 0)).toEqual([]);
  });

  it.each(rows)('names the test of the control against: %s', (_threat, control, tests) => {
    expect(control).not.toBe('');
    const named = testsIn(tests ?? '');
    expect(named).not.toEqual([]);
    for (const path of named) {
      expect(path).toMatch(/^test\/.*\.test\.ts$/);
      expect(existsSync(join(root, path)), path).toBe(true);
    }
  });

  it('gives each link to a test the name of its file', () => {
    const named = [...controls.matchAll(/\[([^\]]+)\]\(test\/(?:[^)]*\/)?([^/)]+?)(?:\.ci)?\.test\.ts\)/g)];
    expect(named.length).toBeGreaterThanOrEqual(rows.length);
    for (const [, name, file] of named) expect(name).toBe(file);
  });

  it('has at most 160 lines', () => {
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(160);
  });

  it.each(['README.md', 'docs/README.md'])('is linked from %s', (page) => {
    expect(markdownFiles()).toContain(PAGE);
    expect(links(page).some((target) => target.replace(/^\.\.\//, '') === PAGE)).toBe(true);
  });
});
