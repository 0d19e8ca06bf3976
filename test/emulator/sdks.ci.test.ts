import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findTool, toolDirectory } from '../support/tools.ts';

const examples = fileURLToPath(new URL('../../examples/sdks', import.meta.url));
const builder = fileURLToPath(new URL('../sdk-clients/build', import.meta.url));
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const heavy = process.env.REQUIRE_TOOLS !== undefined;
/** True if one process can have its own /etc/hosts. */
const namespaces = heavy && findTool('unshare', '--mount', 'true');

/** Returns the output of `test/sdk-clients/build`, or an empty text if the tests are skipped. */
function built(language: 'go' | 'java' | 'python'): string {
  if (!namespaces) return '';
  return execFileSync('bash', [builder, language], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}

const go = built('go');
const java = built('java');
const python = built('python');

describe.skipIf(!namespaces)('the emulator on another address, by what it prints', () => {
  const { dir } = toolDirectory();
  const hosts = join(dir, 'hosts');
  const cloud = join(dir, 'cloud.json');
  let emulator: ChildProcess;
  let printed = '';

  beforeAll(async () => {
    copyFileSync('/etc/hosts', hosts);
    const args = ['--host', '127.0.0.2', '--port', '0', '--imds-port', '0', '--write-hosts', hosts];
    emulator = spawn(process.execPath, [program, 'emulator', ...args, '--cloud-file', cloud], { cwd: dir });
    emulator.stdout?.on('data', (chunk) => {
      printed += chunk;
    });
    while (!printed.includes('Ctrl-C ends')) {
      await Promise.race([once(emulator.stdout ?? emulator, 'data'), once(emulator, 'exit')]);
      if (emulator.exitCode !== null) throw new Error(`ended early: ${printed}`);
    }
  });
  afterAll(async () => {
    if (emulator.kill('SIGTERM')) await once(emulator, 'exit');
    expect(existsSync(exported('SSL_CERT_FILE'))).toBe(false);
  });

  const found = (pattern: RegExp) => pattern.exec(printed)?.[1] ?? '';
  const exported = (name: string) => found(new RegExp(`^  export ${name}=(\\S+)`, 'm'));

  /**
   * Runs a command with the printed commands that fit a program of Go or of another language, and with the hosts file.
   * Returns its output, line by line.
   */
  async function run(...command: readonly string[]): Promise<string[]> {
    const isOther = command[0] === go ? /AZURE_POD_IDENTITY/ : /IDENTITY_(?:ENDPOINT|HEADER)/;
    const lines = [...printed.matchAll(/^ {2}((?:export|keytool) .*)$/gm)].map(([, line = '']) => line);
    const wanted = lines.filter(
      (line) => !isOther.test(line) && (command[0] === 'java' || !/JAVA_|keytool/.test(line)),
    );
    const setUp = wanted.map((line) => (line.startsWith('keytool') ? line.replace(/ *#.*/, ' 2>/dev/null') : line));
    const script = `mount --bind '${hosts}' /etc/hosts\n${setUp.join('\n')}\nunset SSL_CERT_DIR\nexec "$@"`;
    const all = ['--mount', 'sh', '-euc', script, 'sh', ...command];
    const { stdout } = await promisify(execFile)('unshare', all, { cwd: dir });
    return stdout.trim().split('\n');
  }

  /** Expects the value twice: with a client secret, and with managed identity. */
  async function reads(...command: readonly string[]): Promise<void> {
    const secret = found(/^ {4}secrets +[^,]+, ([^,\n]+)/m);
    const lines = await run(...command, found(/^ {2}vault +(\S+)/m), secret);
    expect(secret).toBe('mosquitto-password-file');
    expect(lines).toEqual([expect.stringMatching(/^client1:\$7\$/), lines[0]]);
  }

  test("Azure's SDK for JavaScript reads a secret", async () => {
    await reads(process.execPath, join(examples, 'javascript/read-secret.mjs'));
  });

  test("Azure's SDK for Go reads a secret", async () => {
    await reads(go);
  });

  test("Azure's SDK for Python reads a secret", async () => {
    await reads('env', `PYTHONPATH=${python}`, 'python3', join(examples, 'python/read_secret.py'));
  });

  test("Azure's SDK for Java reads a secret", async () => {
    await reads('java', '-cp', java, 'ReadSecret');
  });

  test('the provider mounts a secret', async () => {
    const spec = `
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: app}
spec:
  provider: azure
  parameters:
    keyvaultName: my-key-vault
    tenantID: ${exported('AZURE_TENANT_ID')}
    objects: |
      array:
        - {objectName: mosquitto-password-file, objectType: secret}
`;
    writeFileSync(join(dir, 'app.yaml'), spec);
    const secrets = { clientid: exported('AZURE_CLIENT_ID'), clientsecret: exported('AZURE_CLIENT_SECRET') };
    for (const [name, value] of Object.entries(secrets)) writeFileSync(join(dir, name), value);
    const login = Object.keys(secrets).map((name) => `--secret-file=${name}=${join(dir, name)}`);
    const args = ['mount', 'app.yaml', '--direct', '--cloud-name=AzureStackCloud', ...login, '--out=volume'];
    await run(process.execPath, program, ...args);
    expect(readFileSync(join(dir, 'volume/mosquitto-password-file'), 'utf8')).toMatch(/^client1:\$7\$/);
  });

  test('curl gets a token and lists the secrets', async () => {
    const commands = found(/^ {2}(token=\$\(curl [\s\S]*?)\n\n/m);
    const [listed] = await run('sh', '-euc', commands);
    expect(JSON.parse(listed ?? '').value).toHaveLength(7);
  });
});
