import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { type CheckCommandOptions, checkCommand, runCheck } from '../../src/cli/check.ts';
import type { DirectMount } from '../../src/cli/provider.ts';
import { MANIFEST_WARNING } from '../../src/mount/report.ts';
import { recordedIo } from '../support/cli.ts';
import { answerWith } from '../support/fake-provider.ts';

const directory = mkdtempSync(join(tmpdir(), 'akv-check-'));
afterAll(() => rmSync(directory, { recursive: true }));

const GOOD = `kind: SecretProviderClass
metadata: {name: web, namespace: prod}
spec:
  provider: azure
  parameters:
    keyvaultName: kv1
    tenantID: contoso.example
    objects: |
      array:
        - |
          objectName: a
          objectType: secret
`;
const BAD = GOOD.replace('kv1', 'k_v').replace('secret\n', 'Secret\n          frobnicate: 1\n');

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const notAskedFor: DirectMount = () => Promise.reject(new Error('not asked for'));

async function check(
  files: readonly string[],
  options: Partial<CheckCommandOptions> & {
    stdin?: string;
    env?: Record<string, string>;
    directMount?: DirectMount;
  } = {},
) {
  const { stdin = '', env = {}, directMount = notAskedFor, cloudName = 'AzurePublicCloud', ...more } = options;
  const changes = { stdin, env };
  const io = recordedIo(changes);
  const code = await runCheck({ files, options: { cloudName, ...more }, deps: { directMount } }, io);
  return { code, ...io.printed };
}

