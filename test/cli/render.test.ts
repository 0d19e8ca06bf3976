import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type RenderCommandDeps, renderCommand, runRender } from '../../src/cli/render.ts';
import type { RenderCommandOptions } from '../../src/cli/render-options.ts';
import { readManifests } from '../../src/driver/manifests.ts';
import { formatRemark, type Message } from '../../src/render/remark.ts';
import { checkManifests } from '../../src/spc/check.ts';
import { recordedIo } from '../support/cli.ts';

const EXAMPLES = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'].map((n) => `examples/${n}.yaml`);
const GUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const DEFAULTS: RenderCommandOptions = { format: 'manifests' };

const NO_VAULTS: RenderCommandDeps = { directMount: () => Promise.reject(new Error('not asked for')) };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-render-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('akv-csi render', () => {
  it('prints one SecretProviderClass a field, and nothing else that is an object', async () => {
    const io = recordedIo();
    expect(await runRender(EXAMPLES, DEFAULTS, io, NO_VAULTS)).toBe(0);
    const documents = parseAllDocuments(io.printed.stdout).map((document) => document.toJS());
    expect(documents.map(({ kind }) => kind)).toEqual(Array(3).fill('SecretProviderClass'));
    expect(documents.map(({ metadata }) => metadata.name)).toEqual([
      'broker-listener-tls-listener-manual-tls',
      'broker-authentication-my-authentication-username-password',
      'mqtt-bridge-connector-my-bridge-x509',
    ]);
    expect(io.printed.stderr.match(/<AKV directory ID>/g)).toHaveLength(3);
  });

  it('reads standard input beside files', async () => {
    const io = recordedIo({ stdin: readFileSync('examples/broker-listener.yaml', 'utf8') });
    expect(await runRender(['-', 'examples/mqtt-bridge-connector.yaml'], DEFAULTS, io, NO_VAULTS)).toBe(0);
    expect(io.printed.stderr).toContain('<stdin>:15: note: ');
    expect(parseAllDocuments(io.printed.stdout)).toHaveLength(2);
  });

  it('fills the directory ID', async () => {
    const io = recordedIo();
    expect(await runRender(EXAMPLES, { ...DEFAULTS, directoryId: GUID }, io, NO_VAULTS)).toBe(0);
    expect(io.printed.stdout.match(new RegExp(`directoryId: ${GUID}`, 'g'))).toHaveLength(3);
    expect(io.printed.stderr).not.toContain('placeholder');
  });

  it('prints what the driver reads and the provider takes', async () => {
    const io = recordedIo();
    await runRender(EXAMPLES, { ...DEFAULTS, directoryId: GUID, syncSecrets: true }, io, NO_VAULTS);
    const { manifests } = await checkManifests(io.printed.stdout, {
      defaults: { cloudName: 'AzurePublicCloud', orderChain: true, split: false },
      readCloudFile: async () => ({ problem: 'no file here' }),
      providerNames: ['azure'],
    });
    const severities = manifests.map(({ findings }) => findings.map(({ severity }) => severity));
    // The last secret contains a chain only. Its other files exist only if it also contains a key.
    expect(severities).toEqual([[], [], ['warning', 'warning']]);
    const { classes } = readManifests(io.printed.stdout, 'rendered');
    expect(classes.map(({ parameters }) => Object.keys(parameters))).toEqual([
      ['keyVault'],
      ['keyVault', 'fileName'],
      ['keyVault', 'fileLayout'],
    ]);
  });

  it('takes provider, path and file names of its options', async () => {
    const io = recordedIo();
    const fileName = ['BrokerAuthentication/my-authentication/username-password=passwd'];
    const options = { ...DEFAULTS, provider: 'azure-next', mountPath: '/etc/{kind}/{name}', fileName };
    expect(await runRender(EXAMPLES, options, io, NO_VAULTS)).toBe(0);
    expect(io.printed.stdout.match(/^ {2}provider: azure-next$/gm)).toHaveLength(3);
    expect(io.printed.stdout).toContain('fileName: passwd\n');
    expect(io.printed.stdout.match(/mountPath: \S+/g)).toEqual([
      'mountPath: /etc/BrokerListener/tls-listener-manual',
      'mountPath: /etc/BrokerAuthentication/my-authentication',
      'mountPath: /etc/MqttBridgeConnector/my-bridge',
    ]);
  });

  it.each(['manifests', 'volumes'] as const)(
    'with --fetch prints no %s if the vault cannot be read',
    async (format) => {
      const io = recordedIo();
      const options = { ...DEFAULTS, format, directoryId: GUID, fetch: true };
      expect(await runRender(EXAMPLES, options, io, NO_VAULTS)).toBe(1);
      expect(io.printed.stdout).toBe('');
    },
  );

  it('quotes texts that Kubernetes would take for booleans', async () => {
    const io = recordedIo();
    expect(await runRender(EXAMPLES, { ...DEFAULTS, fileName: ['username-password=yes'] }, io, NO_VAULTS)).toBe(0);
    expect(io.printed.stdout).toContain('fileName: "yes"\n');
  });

  it('refuses a file name that no field takes', async () => {
    const io = recordedIo();
    expect(await runRender(EXAMPLES, { ...DEFAULTS, fileName: ['tls=x'] }, io, NO_VAULTS)).toBe(1);
    expect(io.printed.stderr).toContain(
      'error: --file-name "tls" names no field with a secret that becomes one file; there are: "username-password"\n',
    );
  });

  it('prints the parts of a pod', async () => {
    const io = recordedIo();
    expect(await runRender(EXAMPLES, { format: 'volumes' }, io, NO_VAULTS)).toBe(0);
    const [document] = parseAllDocuments(io.printed.stdout);
    expect(document?.toJS().volumes).toHaveLength(3);
    expect(document?.toJS().volumeMounts).toHaveLength(3);
  });

  it.each<[Partial<RenderCommandOptions>]>([
    [{}],
    [{ syncSecrets: true, provider: 'azure-next' }],
    [{ holder: true, secretNames: true }],
    [{ syncController: true, accountName: 'sync' }],
  ])('prints with --json and %j the objects that it prints as YAML, and its remarks as messages', async (changes) => {
    const options = { ...DEFAULTS, directoryId: GUID, ...changes };
    // The sync controller is for workload identity only.
    const files = changes.syncController ? ['-'] : EXAMPLES;
    const stdin = readFileSync('examples/broker-listener.yaml', 'utf8').replace(
      'servicePrincipalLocalSecretName: aio-akv-sp',
      `workloadIdentity: {clientId: ${GUID}}`,
    );
    const [text, json] = [recordedIo({ stdin }), recordedIo({ stdin })];
    expect(await runRender(files, options, text, NO_VAULTS)).toBe(0);
    expect(await runRender(files, { ...options, json: true }, json, NO_VAULTS)).toBe(0);
    const { manifests, messages } = JSON.parse(json.printed.stdout);
    expect(manifests).toEqual(parseAllDocuments(text.printed.stdout).map((document) => document.toJS()));
    const lines = messages.map(({ file, ...message }: Message & { file: string }) =>
      formatRemark({ ...message, source: file }),
    );
    expect(lines).toEqual(text.printed.stderr.split('\n').slice(0, -1));
    expect(json.printed.stderr).toBe('');
  });

  it('prints with --json the parts of the pods that --format volumes prints', async () => {
    const [yaml, json] = [recordedIo(), recordedIo()];
    await runRender(EXAMPLES, { format: 'volumes' }, yaml, NO_VAULTS);
    await runRender(EXAMPLES, { ...DEFAULTS, json: true }, json, NO_VAULTS);
    const { volumes } = JSON.parse(json.printed.stdout);
    expect(parse(yaml.printed.stdout)).toEqual({
      volumes: volumes.map(({ volume }: { volume: object }) => volume),
      volumeMounts: volumes.map(({ volumeMount }: { volumeMount: object }) => volumeMount),
    });
  });

  it('prints JSON with the messages alone after an error', async () => {
    const io = recordedIo({ stdin: 'kind: A\u0085\nspec:\n  keyVault:\n    vault: {name: "\\e"}\n' });
    expect(await runRender(['-'], { ...DEFAULTS, json: true }, io, NO_VAULTS)).toBe(1);
    const { manifests, volumes, messages } = JSON.parse(io.printed.stdout);
    expect({ manifests, volumes }).toEqual({ manifests: [], volumes: [] });
    expect(messages[0]).toMatchObject({ severity: 'error', file: '<stdin>' });
    expect(io.printed.stdout).not.toMatch(/[^\P{Cc}\n]/u);
    expect(io.printed.stderr).toBe('');
  });

  it('says so when there is no keyVault field', async () => {
    const io = recordedIo({ stdin: 'kind: Pod\n' });
    expect(await runRender(['-'], DEFAULTS, io, NO_VAULTS)).toBe(1);
    expect(io.printed).toEqual({ stdout: '', stderr: 'error: there is no keyVault field in <stdin>\n' });
  });

  it('prints no manifest when one field is wrong', async () => {
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, 'spec:\n  tls:\n    keyVault:\n      valut: {}\n');
    const io = recordedIo();
    expect(await runRender([...EXAMPLES, file], DEFAULTS, io, NO_VAULTS)).toBe(1);
    expect(io.printed.stdout).toBe('');
    expect(io.printed.stderr).toMatch(/bad\.yaml:4: error: spec\.tls\.keyVault: keyVault\.valut is unknown; .*"vault"/);
  });

  it('gives file, line and column of YAML that cannot be read', async () => {
    const io = recordedIo({ stdin: 'a: 1\nb: "x\n' });
    expect(await runRender(['-'], DEFAULTS, io, NO_VAULTS)).toBe(1);
    expect(io.printed.stderr).toMatch(/^<stdin>:\d+:\d+: error: /);
  });

  it.each([
    ['a file that is not there', ['none.yaml'], {}, 'error: cannot read none.yaml: no such file or directory\n'],
    ['a directory without manifests', ['src'], {}, 'error: cannot read src: it holds no .yaml, .yml or .json file\n'],
    ['a directory ID that is none', EXAMPLES, { directoryId: 'x' }, 'error: --directory-id "x" is not a GUID\n'],
    [
      'a provider that the driver refuses',
      EXAMPLES,
      { provider: 'a/b' },
      'error: --provider "a/b" is not a name of a provider: the driver takes 1 to 30 letters, digits, "-" and "_"\n',
    ],
    [
      'a path with a placeholder that is unknown',
      EXAMPLES,
      { mountPath: '/a/{nmae}' },
      'error: --mount-path "/a/{nmae}" has the unknown placeholder "{nmae}"; did you mean {name}?; give an absolute ' +
        'directory, or a path with the placeholders "{class}", "{kind}", "{name}" or "{role}"\n',
    ],
    [
      'a file name without its role',
      EXAMPLES,
      { fileName: ['passwd'] },
      'error: --file-name "passwd": the form is ROLE=NAME, such as username-password=passwd\n',
    ],
    [
      'a Component without its directory',
      EXAMPLES,
      { format: 'kustomize' as const },
      'error: --format kustomize writes two files; name their directory with --out DIR\n',
    ],
    ['a directory for nothing', EXAMPLES, { out: 'x' }, 'error: --out is for --format kustomize\n'],
    ['a directory for a stream', EXAMPLES, { into: true, out: 'x' }, 'error: --out and --into exclude each other\n'],
    [
      'volumes with objects to apply',
      EXAMPLES,
      { format: 'volumes' as const, holder: true, configMaps: ['a=b'], fetch: true },
      'error: --format volumes prints parts of a pod, and no objects such as those of --holder and --config-maps; leave one of them out\n',
    ],
    [
      'two ways to one Secret',
      EXAMPLES,
      { syncController: true, accountName: 'a', syncSecrets: true },
      'error: --sync-controller and --sync-secrets are two ways to the same Secret, which would overwrite each other; ' +
        'choose the sync controller or the driver\n',
    ],
    [
      'SecretSyncs without a ServiceAccount',
      EXAMPLES,
      { syncController: true },
      'error: --sync-controller needs --account-name NAME: the ServiceAccount that has the workload identity\n',
    ],
    ['credentials for nothing', EXAMPLES, { secrets: 'x' }, 'error: --secrets is for --fetch; add --fetch\n'],
    [
      'an image without a holder',
      EXAMPLES,
      { holderImage: 'pause' },
      'error: --holder-image is the image of --holder; add --holder\n',
    ],
    [
      'an image that is none',
      EXAMPLES,
      { holder: true, holderImage: 'a b' },
      'error: --holder-image "a b" is no image\n',
    ],
    [
      'a ServiceAccount for nothing',
      EXAMPLES,
      { accountName: 'a' },
      'error: --account-name is the ServiceAccount of --holder and --sync-controller; add one of them\n',
    ],
    [
      'a ServiceAccount that Kubernetes refuses',
      EXAMPLES,
      { holder: true, accountName: 'A_b' },
      'error: --account-name "A_b" cannot be a name in Kubernetes: lower case letters, digits, "-" and ".", begin and end ' +
        'with a letter or digit, at most 253\n',
    ],
    [
      'ConfigMaps without the vault',
      EXAMPLES,
      { configMaps: ['a=b'] },
      'error: --config-maps reads certificates from the vault; add --fetch, and the credentials that it needs\n',
    ],
    [
      'a ConfigMap without its secret',
      EXAMPLES,
      { configMaps: ['my-ca-certificate'], fetch: true },
      'error: --config-maps "my-ca-certificate": the form is CONFIGMAP=SECRET, such as client-ca=my-ca-chain: the ConfigMap ' +
        'that a resource names, and the secret in its vault\n',
    ],
  ])('refuses %s', async (_, files, options, message) => {
    const io = recordedIo();
    expect(await runRender(files, { ...DEFAULTS, ...options }, io, NO_VAULTS)).toBe(2);
    expect(io.printed).toEqual({ stdout: '', stderr: message });
  });

  describe('--format kustomize', () => {
    const component = (out: string, more: Partial<RenderCommandOptions> = {}) => {
      const pod = ['azure-iot-operations/deploy/front=broker=BrokerListener/tls-listener-manual'];
      return { ...DEFAULTS, format: 'kustomize' as const, out, pod, ...more };
    };

    it('writes two files, also again', async () => {
      const out = join(directory, 'deep/component');
      const files = ['kustomization.yaml', 'akv-csi.yaml'].map((name) => join(out, name));
      for (const secretNames of [false, true]) {
        const io = recordedIo();
        expect(await runRender(EXAMPLES, component(out, { secretNames }), io, NO_VAULTS)).toBe(0);
        expect(io.printed.stdout).toBe(files.map((file) => `${file}\n`).join(''));
        const kinds = parseAllDocuments(readFileSync(files[1] ?? '', 'utf8')).map((document) => document.toJS().kind);
        expect(kinds.includes('BrokerListener')).toBe(secretNames);
      }
    });

    it.each(['kustomization.yaml', 'akv-csi.yaml'])('overwrites no %s of others', async (name) => {
      const file = join(directory, name);
      writeFileSync(file, 'resources: []\n');
      const io = recordedIo();
      expect(await runRender(EXAMPLES, component(directory), io, NO_VAULTS)).toBe(2);
      expect(io.printed.stderr).toContain(
        `error: ${file} was not made by this command; name another directory with --out\n`,
      );
      expect([readFileSync(file, 'utf8'), readdirSync(directory)]).toEqual(['resources: []\n', [name]]);
    });

    it('writes nothing after a mistake', async () => {
      const io = recordedIo();
      const options = component(join(directory, 'x'), { pod: ['deploy/front=a=BrokerListener/none'] });
      expect(await runRender(EXAMPLES, options, io, NO_VAULTS)).toBe(1);
      expect(io.printed).toMatchObject({
        stdout: '',
        stderr: expect.stringContaining('there is no BrokerListener "none"'),
      });
      expect(readdirSync(directory)).toEqual([]);
    });

    it('says what prevents the writing', async () => {
      const io = recordedIo();
      writeFileSync(join(directory, 'file'), '');
      expect(await runRender(EXAMPLES, component(join(directory, 'file')), io, NO_VAULTS)).toBe(2);
      expect(io.printed.stderr).toMatch(/error: cannot write to \S+file: EEXIST/);
    });
  });

  it.each([
    [
      'a name that no resource has',
      'other=ca',
      'no resource names the ConfigMap "other"; they name "my-ca-certificate"',
    ],
    ['a misspelt name', 'my-ca-certificat=ca', 'did you mean "my-ca-certificate"?'],
    ['a secret that cannot be', 'my-ca-certificate=a_b', 'a_b'],
  ])('refuses ConfigMaps with %s, all at once, and asks no vault', async (_, value, message) => {
    const io = recordedIo();
    const options = { ...DEFAULTS, directoryId: GUID, fetch: true, configMaps: [value, 'none=ca'] };
    expect(await runRender(EXAMPLES, options, io, NO_VAULTS)).toBe(1);
    expect(io.printed.stdout).toBe('');
    expect(io.printed.stderr).toContain(message);
    expect(io.printed.stderr).toContain('--config-maps "none=ca": no resource names the ConfigMap "none"');
  });

  it('refuses a ConfigMap whose vault it cannot tell', async () => {
    const file = join(directory, 'two.yaml');
    const field = (vault: string) =>
      `{vault: {name: ${vault}, credentials: {servicePrincipalLocalSecretName: sp}}, vaultSecret: {name: db}}`;
    writeFileSync(
      file,
      `apiVersion: v1\nkind: BrokerAuthentication\nmetadata: {name: a}\nspec:\n  authenticationMethods:\n` +
        `    - x509: {trustedClientCaCert: client-ca, attributes: {keyVault: ${field('vault-a')}}}\n` +
        `    - usernamePassword: {keyVault: ${field('vault-b')}}\n`,
    );
    const io = recordedIo();
    const options = { ...DEFAULTS, fetch: true, configMaps: ['client-ca=ca'] };
    expect(await runRender([file], options, io, NO_VAULTS)).toBe(1);
    expect(io.printed.stderr).toContain(
      'error: --config-maps "client-ca=ca": the resources use the vaults vault-a, vault-b; render those of one vault at a time\n',
    );
  });

  it('takes a directory, as kubectl does', async () => {
    const [one, all] = [recordedIo(), recordedIo()];
    expect(await runRender(['examples'], { ...DEFAULTS, directoryId: GUID }, one, NO_VAULTS)).toBe(0);
    expect(await runRender(EXAMPLES.toSorted(), { ...DEFAULTS, directoryId: GUID }, all, NO_VAULTS)).toBe(0);
    expect(one.printed.stdout).toBe(all.printed.stdout);
  });

  it('tells its exit codes in its help', () => {
    let help = '';
    renderCommand(NO_VAULTS)
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    expect(help).toContain('Exit codes: 0 printed, 1 no keyVault field');
  });

  it('has an option for each choice', () => {
    expect(renderCommand(NO_VAULTS).options.map(({ long }) => long)).toEqual([
      '--directory-id',
      '--sync-secrets',
      '--format',
      '--json',
      '--out',
      '--provider',
      '--mount-path',
      '--file-name',
      '--into',
      '--pod',
      '--resources',
      '--watch',
      '--watch-image',
      '--holder',
      '--holder-image',
      '--secret-names',
      '--sync-controller',
      '--account-name',
      '--config-maps',
      '--fetch',
      '--cloud-name',
      '--cloud-file-dir',
      '--secrets',
      '--secret-name',
      '--secret-file',
      '--token-file',
      '--login',
      '--audience',
    ]);
  });
});
