import type { LookupFunction } from 'node:net';
import { expect, it } from 'vitest';
import { GRACE_MS, Lookups } from '../../src/azure/http/lookups.ts';

const find = (lookup: LookupFunction, name: string) =>
  new Promise((resolve, reject) =>
    lookup(name, { family: 4 }, (error, address) => (error === null ? resolve(address) : reject(error))),
  );

it('finds addresses for the calls under way when the provider stops, and for those they make then', async () => {
  const lookups = new Lookups();
  const before = find(lookups.lookup, 'vault.localhost');
  lookups.stop(GRACE_MS);
  const after = find(lookups.lookup, 'login.localhost');
  expect(await Promise.all([before, after])).toEqual(['127.0.0.1', '127.0.0.1']);
});