describe('akv-csi check', () => {
  it('prints no control characters of a manifest', async () => {
    const text = GOOD.replace('objectType: secret', 'objectType: "a\\e[31m\\u202e"').replace(
      'name: web',
      'name: "w\\e"',
    );
    const { stdout: out } = await check([file('esc.yaml', text)]);
    expect(out).toContain('objectType:a\\x1b[31m\\u202e');
    expect(out).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  });

  it('passes good manifests', async () => {
    expect(await check([file('good.yaml', GOOD)])).toEqual({
      code: 0,
      stdout: '1 SecretProviderClass checked: 0 errors, 0 warnings, 0 notes\n',
      stderr: '',
    });
  });

  it('prints every finding as file:line, with field and remedy, in the order of the lines', async () => {
    const path = file('bad.yaml', BAD);
    const { code, stdout } = await check([path]);
    expect(code).toBe(1);
    expect(stdout.split('\n')).toEqual([
      `${path}:6: error: failed to get vault: Invalid vault name: "k_v", must match [-a-zA-Z0-9]{3,24} [prod/web]`,
      expect.stringMatching(
        /bad\.yaml:12: error: failed to get objectType:Secret, .* did you mean "secret"\? \(objects\[0\]\.objectType\) \[prod\/web\]$/,
      ),
      expect.stringMatching(/bad\.yaml:13: note: objects\[0\]\.frobnicate is unknown and ignored; .* \[prod\/web\]$/),
      '1 SecretProviderClass checked: 2 errors, 0 warnings, 1 note',
      '',
    ]);
  });

  it('reads several files and standard input', async () => {
    const { code, stdout } = await check([file('a.yaml', GOOD), '-'], { stdin: `${BAD}---\n${GOOD}` });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^<stdin>:6: error: /);
    expect(stdout).toMatch(/\n3 SecretProviderClasses checked: 2 errors, 0 warnings, 1 note\n$/);
  });

  it('prints JSON', async () => {
    const path = file('json.yaml', BAD);
    const { code, stdout } = await check([path], { json: true });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      manifests: 1,
      errors: 2,
      findings: [
        {
          file: path,
          line: 6,
          severity: 'error',
          path: 'keyvaultName',
          manifest: 'prod/web',
          message: expect.any(String),
        },
        { line: 12, severity: 'error', path: 'objects[0].objectType' },
        { line: 13, severity: 'note', path: 'objects[0].frobnicate' },
      ],
    });
  });

  it('prints annotations of a GitHub workflow', async () => {
    const path = file('a,b:100%.yaml', BAD);
    const { code, stdout } = await check([path], { format: 'github' });
    expect(code).toBe(1);
    const place = `file=${path.replace('a,b:100%', 'a%2Cb%3A100%25')}`;
    expect(stdout.split('\n')).toEqual([
      `::error ${place},line=6::failed to get vault: Invalid vault name: "k_v", must match [-a-zA-Z0-9]{3,24} [prod/web]`,
      expect.stringContaining(`::error ${place},line=12::failed to get objectType:Secret, `),
      expect.stringContaining(`::notice ${place},line=13::objects[0].frobnicate is unknown and ignored; `),
      '',
    ]);
  });

  it('prints SARIF that names rule, level, place and SecretProviderClass of each finding', async () => {
    const path = file('a b.yaml', BAD.replace('namespace: prod', 'namespace: Prod'));
    const { code, stdout } = await check([path], { format: 'sarif' });
    expect(code).toBe(1);
    const { version, runs } = JSON.parse(stdout);
    expect(version).toBe('2.1.0');
    const [{ tool, results }] = runs;
    const rules = tool.driver.rules.map(({ id }: { id: string }) => id);
    expect(results.map(({ ruleId, level }: { ruleId: string; level: string }) => [ruleId, level])).toEqual([
      ['manifest', 'error'],
      ['parameters', 'error'],
      ['parameters', 'error'],
      ['parameters', 'note'],
    ]);
    for (const { ruleId, locations } of results) {
      expect(rules).toContain(ruleId);
      expect(locations[0].physicalLocation.artifactLocation.uri).toBe(`file://${path.replace('a b', 'a%20b')}`);
    }
    expect(results[1].locations[0]).toMatchObject({
      physicalLocation: { region: { startLine: 6 } },
      logicalLocations: [{ fullyQualifiedName: 'Prod/web keyvaultName' }],
    });
  });

  it('prints SARIF with paths relative to the working directory, where code scanning looks for them', async () => {
    const relativePath = 'test/cli/check.test.ts';
    for (const path of [relativePath, resolve(relativePath)]) {
      const { stdout } = await check([path], { format: 'sarif' });
      expect(JSON.parse(stdout).runs[0].results[0].locations[0].physicalLocation.artifactLocation).toEqual({
        uri: relativePath,
      });
    }
  });

  it.each(['json', 'github', 'sarif'] as const)('prints no control characters of a manifest as %s', async (format) => {
    const text = BAD.replace('k_v', '"k\\e[31m\\u202e\\u0085"');
    const { stdout } = await check([file(`esc-${format}.yaml`, text)], { format });
    expect(stdout).toContain('k\\');
    expect(stdout).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  });

  it('says where a file is no YAML', async () => {
    const path = file('broken.yaml', 'a: b: c\n');
    expect(await check([path])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /broken\.yaml:1: error: mapping values are not allowed.*\n0 SecretProviderClasses checked: 1 error, 0 warnings, 0 notes\n$/s,
      ),
    });
  });

  it.each([
    ['no SecretProviderClass', 'kind: Pod\n'],
    ['nothing', ''],
  ])('fails on a file with %s', async (_, text) => {
    const path = file('other.yaml', text);
    expect(await check([path])).toEqual({ code: 1, stdout: '', stderr: `error: no SecretProviderClass in ${path}\n` });
  });

  it('skips files without a SecretProviderClass with --ignore-not-found, also those that are no YAML', async () => {
    const chart = file('values.yaml', 'name: {{ .Values.name }}\n');
    const pod = file('pod.yaml', 'kind: Pod\n');
    const options = { ignoreNotFound: true };
    const nothing = '0 SecretProviderClasses checked: 0 errors, 0 warnings, 0 notes\n';
    expect(await check([chart, pod], options)).toEqual({ code: 0, stdout: nothing, stderr: '' });
    expect(await check([chart, file('bad.yaml', BAD)], options)).toMatchObject({ code: 1 });
    const template = file('class.yaml', `${GOOD}\n---\nname: {{ .Values.name }}\n`);
    expect((await check([template], options)).stdout).toContain('this is a template, not YAML');
  });

  it('takes the manifests of a directory, as kubectl does', async () => {
    const folder = join(directory, 'folder');
    mkdirSync(join(folder, 'below.yaml'), { recursive: true });
    for (const name of ['b.yml', 'a.yaml', 'c.json']) file(`folder/${name}`, name === 'b.yml' ? BAD : GOOD);
    file('folder/README.md', '# not read');
    const { code, stdout } = await check([folder]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^[^\n]*folder\/b\.yml:6: error: /);
    expect(stdout).toContain('3 SecretProviderClasses checked: 2 errors');
    mkdirSync(join(directory, 'empty'));
    expect(await check([join(directory, 'empty')])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/empty: it holds no \.yaml, \.yml or \.json file\n$/),
    });
  });

  it.each(['utf16le', 'utf16le with a mark'])('says that a file is UTF-16: %s', async (encoding) => {
    const path = join(directory, 'utf16.yaml');
    writeFileSync(path, Buffer.from(encoding === 'utf16le' ? GOOD : `\uFEFF${GOOD}`, 'utf16le'));
    expect(await check([path])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/utf16\.yaml: it is UTF-16, as Windows PowerShell writes; save it as UTF-8/),
    });
  });

  it('says what to do with a broker resource', async () => {
    const path = join(process.cwd(), 'examples/broker-listener.yaml');
    const { code, stdout, stderr } = await check([path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /note: ".*" has a keyVault field; make SecretProviderClasses of it first: akv-csi render FILE/,
    );
    expect(stderr).toContain('no SecretProviderClass in');
  });

  it('fails on a file that cannot be read, as on a wrong command line', async () => {
    expect(await check([join(directory, 'missing.yaml')])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: cannot read .*missing\.yaml: no such file or directory\n$/),
    });
  });

  it('knows the program’s defaults: cloud and cloud file', async () => {
    const cloud = file(
      'cloud.json',
      JSON.stringify({ activeDirectoryEndpoint: 'https://l.example', keyVaultDNSSuffix: 'v.example' }),
    );
    const path = file('stack.yaml', GOOD);
    expect(await check([path], { cloudName: 'AzureStackCloud' })).toMatchObject({ code: 1 });
    expect(
      await check([path], { cloudName: 'AzureStackCloud', env: { AZURE_ENVIRONMENT_FILEPATH: cloud } }),
    ).toMatchObject({ code: 0 });
  });

  it('reads cloud files that manifests name, where --cloud-file-dir or the program’s own file allows it', async () => {
    const text = JSON.stringify({ activeDirectoryEndpoint: 'https://l.example', keyVaultDNSSuffix: 'v.example' });
    mkdirSync(join(directory, 'clouds'));
    const own = file('clouds/own.json', text);
    file('clouds/stack.json', text);
    const path = file(
      'named.yaml',
      GOOD.replace('parameters:', 'parameters:\n    cloudName: AzureStackCloud\n    cloudEnvFileName: stack.json'),
    );
    const outcomes = [
      await check([path], { cloudFileDir: join(directory, 'clouds') }),
      await check([path], { env: { AZURE_ENVIRONMENT_FILEPATH: own } }),
      await check([path], { cloudFileDir: directory, env: { AZURE_ENVIRONMENT_FILEPATH: own } }),
      await check([path]),
    ];
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 1, 1]);
    expect(outcomes[2]?.stdout).toContain(`"stack.json" cannot be read: there is no such file below ${directory};`);
    expect(outcomes[3]?.stdout).toContain('start it with --cloud-file-dir');
  });

  it('tells its exit codes in its help', () => {
    let help = '';
    checkCommand({ directMount: notAskedFor })
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    expect(help).toContain('Exit codes: 0 no errors, 1 errors found, 2 wrong command line or unreadable file.');
  });
});

