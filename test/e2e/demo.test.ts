import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EXAMPLE_SEED, NODE_PUBLISH_SECRET } from '../../src/cli/demo/fixtures.ts';
import { builtProgram, distDirectory, EC_SEED } from '../support/e2e.ts';

/** The temporary directory of the demo. The tests check that it is empty afterwards. */
let scratch: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'akv-'));
});
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit');
  child = undefined;
  rmSync(scratch, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Starts the demo. `ended` resolves when it ends. */
function startDemo(
  args: readonly string[] = [],
  { program = builtProgram(), cwd = scratch, temporary = scratch } = {},
) {
  // The test with mosquitto is in demo.ci.test.ts.
  const running = spawn(process.execPath, [program, 'demo', '--broker=aedes', ...args], {
    cwd,
    env: { PATH: process.env.PATH, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = running;
  let output = '';
  const seen: { pattern: RegExp; resolve: () => void }[] = [];
  for (const stream of [running.stdout, running.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      for (const { pattern, resolve } of seen) if (pattern.test(output)) resolve();
    });
  }
  const ended = once(running, 'close').then(([code]): Ended => ({ code, output }));
  /** Resolves when the output matches. Rejects if the demo ends first. */
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      seen.push({ pattern, resolve: () => resolve(output) });
      void ended.then(() => reject(new Error(`the demo ended without ${pattern}:\n${output}`)));
    });
  return { running, ended, until };
}

/** Writes the example seed with EC keys and returns the flag that names it. */
function ecSeed(edit: (seed: string) => string = (seed) => seed): string {
  const path = join(scratch, 'seed.yaml');
  writeFileSync(path, edit(EC_SEED));
  return `--seed=${path}`;
}

/** Returns the demo's files in the temporary directory. */
const leftovers = () => readdirSync(scratch).filter((name) => name.startsWith('akv-demo-'));

/** Returns true if a process still runs. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const providerIn = (output: string) => Number(/akv-csi serve, process (\d+)/.exec(output)?.[1]);
const watchIn = (output: string) => Number(/akv-csi watch, process (\d+)/.exec(output)?.[1]);

describe('akv-csi demo, from a copy of the built files alone', () => {
  let told: Ended;
  let left: readonly string[];
  beforeAll(async () => {
    const copy = mkdtempSync(join(tmpdir(), 'akv-'));
    const temporary = mkdtempSync(join(tmpdir(), 'akv-'));
    cpSync(distDirectory, copy, { recursive: true });
    told = await startDemo([], { program: join(copy, 'main.js'), cwd: copy, temporary }).ended;
    left = readdirSync(temporary);
    for (const directory of [copy, temporary]) rmSync(directory, { recursive: true, force: true });
  });

  it('exits 0 and leaves neither files nor processes behind', () => {
    expect(told.code, told.output).toBe(0);
    expect(left).toEqual([]);
    expect(isAlive(providerIn(told.output))).toBe(false);
    expect(isAlive(watchIn(told.output))).toBe(false);
  });

  it.each([
    [
      'which SecretProviderClass a listener becomes',
      /SecretProviderClass azure-iot-operations\/broker-listener-\S+-tls$/m,
    ],
    ['which one an authentication', /SecretProviderClass azure-iot-operations\/broker-authentication-\S+-password$/m],
    ['which one a bridge', /SecretProviderClass azure-iot-operations\/mqtt-bridge-connector-my-bridge-x509$/m],
    ['a certificate file', /^ +tls\.crt +0644 +\d+ +secret\/my-server-certificate +[0-9a-f]{10}…$/m],
    ['the password file', /^ +passwords\.toml +0644 +\d+ +secret\/my-username-password-db +[0-9a-f]{10}…$/m],
    [
      'the intermediates of the bridge',
      /^ +client_intermediate_certs\.pem +0644 +\d+ +secret\/my-remote-broker-certificate +[0-9a-f]{10}…$/m,
    ],
    [
      'subject, issuer and expiry',
      /^ +tls\.crt +CN=localhost +CN=Demo Intermediate CA, O=Demo +\d{4}-\d\d-\d\d \(in 364 days\)$/m,
    ],
    ['that the key of the listener fits', /ok +key fits: tls\.key \(RSA 2048\) belongs to CN=localhost$/m],
    ['that the key of the bridge fits', /ok +key fits: client_key\.pem \(RSA 2048\) belongs to CN=bridge$/m],
    [
      'that a chain fits',
      /ok +chain fits: CN=bridge < CN=Demo Intermediate CA, O=Demo < CN=Demo Root CA, O=Demo; every signature is valid$/m,
    ],
    ['a login', /ok +client1 connects with its password, trusting CN=Demo Root CA, O=Demo only$/m],
    ['a refusal', /ok +a wrong password is refused: \S/m],
    ['versions and files that changed', /^ +tls\.key +([0-9a-f]{10})… -> (?!\1)[0-9a-f]{10}… +changed$/m],
    ['the new certificate', /ok +a new connection gets the new certificate, [0-9A-F]+$/m],
    ['what a pod asks for', /^ +akv-csi\/mount: BrokerListener\/tls-listener-manual:\/etc\/mosquitto\/tls, /m],
    [
      'what it gets',
      /^ +akv-csi watch \/etc\/mosquitto\/tls \/etc\/mosquitto\/passwords --process=mosquitto --signal=HUP$/m,
    ],
    ['that the new files were seen', /^ +msg="Files changed" directory=\S+-tls changed="tls\.crt tls\.key"$/m],
    ['that the broker was told', /^ +msg="Request succeeded" method=POST url=\S+\/reload status=204$/m],
    ['a summary', /^ +MqttBridgeConnector my-bridge +mounted: client_cert\.pem, client_key\.pem, /m],
  ])('shows %s', (_name, line) => {
    expect(told.output).toMatch(line);
  });

  it('prints plain text into a pipe', () => {
    expect(told.output).not.toContain('\u001b');
  });

  it('prints no secret', () => {
    const stored = [...EXAMPLE_SEED.matchAll(/\$(?:pbkdf2-sha512\$|7\$)\S+/g)].map(([value]) => value);
    expect(stored).toHaveLength(2);
    for (const secret of [...stored, NODE_PUBLISH_SECRET.clientsecret, 'PRIVATE KEY', 'eyJ']) {
      expect(told.output).not.toContain(secret);
    }
  });
});

describe('akv-csi demo', () => {
  it('says what failed and where, exits 1 and takes everything down', async () => {
    const withoutGet = ecSeed((seed) => seed.replace('secrets: [get, list]', 'secrets: [list]'));
    const { code, output } = await startDemo([withoutGet]).ended;
    expect(code).toBe(1);
    expect(output).toMatch(
      /FAILED at "The driver mounts the volumes": Mount failed with PERMISSION_DENIED .*my-server-c/,
    );
    expect(output).not.toContain('all steps succeeded');
    expect(isAlive(providerIn(output))).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  it('fails if the provider ends during the demo', async () => {
    const { ended, until } = startDemo(['--keep', ecSeed()]);
    const provider = providerIn(await until(/demo\/#' -v\n/));
    process.kill(provider, 'SIGKILL');
    const { code, output } = await ended;
    expect(code).toBe(1);
    expect(output).toMatch(/FAILED .*the provider ended/);
    expect(leftovers()).toEqual([]);
  });

  it('takes everything down when it is interrupted', async () => {
    const { running, ended, until } = startDemo([ecSeed()]);
    const provider = providerIn(await until(/answers the driver's call Version/));
    running.kill('SIGINT');
    const { code, output } = await ended;
    expect(code).toBe(130);
    expect(output).toContain('stopped by SIGINT');
    expect(isAlive(provider)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  it('ends its processes when its reader closes the pipe', async () => {
    const { running, ended, until } = startDemo([ecSeed()]);
    const provider = providerIn(await until(/answers the driver's call Version/));
    running.stdout.destroy();
    expect((await ended).code).toBe(141);
    while (isAlive(provider)) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(leftovers()).toEqual([]);
  });

  it('--keep goes on until it is interrupted: the printed mount command works, and its end is no failure', async () => {
    const program = join(scratch, "the program's", 'main.js');
    const temporary = join(scratch, 'a directory');
    mkdirSync(temporary);
    symlinkSync(distDirectory, dirname(program));
    const { running, ended, until } = startDemo(['--keep', ecSeed()], { program, temporary });
    const output = await until(/secrets\/\S+api-version=\S+"\n/);
    const lines = output.split('\n').map((line) => line.trim());
    const shell = lines.filter((line) => /^akv\(\)|^dir=|^export /.test(line));
    const from = lines.findIndex((line) => line.startsWith('akv mount'));
    const mount = spawn('sh', ['-euc', [...shell, ...lines.slice(from, from + 2)].join('\n')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let mounted = '';
    mount.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      mounted += chunk;
    });
    expect(await once(mount, 'close')).toEqual([0, null]);
    expect(mounted).toMatch(/tls\.key +secret\/my-server-certificate +[0-9a-f]{32}\n/);
    expect(mounted).toMatch(/unchanged/);
    expect(output).not.toContain(NODE_PUBLISH_SECRET.clientsecret);
    running.kill('SIGINT');
    expect((await ended).code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    ['an unknown option', ['--fast'], /unknown option '--fast'/],
    ['an unknown broker', ['--broker=emqx'], /Allowed choices are mosquitto, aedes/],
    ['a seed that is not there', ['--seed', 'nowhere.yaml'], /cannot read nowhere\.yaml: no such file/],
  ])('exits 2 for %s', async (_name, args, message) => {
    const { code, output } = await startDemo(args).ended;
    expect(code).toBe(2);
    expect(output).toMatch(message);
  });
});
