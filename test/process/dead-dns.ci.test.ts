import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import exampleSeed from '../../examples/emulator-seed.yaml?raw';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { nameServer, resolverFiles } from '../support/name-server.ts';
import { type Provider, scratch, serve } from '../support/process.ts';
import { cloudOf, mountOne } from '../support/process-hanging.ts';
import { findTool } from '../support/tools.ts';

/** The process itself, in a view of the file system in which a file of the test is `/etc/resolv.conf`. */
const WITH_CONF = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"'];
const namespaces = findTool('unshare', '--mount', 'sh', '-c', 'mount --bind /dev/null /etc/resolv.conf');
const processes = namespaces && findTool('unshare', '--pid', '--fork', '--mount-proc', 'true');
const END = { code: 0, signal: null };
const SILENT = expect.stringMatching(
  /DNS failed, EAI_AGAIN: the name server did not answer for this name \(asked 127\./,
);

const clientId = (number: number) => `22222222-2222-2222-2222-22222222222${number}`;

/** A name server at port 53 of an address of this machine that no other test uses. */
function deadServer() {
  const host = `127.${[1, 2, 3].map(() => randomInt(2, 250)).join('.')}`;
  return nameServer({ 'login.silent.example': 'silent' }, { host, port: 53 });
}

describe.skipIf(!namespaces)('a provider whose name server does not answer', () => {
  async function provider(by: readonly string[] = []) {
    const server = await deadServer();
    const directory = scratch();
    const cloudFile = join(directory, 'cloud.json');
    writeFileSync(cloudFile, cloudOf({ login: 'login.silent.example', vaults: 'vault.silent.example' }));
    const { resolvConf } = resolverFiles(directory, [{ address: server.host }]);
    const started: Provider = await serve(join(directory, 'a.sock'), {
      args: ['--cloud-name=AzureStackCloud'],
      env: { AZURE_ENVIRONMENT_FILEPATH: cloudFile },
      by: [...WITH_CONF, resolvConf, ...by],
    });
    return { ...started, asked: () => expect.poll(() => server.asked.length, { timeout: 60_000 }).toBeGreaterThan(0) };
  }

  it('answers the Mounts that wait for it as without a stop, and ends', async () => {
    const { path, asked, stop, output } = await provider();
    const mounts = Array.from({ length: 8 }, (_, number) =>
      mountOne(path, { secrets: { clientid: clientId(number) } }),
    );
    await asked();
    expect(await stop()).toEqual(END);
    for (const { failed } of mounts) expect(await failed).toMatchObject({ code: 2, details: SILENT });
    expect(output('stdout')).toMatch(/ msg=Stopped\n$/);
  });

  it('ends after a Mount that nobody waits for any more', async () => {
    const { path, asked, stop } = await provider();
    const { failed, cancel } = mountOne(path);
    await asked();
    cancel();
    await failed;
    expect(await stop()).toEqual(END);
  });

  it.skipIf(!processes)('ends as process 1 of a container, which no signal of its own ends', async () => {
    const { child, path, asked, ended } = await provider(['unshare', '--pid', '--fork', '--mount-proc']);
    const { failed } = mountOne(path);
    await asked();
    const inner = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
    process.kill(inner, 'SIGTERM');
    expect(await ended).toEqual(END);
    await failed;
  });

  it('says so in the Mount, and names the server', async () => {
    const { path } = await provider();
    expect(await mountOne(path).failed).toMatchObject({ details: SILENT });
  });
});

describe.skipIf(!namespaces)('eight vaults whose names nobody answers for', () => {
  it('do not hold up a Mount of another vault', async () => {
    const domain = 'vault.test.example';
    const good = `my-key-vault.${domain}`;
    const emulator = await startEmulator({ seed: exampleSeed, hosts: [good] });
    try {
      const host = `127.${[1, 2, 3].map(() => randomInt(2, 250)).join('.')}`;
      const bad = Array.from({ length: 8 }, (_, i) => `bad-vault-${i}`);
      const silent = Object.fromEntries(bad.map((name) => [`${name}.${domain}`, 'silent' as const]));
      const server = await nameServer({ [good]: ['127.0.0.1'], ...silent }, { host, port: 53 });
      const directory = scratch();
      const login = `login.localhost:${emulator.port}`;
      writeFileSync(join(directory, 'cloud.json'), cloudOf({ login, vaults: `${domain}:${emulator.port}` }));
      writeFileSync(join(directory, 'ca.pem'), emulator.caPem);
      const { resolvConf } = resolverFiles(directory, [{ address: host }]);
      const { path, metric } = await serve(join(directory, 'a.sock'), {
        args: ['--cloud-name=AzureStackCloud'],
        env: {
          AZURE_ENVIRONMENT_FILEPATH: join(directory, 'cloud.json'),
          SSL_CERT_FILE: join(directory, 'ca.pem'),
        },
        by: [...WITH_CONF, resolvConf],
      });
      let failures = 0;
      const waiting = bad.map((keyvaultName) =>
        mountOne(path, { parameters: { keyvaultName } }).failed.then((failure) => {
          failures++;
          return failure;
        }),
      );
      await expect.poll(() => new Set(server.asked).size, { timeout: 60_000 }).toBe(8);
      // A vault that is asked for the first time while eight names wait.
      expect(await mountOne(path).failed).toBeUndefined();
      expect(failures).toBe(0);
      for (const failure of await Promise.all(waiting)) {
        expect(failure?.details).toMatch(/DNS failed, EAI_AGAIN: .* \(asked 127\./);
      }
      // Each name was looked up once, by two questions at most; no lookup was repeated.
      expect(await metric('akv_csi_name_lookups_total{result="failed"}')).toBe(8);
      expect(server.asked.filter((name) => name !== good).length).toBeLessThanOrEqual(16);
    } finally {
      await emulator.close();
    }
  });
});
