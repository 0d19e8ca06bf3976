import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { IDENTITY_KINDS } from '../../src/spc/identities/table.ts';
import { ALLOW_ALL, GUARDED_NAMES } from '../../src/spc/overrides.ts';
import { section, tableRows } from '../support/markdown.ts';
import { chartDir, type Tree } from './helm.ts';
import { officialReleases } from './official-values.ts';
import { settings } from './settings.ts';

const read = (file: string) => readFileSync(join(chartDir, file), 'utf8');
const values = parse(read('values.yaml')) as Tree;
/** Values that the chart reads but that values.yaml does not list. They belong to the official chart. */
const unlisted = ['Azure.proxySettings.isProxyEnabled'];
const groups = [...settings.sections, 'windows', 'secrets-store-csi-driver'];

function leaves(tree: Tree, prefix = ''): [string, unknown][] {
  return Object.entries(tree).flatMap(([name, value]) =>
    groups.includes(prefix + name) ? leaves(value as Tree, `${prefix}${name}.`) : [[prefix + name, value] as const],
  ) as [string, unknown][];
}

const paths = (tree: Tree) => leaves(tree).map(([path]) => path);

test('README documents every value, and no other', () => {
  const documented = [...read('README.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual(paths(values).toSorted());
});

test('README gives the default of every value, or describes a longer one', () => {
  const rows = tableRows(section('charts/akv-csi-provider/README.md', 'Values'));
  for (const [name = '', shown = ''] of rows) {
    const path = name.replaceAll('`', '');
    const value = leaves(values).find(([known]) => known === path)?.[1];
    const [, text] = /^`(.*)`$/.exec(shown) ?? [];
    if (text === undefined) expect(JSON.stringify(value).length, path).toBeGreaterThan(50);
    else expect(parse(text), path).toEqual(value);
  }
});

test('every value of the official chart has its place', () => {
  const known = paths(values);
  const ours = (name: string) => !/^(windows|secrets-store-csi-driver)\./.test(name);
  for (const official of officialReleases.values()) {
    expect(paths(official).filter((name) => ours(name) && !known.includes(name))).toEqual([]);
  }
});

test('settings.yaml has every value with its default', () => {
  const defaults = Object.entries(settings.values)
    .filter(([path]) => !unlisted.includes(path))
    .map(([path, rule]) => [path, path === 'metricsAddr' ? String(rule.default) : rule.default]);
  expect(Object.fromEntries(defaults)).toEqual(Object.fromEntries(leaves(values)));
});

test.each([
  ['identityModes', IDENTITY_KINDS],
  ['allowVolumeAttributes', [...GUARDED_NAMES, ALLOW_ALL]],
])('%s takes the words that the program takes', (name, words) => {
  const [, pattern = ''] = /^\^\((.*)\)\$$/.exec(settings.values[name]?.pattern ?? '') ?? [];
  expect(pattern.replace('[*]', '*').split('|').toSorted()).toEqual(words.toSorted());
});

test('every flag of serve has a value', () => {
  const templates = read('templates/_helpers.tpl');
  const without = ['version', 'help', 'metrics-backend'];
  for (const { name } of SERVE_FLAGS.filter((flag) => !without.includes(flag.name))) {
    expect(templates, name).toMatch(name.length === 1 ? `"-${name}=` : new RegExp(`"(--)?${name}["=]`));
  }
});
