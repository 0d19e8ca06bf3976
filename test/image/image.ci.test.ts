/**
 * Assembles the image twice, from two runs of the Dockerfile's build stage, and runs it as the DaemonSet does: health, `Version`
 * and a Mount from the emulator, as root and as another user. `npm run test:image` starts it.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { NODE_PUBLISH_SECRET, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { run } from '../cluster/process.ts';
import { imageConfig } from '../support/dockerfile.ts';
import { distDirectory, mountInto, seedOf } from '../support/e2e.ts';
import { projectVersion } from '../support/markdown.ts';
import { imageFiles, pushBase, pushImage, type Registry, startRegistry } from './assemble.ts';
import { type Config, type Running, startContainer } from './container.ts';

const MIB = 2 ** 20;
/** Prints for each cache of the image whether V8 takes it. */
const CACHES = `const { readdirSync, readFileSync } = require('node:fs');
for (const name of readdirSync('/app').filter((name) => name.endsWith('.cache'))) {
  const source = readFileSync('/app/' + name.replace(/-v[^-]*-[^-]*$/, '.js'), 'latin1');
  const cachedData = readFileSync('/app/' + name).subarray(32);
  console.log(name.split('-')[0], new (require('node:vm').Script)(source, { cachedData }).cachedDataRejected);
}`;

const from = imageFiles();
const directory = mkdtempSync(join(tmpdir(), 'akv-image-'));
const undos: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
afterAll(async () => {
  for (const undo of undos.reverse()) await undo();
});

describe.skipIf(from === undefined)('the image', () => {
  let registry: Registry;
  let first: string;
  let second: string;
  let config: Config & { readonly Labels: Readonly<Record<string, string>> };
  let layers: readonly string[];
  let emulator: Emulator;
  const root = join(directory, 'root');
  const crane = (...args: readonly string[]) => run('crane', args);

  beforeAll(async () => {
    registry = await startRegistry(directory);
    undos.push(() => registry.stop());
    const base = await pushBase(registry.name, join(from ?? '', 'base'), directory);
    const push = (name: string, files: string) =>
      pushImage(base, join(from ?? '', files), join(directory, name), `${registry.name}/akv-csi-provider:${name}`);
    first = await push('first', 'src/dist');
    second = await push('second', 'another/directory/src/dist');
    config = JSON.parse(await crane('config', first)).config;
    layers = JSON.parse(await crane('manifest', first)).layers.map(({ digest }: { digest: string }) => digest);
    mkdirSync(root);
    await crane('export', first, join(directory, 'root.tar'));
    await run('tar', ['-C', root, '--same-owner', '-xpf', join(directory, 'root.tar')]);
    emulator = await startEmulator({ seed: seedOf('    secrets: [{name: password, value: from-the-vault}]') });
    undos.push(() => emulator.close());
    mkdirSync(join(directory, 'azure'));
    writeFileSync(join(directory, 'azure/ca.pem'), emulator.caPem);
    writeFileSync(join(directory, 'azure/cloud.json'), emulator.cloudFile);
  }, 600_000);

  it('is the same bytes each time', () => {
    const digest = (name: string) => name.split('@')[1];
    expect(digest(first)).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(digest(second)).toBe(digest(first));
  });

  it('is configured as the Dockerfile says, on top of its base', () => {
    const { entrypoint, env, labels } = imageConfig();
    expect(config.Entrypoint).toEqual(entrypoint);
    expect(config.Env).toEqual(expect.arrayContaining([...env]));
    expect(env.length).toBeGreaterThanOrEqual(3);
    expect(
      Object.entries(config.Labels)
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    ).toEqual(labels.toSorted());
    expect(labels).toContain(`org.opencontainers.image.version=${projectVersion()}`);
  });

  it('adds one layer with the program, which everybody can read and only root can change', async () => {
    expect(layers).toHaveLength(2);
    await crane('export', first, join(directory, 'files.tar'));
    const listed = await run('tar', ['--numeric-owner', '-tvf', join(directory, 'files.tar')]);
    const files = listed
      .split('\n')
      .filter((line) => / app\/./.test(line))
      .map((line) => line.split(/\s+/));
    const kind = (path = '') =>
      path.replace('app/', '').replace(/-[0-9a-f]{16}(?:-v[^-]+-[^-]+)?(?=\.(?:js|cache)$)/, '');
    const built = readdirSync(distDirectory).filter((name) => name !== 'lab.js');
    expect(files.map((words) => kind(words.at(-1))).toSorted()).toEqual(built.map(kind).toSorted());
    for (const [mode, owner, , , , path] of files) {
      const runs = /main|kubectl(?:_complete)?-akv/.test(path ?? '');
      expect([mode, owner], path).toEqual([runs ? '-rwxr-xr-x' : '-rw-r--r--', '0/0']);
    }
    const bytes = files.reduce((sum, [, , size]) => sum + Number(size), 0);
    expect(bytes).toBeGreaterThan(4 * MIB);
    expect(bytes).toBeLessThan(10 * MIB);
  });

  it.each([
    ['root', 0],
    ['the user of distroless that is not root', 65532],
  ])(
    'mounts as %s, with a read-only file system, no capabilities and 128 MiB',
    async (_name, user) => {
      const provider = join(directory, `provider-${user}`);
      mkdirSync(provider);
      await run('chown', [`${user}:${user}`, provider]);
      const running: Running = {
        user,
        memoryBytes: 128 * MIB,
        mounts: { '/provider': provider, '/azure': join(directory, 'azure') },
        args: ['--healthz-port=0', '--prometheus-port=0', '--cloud-name=AzureStackCloud'],
        env: ['AZURE_ENVIRONMENT_FILEPATH=/azure/cloud.json', 'SSL_CERT_DIR=/azure'],
      };
      const container = startContainer(root, config, running, join(directory, `container-${user}`));
      onTestFinished(() => container.stop());
      await container.until(() => container.output().includes('msg=Serving'));

      const [, port] = / healthPort=(\d+)/.exec(container.output()) ?? [];
      const health = await fetch(`http://127.0.0.1:${port}/healthz`);
      expect([health.status, await health.text()]).toEqual([200, 'ok']);
      const client = connectProvider(`unix://${join(provider, 'azure.sock')}`);
      onTestFinished(() => client.close());
      expect(await client.version()).toMatchObject({
        runtimeVersion: `v${projectVersion()}`,
      });
      const parameters = {
        keyvaultName: VAULT,
        tenantID: TENANT,
        objects: 'array:\n  - "objectName: password\\nobjectType: secret"',
      };
      const { files } = await mountInto({ client, directory }, `volume-${user}`, parameters);
      expect(Object.fromEntries(files.map(({ path, contents }) => [path, Buffer.from(contents).toString()]))).toEqual({
        password: 'from-the-vault',
      });
      expect(container.output()).not.toContain(NODE_PUBLISH_SECRET.clientsecret);

      const status = await container.node('-p', "fs.readFileSync('/proc/1/status', 'latin1')");
      expect(status).toMatch(new RegExp(`^Uid:(?:\\t${user}){4}$`, 'm'));
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      await expect(container.node('-e', "fs.writeFileSync('/app/new', '')")).rejects.toThrow('EROFS');
      expect(await container.node('-e', CACHES)).toBe(
        ['certificates', 'entry', 'keys', 'metrics', 'provider', 'start'].map((name) => `${name} false\n`).join(''),
      );
      await container.node('-e', "require('/app/memory.node').trim()");
      await container.end();
      expect(container.output()).not.toMatch(/level=(?:warn|error)/);
    },
    300_000,
  );
});
