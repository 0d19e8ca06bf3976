/**
 * The logins of `--login`: the SDK's credentials, with stand-ins of az, azd and pwsh on PATH that print a token of the
 * emulator.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientSecretCredential } from '@azure/identity';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { developerTokens } from '../../src/azure/login/developer-credentials.ts';
import type { LoginRequest } from '../../src/azure/login/identity-mode.ts';
import { developer } from '../../src/azure/login/modes/developer.ts';
import type { DeveloperLogin } from '../../src/spc/identities/developer.ts';
import { type Lab, READER, secret, startLab, TENANT, textOf } from '../support/azure.ts';
import { agentOf, identityOptions } from '../support/emulator.ts';
import { eventually, start } from '../support/process.ts';

const CLASS = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: { name: a, namespace: n }
spec:
  provider: azure
  parameters:
    keyvaultName: my-key-vault
    tenantID: ${TENANT}
    clientID: ${READER}
    objects: |
      array:
        - { objectName: a, objectType: secret }
`;

let lab: Lab;
let token: string;
let directory: string;
/** A command has one of its own. */
let login = developerTokens();

beforeAll(async () => {
  lab = await startLab({ developer: (...request) => login(...request) });
  const { emulator } = lab;
  const agent = agentOf(emulator);
  const credential = new ClientSecretCredential(TENANT, READER, 'reader-secret', identityOptions({ emulator, agent }));
  token = (await credential.getToken(`${lab.cloud.vaultResource}/.default`)).token;
  agent.destroy();
});
afterAll(() => lab.close());
beforeEach(() => {
  login = developerTokens();
  directory = mkdtempSync(join(tmpdir(), 'akv-login-'));
  vi.stubEnv('PATH', directory);
  for (const name of ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET']) vi.stubEnv(name, '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

const read = async (login: DeveloperLogin, tenantId: string = TENANT) =>
  textOf(await lab.open({ kind: 'developer', login, tenantId }).get(secret('s0'), lab.context()));

const log = () => join(directory, 'log');
const calls = () => (existsSync(log()) ? readFileSync(log(), 'utf8') : '');

/** Puts a tool on PATH that runs these lines of a shell. It writes the words of each call into a log. */
function tool(name: string, ...lines: readonly string[]): void {
  const path = join(directory, name);
  writeFileSync(path, ['#!/bin/sh', `[ "$1" = '/?' ] && exit 0`, `echo "$@" >> ${log()}`, ...lines, ''].join('\n'));
  chmodSync(path, 0o755);
}

const printing = (fields: object) => `echo '${JSON.stringify(fields)}'`;
const failing = (text: string) => `/bin/cat >&2 <<'END'\n${text}\nEND\nexit 1`;

/** What the three tools print, in one text. */
const NOT_LOGGED_IN =
  "Run Connect-AzAccount to login. Please run 'az login'. Error: not logged in, run `azd auth login` to login";
const EXPIRY = '2099-01-01T00:00:00Z';
const TOOLS = [
  {
    login: 'azurecli',
    name: 'az',
    says: (accessToken: string) => ({ accessToken, expires_on: 4_070_908_800 }),
    words: (resource: string) => `account get-access-token --output json --resource ${resource} --tenant ${TENANT}`,
    remedy: `log in first: az login --tenant ${TENANT}`,
  },
  {
    login: 'azd',
    name: 'azd',
    says: (text: string) => ({ token: text, expiresOn: EXPIRY }),
    words: (resource: string) => `--scope ${resource}/.default --tenant-id ${TENANT}`,
    remedy: `log in first: azd auth login --tenant-id ${TENANT}`,
  },
  {
    login: 'powershell',
    name: 'pwsh',
    says: (text: string) => ({ Token: text, ExpiresOn: EXPIRY }),
    words: (resource: string) => `ResourceUrl = "${resource}"`,
    remedy: `log in first: Connect-AzAccount -Tenant ${TENANT}`,
  },
] as const;

// The reads that fail come first: a token is kept, and the SDK remembers that there is no PowerShell.
describe.each(TOOLS)('--login $login', ({ login, name, says, words, remedy }) => {
  it.each<[string, readonly string[], RegExp]>([
    ['is not logged in', [failing(NOT_LOGGED_IN)], new RegExp(`: ${name} gave no token; ${remedy}`)],
    ['prints something else', ['echo eyJ-a-token'], new RegExp(`: ${name} printed no token, .*; ${remedy}$`)],
    ['prints null', ['echo null'], new RegExp(`: ${name} printed no token, .*; ${remedy}$`)],
    [
      'prints no text as token',
      [printing({ ...says(''), [Object.keys(says(''))[0] ?? '']: { of: 'eyJ-a-token' } })],
      new RegExp(`: ${name} printed no token, .*; ${remedy}$`),
    ],
    [
      'does not find the tenant',
      [failing('the tenant could not be found, or is not installed')],
      new RegExp(`: ${name} (gave no|printed no) token`),
    ],
  ])('says what to do if the tool %s, which it calls once', async (_, lines, message) => {
    tool(name, ...lines);
    const first = await read(login).catch((error: unknown) => error);
    expect(first).toMatchObject({ code: 'ERR_AUTHENTICATION', message: expect.stringMatching(message) });
    expect(String(first)).not.toContain('eyJ-a-token');
    const asked = calls();
    await expect(read(login)).rejects.toThrow(message);
    expect(calls()).toBe(asked);
  });

  if (login !== 'powershell')
    it('says what to install if the tool is not there', async () => {
      const message = new RegExp(
        `: ${name} is not installed, or not on PATH; install ${name} .*, or choose another --login$`,
      );
      await expect(read(login)).rejects.toThrow(message);
    });

  it('reads the vault with the token of the tool, which it calls once', async () => {
    tool(name, printing(says(token)));
    expect(await read(login)).toBe('value-0');
    const asked = calls();
    expect(asked).toContain(words(lab.cloud.vaultResource));
    expect(await read(login)).toBe('value-0');
    expect(calls()).toBe(asked);
  });
});

describe('--login environment', () => {
  it.each([
    [{}, /: it finds no credentials; set AZURE_TENANT_ID, AZURE_CLIENT_ID, and AZURE_CLIENT_SECRET/],
    [
      { AZURE_TENANT_ID: TENANT, AZURE_CLIENT_ID: READER, AZURE_CLIENT_SECRET: 'wrong' },
      /answered 401 AADSTS7000215; correct AZURE_CLIENT_SECRET/,
    ],
    [
      { AZURE_TENANT_ID: '99999999-9999-9999-9999-999999999999', AZURE_CLIENT_ID: READER, AZURE_CLIENT_SECRET: 'x' },
      /AZURE_TENANT_ID is 9{8}-.*, and the class names tenant 1{8}-.*; correct one of them$/,
    ],
  ])('explains a login that fails with %j', async (variables, message) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    await expect(read('environment')).rejects.toThrow(message);
  });

  it('reads the vault as the application of the environment', async () => {
    vi.stubEnv('AZURE_TENANT_ID', TENANT);
    vi.stubEnv('AZURE_CLIENT_ID', READER);
    vi.stubEnv('AZURE_CLIENT_SECRET', 'reader-secret');
    expect(await read('environment')).toBe('value-0');
  });
});

describe('the processes of a tool', () => {
  /** The lines of a shell that start a process, which writes its id and stays. */
  const STAYING = `/bin/sleep 600 >/dev/null 2>&1 & echo $! >> "$(/usr/bin/dirname "$0")/pids"`;
  const pids = (at: string) => (existsSync(at) ? readFileSync(at, 'utf8').trim().split('\n') : []);
  /** A process that has ended, but whose parent does not know it yet, has no command line. */
  const runs = (pid: string) => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  const kill = (pid: string) => runs(pid) && process.kill(Number(pid), 'SIGKILL');

  it.each([
    ['the last one of several logins has ended, and one has failed', [failing('hm')], 'rejected', false],
    ['stay if the login succeeds', [printing({ accessToken: 'x', expires_on: 4_070_908_800 })], 'fulfilled', true],
  ])('end when %s', async (_, lines, status, stays) => {
    tool('az', STAYING, ...lines);
    const identity = (tenantId: string) => ({ kind: 'developer', login: 'azurecli', tenantId }) as const;
    const request = { resource: lab.cloud.vaultResource, attempt: {} } as unknown as LoginRequest;
    const logins = await Promise.allSettled(['a.com', 'b.com'].map((tenant) => login(identity(tenant), request)));
    const started = pids(join(directory, 'pids'));
    onTestFinished(() => started.forEach((pid) => void kill(pid)));
    expect(logins.map((one) => one.status)).toEqual([status, status]);
    expect(started).toHaveLength(2);
    await eventually(() => started.every((pid) => runs(pid) === stays));
    expect(process.env.AKV_CSI_LOGIN).toBeUndefined();
  });

  it('end with a command that is stopped', async () => {
    tool('az', STAYING, 'wait');
    writeFileSync(join(directory, 'class.yaml'), CLASS);
    const { child, ended } = start(['check', '--fetch', '--login', 'azurecli', join(directory, 'class.yaml')], {
      env: { PATH: `${directory}:${process.env.PATH}` },
    });
    await eventually(() => pids(join(directory, 'pids')).join() !== '');
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
    await eventually(() => !pids(join(directory, 'pids')).some(runs));
  });
});

describe('--login', () => {
  it.each(['x; echo', '--debug', '$(id)', '.', ''])(
    'passes no tenant such as %j to a shell or a tool',
    async (tenant) => {
      tool('az', 'true');
      await expect(read('azurecli', tenant)).rejects.toThrow(/ is not a tenant; correct the tenant of the class$/);
      expect(existsSync(log())).toBe(false);
    },
  );

  it('is refused where the program brings no login along, as in serve', async () => {
    const request = { developer: undefined } as LoginRequest;
    const identity = { kind: 'developer', login: 'azurecli', tenantId: TENANT } as const;
    await expect(developer.acquire(identity, request)).rejects.toMatchObject({ code: 'ERR_INTERNAL' });
  });
});
