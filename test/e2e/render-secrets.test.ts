/** Runs the commands of docs/render-secrets.md on the emulator, and compares the ConfigMaps with the vault. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { emulatorEnv } from '../support/class-command.ts';
import { builtProgram, startWorld, type World } from '../support/e2e.ts';
import { codeBlocks, textOf } from '../support/markdown.ts';
import { issueChain, keyPem, pemOf } from '../support/pki.ts';

const PAGE = 'docs/render-secrets.md';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

interface Ran {
  readonly code: number;
  readonly stderr: string;
  readonly objects: readonly { readonly kind: string; readonly metadata: { readonly name: string } }[];
}

async function run(args: readonly string[]): Promise<Ran> {
  const all = [builtProgram(), 'render', '--cloud-name', 'AzureStackCloud', ...args];
  const ended = await promisify(execFile)(process.execPath, all, { env: emulatorEnv(world), maxBuffer: 1 << 24 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
  const objects = parseAllDocuments(ended.stdout).flatMap((document) => document.toJS() ?? []);
  return { code: ended.code, stderr: ended.stderr, objects };
}

describe('the commands of the page', () => {
  const commands = codeBlocks(textOf(PAGE), 'sh').flatMap((text) => text.trim().split('\n'));
  const [resource = ''] = codeBlocks(textOf(PAGE), 'yaml');

  it.each<[number, readonly string[]]>([
    [0, ['SecretProviderClass', 'Deployment', 'BrokerAuthentication', 'BrokerListener', 'MqttBridgeConnector']],
    [1, ['SecretProviderClass', 'SecretSync']],
    [2, ['SecretProviderClass', 'ConfigMap']],
  ])('number %i prints %j', async (index, kinds) => {
    writeFileSync(join(world.directory, 'workload-identity.yaml'), resource);
    const [command = ''] = (commands[index] ?? '').split(' | ');
    const [program, render, ...args] = command.split(' ');
    expect([program, render]).toEqual(['akv-csi', 'render']);
    const inPlace = args.map((arg) => (arg === 'workload-identity.yaml' ? join(world.directory, arg) : arg));
    // The directory of examples holds a seed of the emulator too, which render reads as a manifest without a field.
    const { code, stderr, objects } = await run(inPlace);
    expect(stderr).not.toContain('error:');
    expect(code).toBe(0);
    expect([...new Set(objects.map(({ kind }) => kind))]).toEqual(kinds);
    expect(commands).toHaveLength(3);
  });
});

describe('ConfigMaps of chain secrets', () => {
  const resourceFile = () => {
    const vault = { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } };
    const attributes = { keyVault: { vault, vaultSecret: { name: 'my-username-password-db' } } };
    const methods = [
      { x509: { trustedClientCaCert: 'client-ca', attributes } },
      { custom: { endpoint: 'https://a', caCert: 'custom-ca' } },
    ];
    const file = join(world.directory, 'trust.yaml');
    const [apiVersion, kind] = ['mq.iotoperations.azure.com/v1beta1', 'BrokerAuthentication'];
    const metadata = { name: 'a', namespace: 'broker' };
    writeFileSync(file, stringify({ apiVersion, kind, metadata, spec: { authenticationMethods: methods } }));
    return file;
  };

  it('hold the CA certificates under the key of their reader, and no key and no leaf', async () => {
    const { leaf, certificates } = await issueChain({ names: ['client', 'Inner', 'Root'] });
    const [, inner, root] = certificates;
    if (inner === undefined || root === undefined) throw new Error('a short chain');
    world.emulator.setSecret(VAULT, 'whole', keyPem(leaf.key) + pemOf(certificates));
    world.emulator.setSecret(VAULT, 'root', pemOf([root]));
    const { code, objects } = await run(['--fetch', '--config-maps=client-ca=whole,custom-ca=root', resourceFile()]);
    expect(code).toBe(0);
    expect(objects.slice(1)).toEqual([
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'client-ca', namespace: 'broker' },
        data: { 'client_ca.pem': expect.any(String) },
      },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'custom-ca', namespace: 'broker' },
        data: { 'ca.crt': pemOf([root]) },
      },
    ]);
    const { data } = objects[1] as unknown as { data: { 'client_ca.pem': string } };
    const blocks = data['client_ca.pem'].match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g) ?? [];
    expect(blocks.toSorted()).toEqual([pemOf([inner]), pemOf([root])].toSorted());
  });

  it('are not printed, and neither is anything else, if the secret holds none or is not there', async () => {
    world.emulator.setSecret(VAULT, 'text', 'hunter2');
    for (const secret of ['text', 'nowhere']) {
      const { code, objects, stderr } = await run(['--fetch', `--config-maps=client-ca=${secret}`, resourceFile()]);
      expect(code).toBe(1);
      expect(objects).toEqual([]);
      expect(stderr).toContain('error: ConfigMap client-ca: ');
      expect(stderr).toContain(`"${secret}"`);
      expect(stderr).not.toContain('hunter2');
    }
  });
});

describe('--fetch', () => {
  it('says what a place needs and the vault does not give, with the line of the field', async () => {
    const file = join(world.directory, 'bridge.yaml');
    writeFileSync(
      file,
      textOf('examples/mqtt-bridge-connector.yaml').replace('my-remote-broker-certificate', 'my-ca-chain'),
    );
    const { code, stderr, objects } = await run(['--fetch', '--directory-id', TENANT, file]);
    expect(stderr).toContain(
      `${file}:21: warning: MqttBridgeConnector my-bridge, spec.remoteBrokerConnection.authentication.x509.keyVault: ` +
        'Certificate "my-ca-chain": client_cert.pem and client_key.pem are not there: the secret holds CA certificates only; ' +
        'add vaultCert with the client certificate\n',
    );
    expect([code, objects.length]).toEqual([0, 1]);
  });

  it('prints nothing if an object cannot be read', async () => {
    const file = join(world.directory, 'listener.yaml');
    writeFileSync(file, textOf('examples/broker-listener.yaml').replace('my-server-certificate', 'nowhere'));
    const { code, stderr, objects } = await run(['--fetch', '--directory-id', TENANT, file]);
    expect([code, objects]).toEqual([1, []]);
    expect(stderr).toMatch(
      /listener\.yaml:13: error: BrokerListener tls-listener-manual, spec\.tls\.keyVault: .*nowhere/,
    );
  });
});
