// Compares the table of clouds in docs/private-endpoints.md with the code.
import { expect, test } from 'vitest';
import { CLOUD_NAMES, resolveCloud } from '../../src/spc/cloud.ts';
import { section, tableRows } from '../support/markdown.ts';

test('private-endpoints.md lists the hosts of each cloud', () => {
  const known = CLOUD_NAMES.filter((name) => name !== 'AzureStackCloud').map((name) => resolveCloud(name, undefined));
  const hosts = new Map(known.map((cloud) => [cloud.name, [new URL(cloud.authorityHost).host, cloud.vaultSuffix]]));
  const wanted = [...hosts].map(([name, rest]) => [name, ...rest].map((cell) => `\`${cell}\``));
  const [, clouds = ''] = section('docs/private-endpoints.md', 'Hosts and ports').split('Login hosts and vaults');
  expect(tableRows(clouds)).toEqual(wanted);
});
