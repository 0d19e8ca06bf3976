/** Checks that files of src, bench and test do not import each other in a cycle, including imports of types. */

import { describe, expect, it } from 'vitest';
import { filesOf, importCycles, importsOf } from './imports.ts';

describe('imports', () => {
  it('have no cycles, types included', () => {
    const graph = new Map(['src', 'bench', 'test'].flatMap(filesOf).map((file) => [file, importsOf(file)]));
    expect(importCycles(graph).map((cycle) => cycle.join(' -> '))).toEqual([]);
  });

  it('are read from all files', () => {
    expect(importsOf('src/main.ts')).not.toEqual([]);
    expect(filesOf('bench').length).toBeGreaterThan(10);
  });
});

describe('importCycles', () => {
  const cyclesOf = (edges: Readonly<Record<string, readonly string[]>>) => importCycles(new Map(Object.entries(edges)));

  it('finds nothing if two paths meet', () => {
    expect(cyclesOf({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] })).toEqual([]);
  });

  it('names the files of a cycle in order, without the path to it', () => {
    expect(cyclesOf({ a: ['b'], b: ['c'], c: ['d'], d: ['b'] })).toEqual([['b', 'c', 'd', 'b']]);
  });

  it('sees a file that imports itself', () => {
    expect(cyclesOf({ a: ['a'] })).toEqual([['a', 'a']]);
  });
});
