/** Holds who gets which files from the built provider after a restart while Azure is away. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { builtProgram } from '../support/e2e.ts';
import { type Asked, CLIENT, KUBELET_MS, requestOf, seedWith, tokensParameter } from '../support/parity.ts';
import { tokenKey } from '../support/pki.ts';
import { eventually, serve, start } from '../support/process.ts';
import { FULL } from '../support/rounds.ts';

const WORKLOAD = '44444444-4444-4444-4444-444444444444';
const SYSTEM = '55555555-5555-5555-5555-555555555555';
const SUBJECT = 'system:serviceaccount:prod:web';
const SEED = seedWith({
  identities: `
      - {name: workload, clientId: "${WORKLOAD}", federated: [{subject: "${SUBJECT}"}]}
      - {name: system, clientId: "${SYSTEM}", managed: {systemAssigned: true}}`,
  vault: `
      - {identity: workload, secrets: all}
      - {identity: system, secrets: all}
    secrets: [{name: a, value: value-of-a}, {name: b, value: value-of-b}]
    certificates: [{name: tls, subject: CN=tls}]`,
});
const ALL = [
  { objectName: 'a', objectType: 'secret' },
  { objectName: 'tls', objectType: 'secret' },
  { objectName: 'tls', objectType: 'cert', objectAlias: 'tls.crt' },
  { objectName: 'tls', objectType: 'key', objectAlias: 'tls.pub' },
];

let emulator: Emulator;
let directory: string;
beforeAll(async () => {
  emulator = await startEmulator({ seed: SEED, tokenKey: tokenKey() });
});
afterAll(() => emulator.close());
beforeEach(() => {
  emulator.faults.clear();
  directory = mkdtempSync(join(tmpdir(), 'akv-off-'));
  writeFileSync(join(directory, 'key'), randomBytes(32).toString('base64'), { mode: 0o400 });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const cut = (...services: readonly ('vault' | 'entra' | 'imds' | 'issuer')[]) => {
  for (const on of services) emulator.faults.add({ on, unauthenticated: true, action: { kind: 'drop' } });
};
const cutAll = () => cut('vault', 'entra', 'imds', 'issuer');

interface Run {
  readonly args?: readonly string[];
  readonly node?: string;
  readonly kill?: boolean;
  /** A line of the log that is awaited before the provider is stopped. */
  readonly until?: RegExp;
}

/** Starts the provider as after a restart, mounts one volume after another, and stops it. Returns files and log. */
async function run(asked: readonly Asked[], { args = [], node = 'node-1', kill = false, until }: Run = {}) {
  const provider = await startProviderProcess({
    program: builtProgram(),
    directory,
    emulator,
    args: [
      '--cache-ttl=0',
      '--pinned-cache-ttl=0',
      `--offline-cache-dir=${directory}`,
      `--offline-cache-key-file=${join(directory, 'key')}`,
      ...args,
    ],
    env: { NODE_NAME: node, AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.imdsUrl },
  });
  const client = connectProvider(provider.endpoint);
  const outcomes: (Record<string, string> | string)[] = [];
  for (const one of asked) {
    const mounted = client.mount(requestOf(one), { deadlineMs: KUBELET_MS });
    outcomes.push(
      await mounted.then(
        ({ files }) => Object.fromEntries(files.map(({ path, contents }) => [path, contents.toString('base64')])),
        ({ details }: ServiceError) => details,
      ),
    );
  }
  client.close();
  if (until !== undefined) await eventually(() => until.test(provider.log()));
  if (kill) {
    // The value and its principal are written beside the Mount.
    await eventually(() => files().length === 2);
    provider.child.kill('SIGKILL');
  }
  await provider.stop();
  return { outcomes, log: provider.log() };
}

const files = () => readdirSync(join(directory, 'akv-csi-v1')).filter((name) => name.endsWith('.entry'));
const a = [ALL[0] ?? {}];
const VALUE_OF_A = { a: Buffer.from('value-of-a').toString('base64') };

