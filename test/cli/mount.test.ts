import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { MOUNT_DEFAULTS, type MountCommandOptions, mountCommand, runMount } from '../../src/cli/mount.ts';
import type { DirectMount } from '../../src/cli/provider.ts';
import type { MountHandler, MountInput } from '../../src/mount/handler.ts';
import { recordedIo } from '../support/cli.ts';
import { answerWith, type FakeProvider, startProvider } from '../support/fake-provider.ts';
import { undocumentedFields } from '../support/markdown.ts';
import { oneFile, testServer } from '../support/server.ts';

const SPC = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: web, namespace: prod}
spec:
  provider: azure
  parameters:
    keyVault: |
      vault:
        name: my-vault
        directoryId: 0f8fad5b-d9cb-469f-a165-70867728950e
        credentials: {servicePrincipalLocalSecretName: sp}
      vaultSecret: {name: db}
`;
const SECRET = 'kind: Secret\nmetadata: {name: sp}\nstringData: {clientid: from-manifest, clientsecret: hidden}\n';

let directory: string;
let provider: FakeProvider | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-mount-'));
});
afterEach(() => {
  provider?.close();
  provider = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Runs `mount --direct` on a text, with a provider that answers by `handler`. */
async function mountDirect(
  text: string,
  options: Partial<MountCommandOptions> = {},
  { env = {}, handler, files = ['-'] }: { env?: Record<string, string>; handler?: MountHandler; files?: string[] } = {},
) {
  const inputs: MountInput[] = [];
  const answer: MountHandler = async (input) => {
    inputs.push(input);
    const { files, objectVersion } = answerWith({ 'tls.crt': 'cert', 'tls.key': 'key!' }, 'v7');
    return { files, objectVersions: objectVersion };
  };
  const io = recordedIo({ stdin: text, env });
  const deps = { directMount: async () => handler ?? answer };
  const code = await runMount({ files, options: { ...MOUNT_DEFAULTS, direct: true, ...options }, deps }, io);
  const [input] = inputs;
  return {
    code,
    ...io.printed,
    attributes: JSON.parse(input?.attributes ?? '{}'),
    secrets: JSON.parse(input?.secrets ?? '{}'),
  };
}

describe('akv-csi mount, of an answer with last known values', () => {
  it.each([
    ['mounted with last known values (up to 740 s old): db', 'mounted with last known values (up to 740 s old): db'],
    ['not é\nprintable', 'not ??printable'],
  ])('prints what the provider says of it beside the answer', async (note, printed) => {
    const { path } = await testServer({ mount: async (...call) => ({ ...(await oneFile(...call)), note }) });
    const io = recordedIo({ stdin: SPC });
    const deps = { directMount: () => Promise.reject(new Error('not direct')) };
    const options = { ...MOUNT_DEFAULTS, endpoint: `unix://${path}` };
    expect(await runMount({ files: ['-'], options, deps }, io)).toBe(0);
    expect(io.printed.stderr).toBe(
      `warning: ${printed}\nnote: warnings of the provider are in its log; use --direct to see them here\n`,
    );
  });
});

