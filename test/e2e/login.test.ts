/** Runs commands of the built program with `--login`, against the emulator, with a stand-in of az on PATH. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientSecretCredential } from '@azure/identity';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_PUBLISH_SECRET, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { emulatorEnv } from '../support/class-command.ts';
import { builtProgram, seedOf } from '../support/e2e.ts';
import { agentOf, identityOptions } from '../support/emulator.ts';
import { tokenKey } from '../support/pki.ts';

const NOTE =
  'note: the vaults are read as the account of the Azure CLI; whether the identity of a class may read them is not checked\n';

let emulator: Emulator;
let directory: string;
let token: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'akv-login-'));
  emulator = await startEmulator({
    seed: seedOf('    secrets: [{name: a, value: value-a}, {name: b, value: value-b}]'),
    tokenKey: tokenKey(),
  });
  const agent = agentOf(emulator);
  const { clientid, clientsecret } = NODE_PUBLISH_SECRET;
  const credential = new ClientSecretCredential(TENANT, clientid, clientsecret, identityOptions({ emulator, agent }));
  const { keyVaultEndpoint } = JSON.parse(emulator.cloudFile);
  token = (await credential.getToken(`${new URL(keyVaultEndpoint).origin}/.default`)).token;
  agent.destroy();
  const answer = JSON.stringify({ accessToken: token, expires_on: 4_070_908_800 });
  writeFileSync(join(directory, 'az'), `#!/bin/sh\necho "$@" >> ${directory}/calls\necho '${answer}'\n`);
  chmodSync(join(directory, 'az'), 0o755);
});
afterAll(async () => {
  await emulator?.close();
  rmSync(directory, { recursive: true, force: true });
});

function put(name: string, ...classes: readonly object[]): string {
  writeFileSync(join(directory, name), classes.map((one) => JSON.stringify(one)).join('\n---\n'));
  return join(directory, name);
}

const classOf = (name: string, object: string, identity: object) => ({
  kind: 'SecretProviderClass',
  metadata: { name, namespace: 'shop' },
  spec: {
    provider: 'azure',
    parameters: {
      keyvaultName: VAULT,
      objects: `array:\n  - {objectName: ${object}, objectType: secret}`,
      ...identity,
    },
  },
});

function run(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { AZURE_CLIENT_ID: _, AZURE_CLIENT_SECRET: __, ...env } = emulatorEnv({ directory, emulator });
  const options = { env: { ...env, PATH: `${directory}:${env.PATH}` } };
  return new Promise((resolve) => {
    const all = [builtProgram(), ...args, '--cloud-name', 'AzureStackCloud', '--login', 'azurecli'];
    execFile(process.execPath, all, options, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

it('reads classes of all identities as the account of the Azure CLI, which is asked for one token', async () => {
  const file = put(
    'classes.yaml',
    classOf('workload', 'a', { clientID: '33333333-3333-3333-3333-333333333333', tenantID: TENANT }),
    classOf('node', 'b', { useVMManagedIdentity: 'true' }),
    classOf('absent', 'c', { useVMManagedIdentity: 'true' }),
  );
  const { code, stdout, stderr } = await run('check', '--fetch', '--json', file);
  expect(code).toBe(1);
  const { login, errors, findings } = JSON.parse(stdout);
  expect({ login, errors }).toEqual({ login: 'azurecli', errors: 1 });
  expect(findings[0]).toMatchObject({ manifest: 'shop/absent' });
  expect(findings[0].message).toContain('404 SecretNotFound for the account of the Azure CLI: there is no such secret');
  expect(stderr).toBe(NOTE);
  expect(readFileSync(join(directory, 'calls'), 'utf8').trimEnd().split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^account get-access-token .* --tenant ${TENANT}$`)),
  ]);
  expect(stdout + stderr).not.toContain(token);
});

it('mounts a class directly, and says as whom', async () => {
  const file = put('class.yaml', classOf('web', 'a', { clientID: '33333333-3333-3333-3333-333333333333' }));
  const { code, stdout, stderr } = await run('mount', '--direct', '--json', file);
  expect({ code, stderr }).toEqual({ code: 0, stderr: NOTE });
  expect(JSON.parse(stdout)).toMatchObject({
    through: 'this process, as the account of the Azure CLI',
    files: [{ path: 'a', bytes: 7 }],
  });
  expect(stdout).not.toContain(token);
});

it.each([
  [['check', 'x.yaml'], '--login is for --fetch; add --fetch'],
  [['mount', 'x.yaml'], '--login is for --direct; add --direct'],
  [
    ['check', 'x.yaml', '--fetch', '--token-file', 't'],
    "'--login <login>' cannot be used with option '--token-file <path>'",
  ],
])('is refused in %j', async (args, message) => {
  const { code, stderr } = await run(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
