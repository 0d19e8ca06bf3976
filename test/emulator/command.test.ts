import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { addHostsLines, removeHostsLines } from '../../src/emulator/host/hosts-file.ts';
import { builtProgram } from '../support/e2e.ts';
import { CLIENT, CLIENT_SECRET, raw, seedWith, TENANT } from '../support/emulator.ts';

/** The program of docs/emulator.md for JavaScript. */
const EXAMPLE = fileURLToPath(new URL('../../examples/sdks/javascript/read-secret.mjs', import.meta.url));
/** Resolves every name as the lines of the hosts file do, which a test cannot add to. */
const LOOPBACK = `data:text/javascript,${encodeURIComponent(`import dns from 'node:dns';
dns.lookup = (name, { all }, done) =>
  setImmediate(done, null, all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);`)}`;

const keyOf = (pem: string) => pem.slice(0, pem.indexOf('-----BEGIN CERTIFICATE'));
const certificateOf = (pem: string) => pem.slice(pem.indexOf('-----BEGIN CERTIFICATE'));

describe('akv-csi emulator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'emulator-command-'));
  const small = join(folder, 'small.yaml');
  const children: ChildProcess[] = [];

  beforeAll(() => writeFileSync(small, seedWith('')));
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  /**
   * Starts the command with a small seed, unless `flags` contains another one. The keys of the example seed are slow to
   * make.
   */
  const start = (...flags: string[]) => run(...(flags.includes('--seed') ? flags : ['--seed', small, ...flags]));

  async function run(...flags: string[]) {
    const child = spawn(process.execPath, [builtProgram(), 'emulator', '--port=0', '--imds-port=0', ...flags], {
      cwd: folder,
    });
    children.push(child);
    const output = { text: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output.text += chunk));
    const ended = once(child, 'exit');
    const until = async (text: string) => {
      while (!output.text.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended early: ${output.text}`);
        await Promise.race([once(child.stdout, 'data'), ended]);
      }
    };
    return { child, output, ended, until };
  }

  it('runs the example seed, prints how to reach it, writes its files, logs requests, and ends on SIGTERM', async () => {
    const [ca, cloud, hosts] = ['ca.pem', 'cloud.json', 'hosts'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(hosts, '127.0.0.1 localhost\n');
    const { child, output, ended, until } = await run('--ca-file', ca, '--cloud-file', cloud, '--write-hosts', hosts);
    await until('Ctrl-C ends');
    const port = /https:\/\/login\.localhost:(\d+)\//.exec(output.text)?.[1];
    expect(output.text).toContain(`https://my-key-vault.vault.localhost:${port}`);
    for (const line of [
      `tenant           ${TENANT}`,
      `client id        ${CLIENT}`,
      'client secret    demo-client-secret',
      'secrets          my-username-password-db, mosquitto-password-file, my-remote-broker-certificate, my-ca-chain',
      'certificates     web, my-server-certificate',
      'managed identity system-assigned',
      `export AZURE_TENANT_ID=${TENANT}`,
      'disable_instance_discovery=True',
      'DisableInstanceDiscovery: true',
      '.disableInstanceDiscovery()',
      'disableInstanceDiscovery: true',
      'DisableInstanceDiscovery = true',
      'export IDENTITY_HEADER=',
      `export AZURE_ENVIRONMENT_FILEPATH=${cloud}`,
      `-keystore ${ca}.p12 `,
    ])
      expect(output.text).toContain(line);
    for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'])
      expect(output.text).toContain(`export ${name}=${ca}`);
    expect(JSON.parse(readFileSync(cloud, 'utf8')).keyVaultDNSSuffix).toBe(`vault.localhost:${port}`);
    expect(readFileSync(hosts, 'utf8').split('\n')).toEqual([
      '127.0.0.1 localhost',
      `127.0.0.1 login.localhost # akv-csi emulator ${child.pid}`,
      `127.0.0.1 my-key-vault.vault.localhost # akv-csi emulator ${child.pid}`,
      '',
    ]);
    const read = await promisify(execFile)(
      process.execPath,
      ['--import', LOOPBACK, EXAMPLE, `https://my-key-vault.vault.localhost:${port}`, 'db-password'],
      { env: Object.fromEntries([...output.text.matchAll(/^ {2}export (\w+)=(\S+)/gm)].map(([, ...pair]) => pair)) },
    );
    expect(read.stdout).toBe('demo-db-password\ndemo-db-password\n');
    for (const line of ['401', '200 demo-app', '200 demo-node'])
      await until(`vault GET my-key-vault/secrets/db-password/ ${line}\n`);
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    expect(readFileSync(hosts, 'utf8')).toBe('127.0.0.1 localhost\n');
  });

  it('accepts another seed and additional host names, prints no requests with --quiet, and ends on SIGINT', async () => {
    const seed = join(folder, 'seed.yaml');
    writeFileSync(seed, seedWith(''));
    const { child, output, ended, until } = await start(
      '--seed',
      seed,
      '--quiet',
      '--host-name',
      '*.vault.azure.net',
      '--host-name',
      'login.microsoftonline.com',
    );
    await until('Ctrl-C ends');
    expect(output.text).not.toContain(CLIENT_SECRET);
    expect(output.text).toContain(`client secret    (see ${seed})`);
    expect(output.text).toContain('  127.0.0.1 test-vault.vault.azure.net\n  127.0.0.1 login.microsoftonline.com\n');
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(0);
  });

  it('writes the root certificate to a temporary file unless one is named', async () => {
    const { child, output, ended, until } = await start();
    await until('Ctrl-C ends');
    const file = /SSL_CERT_FILE=(\S+)/.exec(output.text)?.[1] ?? '';
    expect(readFileSync(file, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----/);
    child.kill('SIGTERM');
    await ended;
    expect(existsSync(file)).toBe(false);
    expect(existsSync(dirname(file))).toBe(false);
  });

  it('keeps its root certificate in a file, and prints absolute paths for relative ones', async () => {
    const roots = [];
    for (const turn of ['first', 'second']) {
      const { child, output, ended, until } = await start('--ca-key-file', 'kept.pem', '--ca-file', `${turn}.pem`);
      await until('Ctrl-C ends');
      expect(output.text).toContain(`SSL_CERT_FILE=${join(folder, `${turn}.pem`)} `);
      const ca = readFileSync(join(folder, `${turn}.pem`));
      roots.push(String(ca));
      const port = /login\.localhost:(\d+)/.exec(output.text)?.[1];
      const agent = new https.Agent({ ca, servername: 'login.localhost' });
      const answer = await raw({ agent }, `https://127.0.0.1:${port}/`, {});
      agent.destroy();
      expect(answer.status).toBeGreaterThan(0);
      child.kill('SIGTERM');
      await ended;
    }
    expect(roots[0]).toBe(roots[1]);
    expect(statSync(join(folder, 'kept.pem')).mode & 0o777).toBe(0o600);
  });

  it('names the address that is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { output, ended } = await start('--port', String(port));
    await ended;
    taken.close();
    expect(output.text).toBe(
      `akv-csi: Cannot listen on 127.0.0.1, port ${port}: another process listens there; choose another port by --port or --imds-port, 0 for a free one\n`,
    );
  });

  it.each([
    ['no PEM', () => 'nothing', 'remove the file to create a new CA'],
    [
      'another key',
      (own: string, other: string) => keyOf(other) + certificateOf(own),
      'the private key matches none of the certificates',
    ],
  ])('refuses a CA file with %s', async (_, content, reason) => {
    const emulators = await Promise.all([1, 2].map(() => startEmulator({ seed: seedWith('') })));
    const [own = '', other = ''] = emulators.map(({ caWithKeyPem }) => caWithKeyPem);
    await Promise.all(emulators.map((emulator) => emulator.close()));
    writeFileSync(join(folder, 'bad-ca.pem'), content(own, other));
    const { output, ended } = await start('--ca-key-file', join(folder, 'bad-ca.pem'));
    expect((await ended)[0]).toBe(1);
    expect(output.text).toContain(reason);
  });

  it.each([
    ['a seed that is not there', ['--seed', '/nowhere/seed.yaml'], 'Cannot use the file /nowhere/seed.yaml: ENOENT'],
    [
      'a CA file that cannot be written',
      ['--ca-file', '/nowhere/ca.pem'],
      'Cannot use the file /nowhere/ca.pem: ENOENT',
    ],
    [
      'a hosts file that is not there',
      ['--write-hosts', '/nowhere/hosts'],
      'Cannot use the file /nowhere/hosts: ENOENT',
    ],
    ['a port that is none', ['--port', '65536'], 'It must be a port number, 0 to 65535.'],
  ])('ends with one clear line for %s', async (_, flags, message) => {
    const { output, ended } = await start(...flags);
    expect((await ended)[0]).toBe(2);
    expect(output.text).toContain(message);
    expect(output.text.trim().split('\n')).toHaveLength(1);
  });

  it('removes the hosts lines of an ended emulator, and keeps those of a running one', () => {
    const hosts = join(folder, 'crowded-hosts');
    const foreign = `127.0.0.1 a # akv-csi emulator ${process.ppid}`;
    writeFileSync(hosts, `${foreign}\n127.0.0.1 b # akv-csi emulator 99999999\n::1 localhost`);
    addHostsLines(hosts, ['127.0.0.1 c']);
    addHostsLines(hosts, ['127.0.0.1 d']);
    expect(readFileSync(hosts, 'utf8')).toBe(
      `${foreign}\n::1 localhost\n127.0.0.1 d # akv-csi emulator ${process.pid}\n`,
    );
    removeHostsLines(hosts);
    expect(readFileSync(hosts, 'utf8')).toBe(`${foreign}\n::1 localhost\n`);
    expect(existsSync(hosts)).toBe(true);
  });
});