describe('akv-csi mount --direct', () => {
  it('shows mode, size, file, object and version, and writes nothing', async () => {
    const { code, stdout, stderr } = await mountDirect(SPC);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toBe(
      [
        'SecretProviderClass prod/web, through this process',
        'MODE  BYTES  FILE     OBJECT          VERSION',
        '0644  4      tls.crt  secret/tls.crt  v7',
        '0644  4      tls.key  secret/tls.key  v7',
        'Nothing written; --out DIR writes the files.',
        '',
      ].join('\n'),
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  it('prints the result as JSON, without contents', async () => {
    const out = join(directory, 'json');
    const { code, stdout } = await mountDirect(SPC, { json: true, out });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      secretProviderClass: { name: 'web', namespace: 'prod' },
      through: 'this process',
      directory: out,
      changed: true,
      files: [
        { path: 'tls.crt', mode: '0644', bytes: 4, object: 'secret/tls.crt', version: 'v7' },
        { path: 'tls.key', mode: '0644', bytes: 4, object: 'secret/tls.key', version: 'v7' },
      ],
      objects: [
        { object: 'secret/tls.crt', version: 'v7' },
        { object: 'secret/tls.key', version: 'v7' },
      ],
    });
    expect(undocumentedFields(JSON.parse(stdout), 'docs/errors.md', 'JSON')).toEqual([]);
    expect(JSON.parse((await mountDirect(SPC, { json: true })).stdout)).not.toHaveProperty('directory');
  });

  it('shows what the provider warns of', async () => {
    const io = recordedIo({ stdin: SPC });
    const { files, objectVersion } = answerWith({ 'tls.crt': 'cert' }, 'v7');
    const directMount: DirectMount = async (_, log) => async () => {
      log.with({ pod: 'x' }).warn('Certificate warning', { detail: 'Certificate "c": it expired' });
      log.info('Mounted');
      return { files, objectVersions: objectVersion };
    };
    await runMount({ files: ['-'], options: { ...MOUNT_DEFAULTS, direct: true }, deps: { directMount } }, io);
    expect(io.printed.stderr).toBe('warning: Certificate "c": it expired\n');
  });

  it('takes the class and its Secret from several files and directories', async () => {
    const file = write('class.yaml', SPC);
    mkdirSync(join(directory, 'more'));
    write('more/secret.yaml', SECRET);
    const { code, secrets } = await mountDirect('', {}, { files: [file, join(directory, 'more')] });
    expect({ code, secrets }).toEqual({ code: 0, secrets: { clientid: 'from-manifest', clientsecret: 'hidden' } });
  });

  it.each([
    [
      'broker resources',
      readFileSync('examples/broker-listener.yaml', 'utf8'),
      /there is no SecretProviderClass in <stdin>; ".*" has a keyVault field; make SecretProviderClasses of it first: akv-csi render FILE \| akv-csi mount -$/m,
    ],
    ['a template', 'kind: {{ .Values.kind }}\n', /<stdin>:1: this is a template, not YAML; .* \| akv-csi mount -$/m],
    ['Markdown', '```yaml\na: [\n```\n', /<stdin>:1: this is Markdown, not YAML; /],
  ])('says what to do with %s', async (_, text, message) => {
    expect((await mountDirect(text)).stderr).toMatch(message);
  });

  it('never prints contents or credentials', async () => {
    const { stdout, stderr } = await mountDirect(`${SPC}---\n${SECRET}`);
    expect(stdout + stderr).not.toMatch(/key!|hidden|from-manifest/);
  });

  it('writes the files as the driver does', async () => {
    const out = join(directory, 'volume');
    expect(await mountDirect(SPC, { out })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${out}: written.`),
    });
    expect(readFileSync(join(out, '..data', 'tls.crt'), 'utf8')).toBe('cert');
    expect((await mountDirect(SPC, { out })).stdout).toContain(`${out}: unchanged`);
  });

  it('appears as the pod that is asked for', async () => {
    const { attributes } = await mountDirect(SPC, { pod: 'web-0', namespace: 'other', serviceAccount: 'sa' });
    expect(attributes).toMatchObject({
      secretProviderClass: 'web',
      'csi.storage.k8s.io/pod.name': 'web-0',
      'csi.storage.k8s.io/pod.namespace': 'other',
      'csi.storage.k8s.io/serviceAccount.name': 'sa',
    });
    expect((await mountDirect(SPC)).attributes['csi.storage.k8s.io/pod.namespace']).toBe('prod');
  });

  it('prints the provider’s error in full', async () => {
    const handler = () => Promise.reject(new ProviderError('ERR_NOT_FOUND', 'no secret "db" in vault "my-vault"'));
    expect(await mountDirect(SPC, {}, { handler })).toMatchObject({
      code: 1,
      stderr: 'error: no secret "db" in vault "my-vault"\n',
    });
  });

  it('refuses what a driver would refuse', async () => {
    const handler = () => Promise.resolve({ files: [], objectVersions: [] });
    expect(await mountDirect(SPC, {}, { handler })).toMatchObject({
      code: 1,
      stderr: 'error: missing object versions\n',
    });
  });

  it('lists objects apart that stand behind no file, and all where they do not pair', async () => {
    const { files } = answerWith({ a: 'x' });
    const objectVersions = [
      { id: 'secret/a', version: '1' },
      { id: 'secret/b', version: '2' },
    ];
    const { stdout } = await mountDirect(SPC, {}, { handler: () => Promise.resolve({ files, objectVersions }) });
    expect(stdout).toContain(
      'FILE  OBJECT    VERSION\n0644  1      a     secret/a  1\nOBJECT    VERSION\nsecret/b  2\n',
    );
    const { files: three } = answerWith({ a: 'x', b: 'y', c: 'z' });
    const few = await mountDirect(SPC, {}, { handler: () => Promise.resolve({ files: three, objectVersions }) });
    expect(few.stdout).toContain('0644  1      c\nOBJECT    VERSION\nsecret/a  1\nsecret/b  2\n');
    const none = await mountDirect(SPC, {}, { handler: () => Promise.resolve({ files: [], objectVersions }) });
    expect(none.stdout).toContain('The answer holds no files: the driver leaves the volume unchanged.');
  });
});

describe('credentials of akv-csi mount', () => {
  const other = SECRET.replace('name: sp', 'name: other').replace('from-manifest', 'from-other');

  it('none: the driver’s null', async () => {
    expect((await mountDirect(SPC)).secrets).toBeNull();
  });

  it('a Secret in the same file', async () => {
    const { secrets, stderr } = await mountDirect(`${SPC}---\n${SECRET}`);
    expect(secrets).toEqual({ clientid: 'from-manifest', clientsecret: 'hidden' });
    expect(stderr).toBe('note: node-publish secret from Secret sp\n');
  });

  it('a Secret in another file', async () => {
    const { secrets } = await mountDirect(SPC, { secrets: write('secret.yaml', SECRET) });
    expect(secrets.clientid).toBe('from-manifest');
  });

  it('of several Secrets, the one that the keyVault field names', async () => {
    const { secrets } = await mountDirect([SPC, other, SECRET].join('---\n'));
    expect(secrets.clientid).toBe('from-manifest');
  });

  it('of several Secrets, the one that --secret-name names', async () => {
    const { secrets } = await mountDirect([SPC, other, SECRET].join('---\n'), { secretName: 'other' });
    expect(secrets.clientid).toBe('from-other');
  });

  it('no Secret of another namespace', async () => {
    const elsewhere = SECRET.replace('name: sp', 'name: sp, namespace: dev');
    expect(await mountDirect(`${SPC}---\n${elsewhere}`)).toMatchObject({
      code: 2,
      stderr:
        'error: no Secret matches: looked for a Secret in namespace "prod", found dev/sp; choose with --secret-name\n',
    });
  });

  it('files, before a Secret', async () => {
    const secretFile = [`clientid=${write('id', 'from-file')}`, `clientsecret=${write('secret', 'a=b\n')}`];
    const { secrets } = await mountDirect(`${SPC}---\n${SECRET}`, { secretFile });
    expect(secrets).toEqual({ clientid: 'from-file', clientsecret: 'a=b\n' });
  });

  it('the environment, after a Secret', async () => {
    const env = { AZURE_CLIENT_ID: 'from-env', AZURE_CLIENT_SECRET: 's' };
    expect((await mountDirect(SPC, {}, { env })).secrets).toEqual({ clientid: 'from-env', clientsecret: 's' });
    expect((await mountDirect(`${SPC}---\n${SECRET}`, {}, { env })).secrets.clientid).toBe('from-manifest');
  });

  it('a service-account token with the expiry it carries', async () => {
    const claims = Buffer.from(JSON.stringify({ exp: 1_800_000_000 })).toString('base64url');
    const token = `header.${claims}.signature`;
    const { attributes } = await mountDirect(SPC, { tokenFile: write('token', `${token}\n`), audience: 'api://A' });
    expect(JSON.parse(attributes['csi.storage.k8s.io/serviceAccount.tokens'])).toEqual({
      'api://A': { token, expirationTimestamp: '2027-01-15T08:00:00.000Z' },
    });
  });

  it.each([
    ['a key without a path', ['clientid'], /--secret-file takes key=path/],
    ['a file that is not there', ['clientid=/nowhere/id'], /cannot read \/nowhere\/id: no such file or directory\n/],
    ['a file without an end', ['clientid=/dev/zero'], /cannot read \/dev\/zero: it is larger than 1048576 bytes/],
  ])('refuses %s', async (_, secretFile, message) => {
    expect(await mountDirect(SPC, { secretFile })).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });
});

describe('manifests of akv-csi mount', () => {
  const second = SPC.replace('name: web', 'name: api');

  it('chooses by name', async () => {
    const { stdout } = await mountDirect(`${SPC}---\n${second}`, { name: 'api' });
    expect(stdout).toContain('SecretProviderClass prod/api');
  });

  it('chooses by namespace and name where two share a name', async () => {
    const shop = SPC.replace('namespace: prod', 'namespace: shop');
    const text = `${SPC}---\n${shop}`;
    expect((await mountDirect(text, { name: 'shop/web' })).stdout).toContain('SecretProviderClass shop/web');
    expect((await mountDirect(text, { name: 'prod/web' })).stdout).toContain('SecretProviderClass prod/web');
    for (const options of [{}, { name: 'web' }, { name: 'x/web' }]) {
      expect(await mountDirect(text, options)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/; choose with --name: prod\/web, shop\/web\n$/),
      });
    }
  });

  it.each([
    ['several', `${SPC}---\n${second}`, {}, 'more than one SecretProviderClass; choose with --name: web, api'],
    ['no such name', SPC, { name: 'x' }, 'no SecretProviderClass "x"; choose with --name: web'],
    ['none', 'kind: Pod\n', {}, 'there is no SecretProviderClass in <stdin>'],
    ['a bad timeout', SPC, { timeout: 'soon' }, '--timeout "soon" must be a positive number of seconds'],
  ])('refuses %s', async (_, text, options, message) => {
    expect(await mountDirect(text, options)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });

  it('names the line that the API server would refuse', async () => {
    const text = SPC.replace('    keyVault: |', '    useVMManagedIdentity: true\n    keyVault: |');
    expect(await mountDirect(text)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: <stdin>:7: .*quotes/),
    });
  });

  it('tells when the class is for another provider', async () => {
    const { stderr } = await mountDirect(SPC.replace('azure', 'vault'));
    expect(stderr).toContain('a driver would ask vault.sock');
  });
});

describe('akv-csi mount against a provider', () => {
  const deps = { directMount: () => Promise.reject(new Error('not asked for')) };

  it('asks the provider behind the endpoint', async () => {
    provider = await startProvider([answerWith({ db: 'x' })]);
    const io = recordedIo({ stdin: SPC });
    const options = { ...MOUNT_DEFAULTS, endpoint: provider.endpoint };
    expect(await runMount({ files: ['-'], options, deps }, io)).toBe(0);
    expect(io.printed.stdout).toContain(`SecretProviderClass prod/web, through ${provider.endpoint} (fake v9)\n`);
    expect(provider.requests).toHaveLength(1);
  });

  it('prints status and message of a failed Mount', async () => {
    provider = await startProvider([{ code: status.NOT_FOUND, details: 'no secret "db"' }]);
    const io = recordedIo({ stdin: SPC });
    const options = { ...MOUNT_DEFAULTS, endpoint: provider.endpoint };
    expect(await runMount({ files: ['-'], options, deps }, io)).toBe(1);
    expect(io.printed.stderr).toBe('error: Mount failed with NOT_FOUND (5): no secret "db"\n');
  });

  it.each([
    ['no socket', `unix:///nowhere/azure.sock`, 1, /provider not found: there is no socket \/nowhere\/azure\.sock/],
    ['an endpoint of another kind', 'https://x', 2, /endpoint "https:\/\/x" is not supported/],
  ])('says so: %s', async (_, endpoint, code, message) => {
    const io = recordedIo({ stdin: SPC });
    expect(await runMount({ files: ['-'], options: { ...MOUNT_DEFAULTS, endpoint }, deps }, io)).toBe(code);
    expect(io.printed.stderr).toMatch(message);
  });

  it('takes no secret value on the command line', () => {
    const values = mountCommand(deps).options.map(({ flags }) => flags);
    expect(values.filter((flags) => /secret|token/.test(flags))).toEqual([
      '--secrets <file>',
      '--secret-name <name>',
      '--secret-file <key=path>',
      '--token-file <path>',
    ]);
  });
});
