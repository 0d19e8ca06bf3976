import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { chartDir, type Tree } from './helm.ts';
import { officialValues } from './official-values.ts';

interface Schema {
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: boolean;
}

const read = (file: string) => readFileSync(join(chartDir, file), 'utf8');
const values = parse(read('values.yaml')) as Tree;
const schema = JSON.parse(read('values.schema.json')) as Schema;

/** Values that are maps of ours; any other map is the user's to fill, and one value. */
const groups = ['proxy', 'caBundle', 'linux', 'linux.image', 'rbac', 'windows', 'secrets-store-csi-driver'];

function paths(tree: Tree, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([name, value]) =>
    groups.includes(prefix + name) ? paths(value as Tree, `${prefix}${name}.`) : [prefix + name],
  );
}

test('README documents every value, and none that is not there', () => {
  const documented = [...read('README.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual(paths(values).toSorted());
});

test('every value of the official chart has its place', () => {
  const known = paths(values);
  const ours = (name: string) => !/^(windows|secrets-store-csi-driver)\./.test(name);
  expect(paths(officialValues).filter((name) => ours(name) && !known.includes(name))).toEqual([]);
});

test('schema knows every value, and knows no other in maps of ours', () => {
  const properties = (path: string) =>
    path.split('.').reduce<Schema | undefined>((found, name) => found?.properties?.[name], schema);
  for (const path of paths(values)) expect(properties(path), path).toBeDefined();
  for (const group of ['proxy', 'caBundle', 'linux', 'linux.image', 'rbac']) {
    expect(properties(group)?.additionalProperties, group).toBe(false);
    const inSchema = Object.keys(properties(group)?.properties ?? {}).map((name) => `${group}.${name}`);
    expect(inSchema.filter((path) => !groups.includes(path) && !paths(values).includes(path))).toEqual([]);
  }
  expect(schema.additionalProperties).toBe(false);
});
