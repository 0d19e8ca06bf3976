import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lookups } from '../../src/azure/http/lookups.ts';
import { resolverBy } from '../../src/azure/http/resolver.ts';

const HOSTS = `
127.0.0.1 localhost
::1 localhost ip6-localhost
192.0.2.2 login.localhost  my-key-vault.vault.localhost # 192.0.2.9 comment.localhost
2001:db8::2\tMixed.Localhost
192.0.2.3 mixed.localhost
not-an-address bad.localhost
192.0.2.4 login.localhost.example
`;

describe('names under .localhost', () => {
  const folder = mkdtempSync(join(tmpdir(), 'akv-hosts-'));
  const path = (name: string) => join(folder, name);

  beforeAll(() => {
    writeFileSync(path('hosts'), HOSTS);
    writeFileSync(path('large'), `192.0.2.2 login.localhost\n${' '.repeat(4 * 1024 * 1024)}`);
    symlinkSync(path('hosts'), path('link'));
    mkdirSync(path('directory'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Returns all addresses or the first one, as `dns.lookup` does. */
  const look = (name: string, options: { all?: boolean; family?: number | 'IPv4' | 'IPv6' } = {}, file = 'hosts') =>
    new Promise<unknown>((resolve) => {
      const { lookup } = new Lookups({ resolve: resolverBy({ hosts: path(file), resolvConf: path('absent') }) });
      lookup(name, options, (error, address, family) => resolve(error ?? [address, family]));
    });

  it.each<[string, string, Parameters<typeof look>[1], unknown]>([
    ['of the hosts file', 'login.localhost', {}, ['192.0.2.2', 4]],
    ['in capitals', 'My-Key-Vault.Vault.LOCALHOST', {}, ['192.0.2.2', 4]],
    ['not there', 'other.vault.localhost', {}, ['127.0.0.1', 4]],
    ['in a comment', 'comment.localhost', {}, ['127.0.0.1', 4]],
    ['beside no address', 'bad.localhost', {}, ['127.0.0.1', 4]],
    ['localhost itself', 'localhost', {}, ['127.0.0.1', 4]],
    ['with two addresses', 'mixed.localhost', {}, ['2001:db8::2', 6]],
    ['with two, IPv4 wanted', 'mixed.localhost', { family: 4 }, ['192.0.2.3', 4]],
    ['with two, IPv6 wanted', 'mixed.localhost', { family: 'IPv6' }, ['2001:db8::2', 6]],
  ])('%s', async (_, name, options, expected) => {
    expect(await look(name, options)).toEqual(expected);
  });

  it('have all of their addresses', async () => {
    const both = [
      { address: '2001:db8::2', family: 6 },
      { address: '192.0.2.3', family: 4 },
    ];
    expect(await look('mixed.localhost', { all: true })).toEqual([both, undefined]);
    expect(await look('none.localhost', { all: true })).toEqual([[{ address: '127.0.0.1', family: 4 }], undefined]);
  });

  it.each([
    ['a link', 'link', '192.0.2.2'],
    ['absent', 'absent', '127.0.0.1'],
    ['a directory', 'directory', '127.0.0.1'],
    ['beyond its limit', 'large', '127.0.0.1'],
  ])('where the hosts file is %s', async (_, file, address) => {
    expect(await look('login.localhost', {}, file)).toEqual([address, 4]);
  });
});