describe('akv-csi check --fetch', () => {
  /** Returns a provider that warns and answers, or that fails. */
  const provider =
    (warnings: readonly string[], fails?: string): DirectMount =>
    async (_, log) =>
    async ({ secrets }) => {
      log.with({ pod: 'x' }).warn(MANIFEST_WARNING, { detail: 'about the manifest' });
      for (const warning of warnings)
        log.with({ pod: 'x' }).warn('Certificate warning', { reason: 'expired', detail: warning });
      if (fails !== undefined) throw new ProviderError('ERR_NOT_FOUND', fails);
      if (!secrets.includes('clientid')) throw new ProviderError('ERR_NO_CREDENTIALS', 'no credentials');
      const { files, objectVersion } = answerWith({ a: 'contents' }, 'v1');
      return { files, objectVersions: objectVersion };
    };
  const env = { AZURE_CLIENT_ID: 'id', AZURE_CLIENT_SECRET: 'hidden' };

  it('finds what the provider warns of in certificates, in its words, and writes nothing', async () => {
    const path = file('fetched.yaml', GOOD);
    const directMount = provider(['Certificate "a": it expired']);
    const { code, stdout } = await check([path], { fetch: true, env, directMount });
    expect(code).toBe(0);
    expect(stdout).toBe(
      `${path}:1: warning: Certificate "a": it expired [prod/web]\n1 SecretProviderClass checked: 0 errors, 1 warning, 0 notes\n`,
    );
  });

  it('finds what cannot be mounted', async () => {
    const path = file('fetched.yaml', GOOD);
    const directMount = provider([], 'failed to get a: gone');
    const { code, stdout } = await check([path], { fetch: true, json: true, env, directMount });
    expect(code).toBe(1);
    const message = 'failed to get a: gone';
    expect(JSON.parse(stdout).findings).toEqual([
      { severity: 'error', path: 'spec.parameters', message, file: path, line: 1, manifest: 'prod/web' },
    ]);
  });

  it('takes the credentials that stand beside the class', async () => {
    const secret = 'kind: Secret\nmetadata: {name: sp}\nstringData: {clientid: a, clientsecret: b}\n';
    const directMount = provider([]);
    expect(await check(['-'], { fetch: true, stdin: `${GOOD}---\n${secret}`, directMount })).toMatchObject({ code: 0 });
    expect(await check(['-'], { fetch: true, stdin: GOOD, directMount })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('<stdin>:1: error: no credentials'),
    });
  });

  it('reads all classes of all files with one provider, prints a note once, and warns about the right class', async () => {
    const files = ['one', 'two'].map((name) => file(`${name}.yaml`, `${GOOD}---\n${GOOD.replace('web', name)}`));
    let opened = 0;
    const directMount: DirectMount = async (_, log) => {
      opened++;
      return async ({ attributes }) => {
        if (attributes.includes('"two"')) log.warn('Certificate warning', { detail: 'about two' });
        const { files: made, objectVersion } = answerWith({ a: 'contents' }, 'v1');
        return { files: made, objectVersions: objectVersion };
      };
    };
    const shown: string[] = [];
    const io = { ...recordedIo({ env }), progress: (text: string) => shown.push(text) };
    const options = { cloudName: 'AzurePublicCloud', fetch: true, json: true };
    expect(await runCheck({ files, options, deps: { directMount } }, io)).toBe(0);
    expect(opened).toBe(1);
    expect(JSON.parse(io.printed.stdout).findings).toMatchObject([
      { message: 'about two', manifest: 'prod/two', line: 14 },
    ]);
    expect(io.printed.stderr).toBe('note: node-publish secret from AZURE_CLIENT_ID and AZURE_CLIENT_SECRET\n');
    expect(shown).toEqual(
      ['web', 'one', 'web', 'two'].flatMap((name, index) => [`reading class ${index + 1}: prod/${name}`, '']),
    );
  });

  it.each([
    [{ secrets: 'x.yaml' }, '--secrets'],
    [{ tokenFile: 'token' }, '--token-file'],
    [{ login: 'azurecli' }, '--login'],
  ] as const)('refuses %j without --fetch, where it has no effect', async (options, name) => {
    const stderr = `error: ${name} is for --fetch; add --fetch\n`;
    expect(await check(['-'], { stdin: GOOD, ...options })).toEqual({ code: 2, stdout: '', stderr });
  });

  it('says what to give on the command line for want of credentials', async () => {
    const TOKENS =
      'service account tokens not found; the CSIDriver object must ask for it (spec.tokenRequests with audience api://AzureADTokenExchange: the)';
    const create = 'kubectl create token SERVICE-ACCOUNT -n prod --audience api://AzureADTokenExchange > token';
    const SECRET = 'nodePublishSecretRef secret is not set; add it';
    const rows: readonly [string, Partial<CheckCommandOptions>, string][] = [
      [TOKENS, {}, `; here: ${create}; then give --token-file token`],
      [
        TOKENS.replace('Exchange', 'ExchangeBinding'),
        {},
        ' --token-file token --audience api://AzureADTokenExchangeBinding',
      ],
      [TOKENS, { serviceAccount: 'web' }, 'kubectl create token web -n prod'],
      [
        SECRET,
        {},
        '; here: --secrets FILE with that Secret, or --secret-file clientid=FILE --secret-file clientsecret=FILE',
      ],
    ];
    for (const [message, options, hint] of rows) {
      const { stdout } = await check(['-'], {
        fetch: true,
        stdin: GOOD,
        directMount: provider([], message),
        ...options,
      });
      expect(stdout).toContain(`${message}; here: `);
      expect(stdout).toContain(hint);
    }
    expect((await check(['-'], { fetch: true, stdin: GOOD, directMount: provider([], 'gone') })).stdout).not.toContain(
      'here:',
    );
  });

  it('asks no vault about a manifest with errors, nor for another provider', async () => {
    expect((await check(['-'], { fetch: true, stdin: BAD })).code).toBe(1);
    const other = GOOD.replace('provider: azure', 'provider: vault');
    expect((await check(['-'], { fetch: true, stdin: other })).code).toBe(0);
  });
});