// Each test starts the provider several times.
describe.skipIf(!FULL)('after a restart while vault and login service are away', () => {
  it('the same service principal gets the same files, and only those that it had', async () => {
    const before = await run([{ objects: ALL }]);
    expect(Object.keys(before.outcomes[0] ?? {})).toHaveLength(4);
    cutAll();
    const after = await run([{ objects: ALL }, { objects: [{ objectName: 'b', objectType: 'secret' }] }]);
    expect(after.outcomes[0]).toEqual(before.outcomes[0]);
    expect(after.outcomes[1]).toMatch(/objectName:b/);
    expect(after.log).toMatch(/msg="Offline cache opened".* entries=\d/);
    for (const file of files()) {
      expect(readFileSync(join(directory, 'akv-csi-v1', file)).includes('value-of-a')).toBe(false);
    }
  });

  it('gets them after a kill, too', async () => {
    const provider = await run([{ objects: a }], { kill: true });
    expect(provider.outcomes).toEqual([VALUE_OF_A]);
    cutAll();
    expect((await run([{ objects: a }])).outcomes).toEqual([VALUE_OF_A]);
  });

  it('another principal gets nothing', async () => {
    await run([{ objects: a }]);
    cutAll();
    const secrets = [
      { clientid: CLIENT, clientsecret: 'Wr0ng~Secret' },
      { clientid: SYSTEM, clientsecret: 'Pr1ncipal~Secret' },
    ];
    const { outcomes } = await run(secrets.map((one) => ({ objects: a, secrets: one })));
    for (const outcome of outcomes) expect(outcome).toMatch(/Cannot log in as service principal/);
  });

  it('another node, and a provider without the key, give nothing', async () => {
    await run([{ objects: a }]);
    cutAll();
    const copied = await run([{ objects: a }], { node: 'node-2' });
    expect(copied.outcomes[0]).toMatch(/Cannot log in/);
    expect(copied.log).toMatch(/it was sealed on another node than ..node-2/);
    const right = readFileSync(join(directory, 'key'), 'utf8');
    writeFileSync(join(directory, 'key'), randomBytes(32).toString('base64'), { mode: 0o400 });
    const wrong = await run([{ objects: a }]);
    expect(wrong.outcomes[0]).toMatch(/Cannot log in/);
    expect(wrong.log).toMatch(/sealed by a key that is not in the key file; add the key/);
    writeFileSync(join(directory, 'key'), `${randomBytes(32).toString('base64')}\n${right}\n`, { mode: 0o400 });
    expect((await run([{ objects: a }])).outcomes).toEqual([VALUE_OF_A]);
  });

  it('a value that the vault has refused is gone', async () => {
    await run([{ objects: a }]);
    emulator.faults.add({ on: 'vault', object: 'a', action: { kind: 'answer', status: 403 } });
    expect((await run([{ objects: a }])).outcomes[0]).toMatch(/403/);
    emulator.faults.clear();
    cutAll();
    expect((await run([{ objects: a }])).outcomes[0]).toMatch(/Cannot/);
  });

  it('a principal that the login service refuses gets nothing, then and later', async () => {
    await run([{ objects: a }]);
    cut('vault');
    emulator.faults.add({
      on: 'entra',
      method: 'POST',
      action: {
        kind: 'answer',
        status: 401,
        body: { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' },
      },
    });
    expect((await run([{ objects: a }])).outcomes[0]).toMatch(/AADSTS7000215/);
    emulator.faults.clear();
    cutAll();
    expect((await run([{ objects: a }])).outcomes[0]).toMatch(/Cannot log in/);
  });

  it('the node’s own identity gets its files', async () => {
    const asked = { objects: a, secrets: null, parameters: { useVMManagedIdentity: 'true' } };
    expect((await run([asked])).outcomes).toEqual([VALUE_OF_A]);
    cutAll();
    expect((await run([asked])).outcomes).toEqual([VALUE_OF_A]);
  });

  it('values older than --max-stale are refused, and their files are gone', async () => {
    expect((await run([{ objects: a }])).outcomes).toEqual([VALUE_OF_A]);
    expect(files().length).toBeGreaterThan(0);
    cutAll();
    await sleep(1001);
    expect((await run([{ objects: a }], { args: ['--max-stale=1s'] })).outcomes[0]).toMatch(/Cannot log in/);
    expect(files()).toEqual([]);
  });
});

describe('workload identity after a restart', () => {
  const asked = (
    subject: string,
    issued = emulator.issueServiceAccountToken({ audience: 'api://AzureADTokenExchange', subject }),
  ) => ({
    objects: a,
    secrets: null,
    parameters: { clientID: WORKLOAD, ...tokensParameter({ 'api://AzureADTokenExchange': issued }) },
  });

  it('opens by a new token of the same account, and not by one of another or by a forged one', async () => {
    const until = /The keys of an issuer are kept/;
    expect((await run([asked(SUBJECT)], { args: ['-v=2'], until })).outcomes).toEqual([VALUE_OF_A]);
    cutAll();
    const forged = emulator
      .issueServiceAccountToken({ audience: 'api://AzureADTokenExchange', subject: SUBJECT })
      .replace(/.{20}$/, 'A'.repeat(20));
    const { outcomes } = await run([asked(SUBJECT), asked('system:serviceaccount:prod:other'), asked(SUBJECT, forged)]);
    expect(outcomes[0]).toEqual(VALUE_OF_A);
    expect(outcomes[1]).toMatch(/Cannot log in as workload identity/);
    expect(outcomes[2]).toMatch(/Cannot log in as workload identity/);
  });
});

describe('serve', () => {
  it.each([
    [
      ['--offline-cache-dir=/var/lib/x'],
      2,
      'flag --offline-cache-dir needs --offline-cache-key-file: set both, or neither',
    ],
    [
      ['--offline-cache-key-file=/k'],
      2,
      'flag --offline-cache-key-file needs --offline-cache-dir: set both, or neither',
    ],
    [['--offline-cache-dir=/', '--offline-cache-key-file=/k'], 2, 'it must be a directory other than'],
    [
      ['--offline-cache-dir=/var/lib/x', '--offline-cache-key-file=/k', '--max-stale=0'],
      2,
      'flag --offline-cache-dir needs --max-stale above 0',
    ],
    [
      ['--offline-cache-dir=/var/lib/x', '--offline-cache-key-file=/k/gone'],
      1,
      'no such file or directory; mount the file',
    ],
  ])('does not start with %s', async (args, code, message) => {
    const program = start(['serve', '--endpoint', `unix://${directory}/a.sock`, ...args]);
    expect((await program.ended).code).toBe(code);
    expect(program.output('stderr')).toContain(message);
  });

  it('does not start with a key that others may read, and starts without a directory that is fit for it', async () => {
    const key = join(directory, 'key');
    chmodSync(key, 0o404);
    const args = [`--offline-cache-dir=${directory}/gone`, `--offline-cache-key-file=${key}`];
    const program = start(['serve', '--endpoint', `unix://${directory}/a.sock`, ...args]);
    expect((await program.ended).code).toBe(1);
    expect(program.output('stderr')).toContain('its mode is 0404');
    chmodSync(key, 0o400);
    const provider = await serve(`${directory}/a.sock`, { args });
    await provider.until(/Cannot open the offline cache.*no such file or directory; mount a directory there/);
    expect(await provider.metric('akv_csi_offline_cache_failures_total{operation="read"}')).toBe(1);
  });
});
