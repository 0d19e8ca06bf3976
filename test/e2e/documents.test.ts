/** Mounts the manifests of the documents on the emulator, as a reader copies them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { Secret } from '../../src/base/secret.ts';
import { TENANT } from '../../src/cli/demo/fixtures.ts';
import { readManifests } from '../../src/driver/manifests.ts';
import { publish } from '../../src/driver/publish.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { checkManifests } from '../../src/spc/check.ts';
import { APP_IDENTITY, CREDENTIALS, mountInto, startWorld, type World } from '../support/e2e.ts';
import { codeBlocks, markdownFiles, textOf } from '../support/markdown.ts';

const WORKLOAD = '33333333-3333-3333-3333-333333333333';
const EXCHANGE = 'api://AzureADTokenExchange';
/** The secret that extract.md shows, on one line. */
function appConfig(): string {
  return JSON.stringify(JSON.parse(codeBlocks(textOf('docs/extract.md'), 'json')[0] ?? ''));
}

const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - ${APP_IDENTITY}
      - {name: workload, clientId: "${WORKLOAD}", federated: [{subject: "system:serviceaccount:default:app"}]}
  - id: "22222222-2222-2222-2222-222222222222"
    identities:
      - ${APP_IDENTITY}
authorities:
  - {name: root, subject: CN=Root, key: {kty: RSA}}
  - {name: intermediate, subject: CN=Intermediate, issuer: root, key: {kty: RSA}}
vaults:
  - name: kv-shared
    tenant: "${TENANT}"
    grants: [{identity: app, secrets: [get]}]
    secrets: [{name: root-ca, value: root}]
  - {name: kv-north, tenant: "${TENANT}"}
  - name: kv-east
    tenant: "${TENANT}"
    grants: [{identity: app, secrets: [get]}]
    secrets: [{name: db-password, value: copy}, {name: root-ca, value: root-copy}]
  - name: kv-partner
    tenant: "22222222-2222-2222-2222-222222222222"
    grants: [{identity: app, secrets: [get]}]
    secrets: [{name: partner-key, value: partner}]
  - name: my-key-vault
    tenant: "${TENANT}"
    grants: [{identity: app, secrets: [get, list]}, {identity: workload, secrets: [get]}]
    certificates:
      - {name: web, issuer: intermediate, subject: CN=web, dns: [web.example], key: {kty: RSA}}
      - {name: my-server-certificate, issuer: intermediate, subject: CN=server, dns: [server.example], key: {kty: RSA}}
    secrets:
      - {name: web-pfx-password, value: changeit}
      - {name: app-user, value: app}
      - {name: app-config, value: '${appConfig()}'}
      - name: db-password
        value: hunter2
        created: 2026-01-01T00:00:00Z
        notBefore: 2026-01-01T00:00:00Z
        expires: 2036-01-01T00:00:00Z
        tags: {owner: team-a}
`;

/** The parts of a Pod that these tests read. */
interface PodManifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly serviceAccountName?: string;
    readonly containers: readonly { readonly volumeMounts: readonly { name: string; mountPath: string }[] }[];
    readonly volumes: readonly {
      readonly name: string;
      readonly csi: {
        readonly driver: string;
        readonly volumeAttributes: { readonly secretProviderClass: string };
        readonly nodePublishSecretRef?: { readonly name: string };
      };
    }[];
  };
}

const CLASS = /^kind: SecretProviderClass$/gm;
const manifests = (page: string) => codeBlocks(textOf(page), 'yaml').filter((text) => text.match(CLASS) !== null);
const classesOf = (page: string) => manifests(page).flatMap((text) => readManifests(text, page).classes);

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterAll(() => world?.close());

test.each(markdownFiles().filter((page) => manifests(page).length > 0))('check finds nothing in %s', async (page) => {
  const context = {
    defaults: { cloudName: 'AzurePublicCloud', orderChain: true, split: false },
    providerNames: ['azure'],
    readCloudFile: () => Promise.reject(new Error('the examples name no cloud')),
  };
  for (const text of manifests(page)) {
    const { findings, manifests: checked } = await checkManifests(text, context);
    expect(
      [...findings, ...checked.flatMap((one) => one.findings)].filter(({ severity }) => severity !== 'note'),
    ).toEqual([]);
    expect(checked).toHaveLength(text.match(CLASS)?.length ?? 0);
  }
});

describe('the README’s examples', () => {
  const [keyVaultText = '', classicText = ''] = manifests('README.md');
  const shown = codeBlocks(textOf('README.md'), 'sh').flatMap((text) => text.split('\n'));

  it('are one of each form', () => {
    expect(classesOf('README.md').map(({ parameters }) => 'keyVault' in parameters)).toEqual([true, false]);
  });

  it.each([
    ['keyVault', keyVaultText, ['ca.crt', 'tls.crt', 'tls.key'], /^-----BEGIN CERTIFICATE-----/],
    ['classic', classicText, ['db-password', 'tls/web.pem'], /^hunter2$/],
  ])('mount the files that the kubectl line shows: %s', async (_, text, files, content) => {
    const [spc] = readManifests(text, 'README.md').classes;
    const pod = parseAllDocuments(text)
      .map((document) => document.toJS() as PodManifest)
      .find(({ kind }) => kind === 'Pod');
    if (spc === undefined || pod === undefined) throw new Error('the example has no class or no Pod');
    const [volume] = pod.spec.volumes;
    const [mounted] = pod.spec.containers.flatMap(({ volumeMounts }) => volumeMounts);
    const { metadata } = pod;
    expect(volume?.csi.driver).toBe('secrets-store.csi.k8s.io');
    expect(volume?.csi.volumeAttributes.secretProviderClass).toBe(spc.name);
    expect(mounted?.name).toBe(volume?.name);
    expect(metadata.namespace ?? '').toBe(spc.namespace);

    const namespace = metadata.namespace ?? 'default';
    const serviceAccount = pod.spec.serviceAccountName ?? 'default';
    const subject = `system:serviceaccount:${namespace}:${serviceAccount}`;
    const token = world.emulator.issueServiceAccountToken({ audience: EXCHANGE, subject });
    const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
    const targetDir = join(world.directory, spc.name);
    const { files: written } = await publish(world.client, {
      parameters: spc.parameters,
      volumeAttributes: { ...volume?.csi.volumeAttributes },
      pod: { name: metadata.name, namespace, uid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8', serviceAccount },
      targetDir,
      tokens: new Secret(JSON.stringify({ [EXCHANGE]: { token, expirationTimestamp } })),
      ...(volume?.csi.nodePublishSecretRef === undefined ? {} : { nodePublishSecret: CREDENTIALS }),
    });
    expect(written.map(({ path }) => path).toSorted()).toEqual(files);

    const kubectl = shown.find((line) => line.startsWith('kubectl') && line.includes(` exec ${metadata.name} -- cat `));
    expect(kubectl?.includes('--namespace') ? kubectl.split(' ')[2] : 'default').toBe(namespace);
    const [, path = ''] = kubectl?.split(`cat ${mounted?.mountPath}/`) ?? [];
    expect(readFileSync(join(targetDir, path), 'utf8')).toMatch(content);
  });
});

describe('the examples of certificate-files.md', () => {
  it('are one of each form', () => {
    const forms = classesOf('docs/certificate-files.md').map(({ parameters }) => 'keyVault' in parameters);
    expect(forms).toEqual([false, true]);
  });

  it('write what they promise', async () => {
    const [classic = {}, keyVault = {}] = classesOf('docs/certificate-files.md').map(({ parameters }) => parameters);
    const password = new Secret('changeit');
    const web = await mountInto(world, 'web', classic);
    expect(web.files.map(({ path, mode }) => [path, mode.toString(8)]).sort()).toEqual([
      ['ca.crt', '640'],
      ['tls.crt', '644'],
      ['tls.key', '600'],
      ['trust.p12', '640'],
      ['web.pfx', '640'],
    ]);
    const read = (name: string) => readFileSync(join(web.targetDir, name));
    expect(read('tls.key').toString()).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(new X509Certificate(read('tls.crt')).checkPrivateKey(createPrivateKey(read('tls.key')))).toBe(true);
    expect((await readBundle(read('web.pfx'), { password })).certificates).toHaveLength(3);
    const server = await mountInto(world, 'server', keyVault);
    expect(server.files.map(({ path }) => path).sort()).toEqual(['ca.crt', 'server.pem', 'server.pfx']);
    const pfx = readFileSync(join(server.targetDir, 'server.pfx'));
    expect((await readBundle(pfx, { password })).keys).toHaveLength(1);
    await expect(readBundle(pfx)).rejects.toThrow('protected by a password');
  });
});

describe('the examples of object-options.md', () => {
  const [optional, metadata, validity, vaults, fallback, current] = classesOf('docs/object-options.md');
  const contents = (files: Awaited<ReturnType<typeof mountInto>>['files']) =>
    Object.fromEntries(files.map(({ path, contents }) => [path, contents.toString()]));

  const asked = () => world.emulator.requests.filter(({ kind }) => kind === 'vault').length;

  it('mount what is there of optional objects', async () => {
    const { files, objectVersions } = await mountInto(world, 'optional', optional?.parameters ?? {});
    expect(contents(files)).toEqual({ 'db-password': 'hunter2', 'feature-flags': '', 'log-level': 'info' });
    expect(objectVersions.filter(({ version }) => version.startsWith('missing'))).toHaveLength(3);
  });

  it('write the metadata that the page shows', async () => {
    const { files } = await mountInto(world, 'metadata', metadata?.parameters ?? {});
    const [shown = ''] = codeBlocks(textOf('docs/object-options.md'), 'json');
    const { version: _, ...members } = JSON.parse(shown) as Record<string, unknown>;
    expect(files.map(({ path }) => path)).toEqual(['db-password', 'about/db-password.json']);
    const { version, ...written } = JSON.parse(contents(files)['about/db-password.json'] ?? '') as typeof members;
    expect(Object.entries(written)).toEqual(Object.entries(members));
    expect(version).toMatch(/^[0-9a-f]{32}$/);
  });

  it('mount the version before the one that has expired', async () => {
    const seconds = (month: number) => Date.UTC(2026, month, 1) / 1000;
    const old = { version: 'a'.repeat(32), created: seconds(0) };
    world.emulator.setSecret('my-key-vault', 'api-key', 'old', old);
    world.emulator.setSecret('my-key-vault', 'api-key', 'new', { expires: seconds(1) });
    const before = asked();
    const { files, objectVersions } = await mountInto(world, 'validity', validity?.parameters ?? {});
    expect(contents(files)).toEqual({ 'db-password': 'hunter2', 'api-key': 'old' });
    expect(objectVersions).toContainEqual({ id: 'secret/api-key', version: old.version });
    // The two secrets, one listing, and the version that it chose.
    expect(asked()).toBe(before + 4);
  });

  it('read each object in its vault', async () => {
    const { files, objectVersions } = await mountInto(world, 'vaults', vaults?.parameters ?? {});
    expect(contents(files)).toEqual({ 'db-password': 'hunter2', 'root-ca': 'root', 'partner-key': 'partner' });
    expect(objectVersions.map(({ id }) => id)).toEqual([
      'secret/db-password',
      'kv-shared/secret/root-ca',
      'kv-partner/secret/partner-key',
    ]);
  });

  it('read the fallback vaults while the first are away', async () => {
    for (const vault of ['my-key-vault', 'kv-north', 'kv-shared'])
      world.emulator.faults.add({ on: 'vault', vault, action: { kind: 'answer', status: 503 } });
    const { files } = await mountInto(world, 'fallback', fallback?.parameters ?? {});
    world.emulator.faults.clear();
    expect(contents(files)).toEqual({ 'db-password': 'copy', 'root-ca': 'root-copy' });
  });

  it('ask the vault each time', async () => {
    const before = asked();
    for (let i = 0; i < 2; i++) {
      const { files } = await mountInto(world, 'current', current?.parameters ?? {});
      expect(contents(files)).toEqual({ 'db-password': 'hunter2' });
    }
    expect(asked()).toBe(before + 2);
  });
});

describe('the examples of extract.md', () => {
  const [parts, all] = classesOf('docs/extract.md');

  it('write the files that the page lists', async () => {
    const { files } = await mountInto(world, 'parts', parts?.parameters ?? {});
    const rows = textOf('docs/extract.md').matchAll(/^\| `([\w./]+)` \| `(.+)` \|$/gm);
    const listed = [...rows].map(([, path, text]) => [path, text]).slice(0, files.length);
    expect(files.map(({ path, contents }) => [path, contents.toString()])).toEqual(listed);
    expect(files.map(({ mode }) => mode.toString(8))).toEqual(['644', '400', '644', '644', '644']);
  });

  it('write every key and the secret itself', async () => {
    const { files } = await mountInto(world, 'all-parts', all?.parameters ?? {});
    expect(files.map(({ path }) => path)).toEqual(['all.json', 'database', 'certificates', 'users']);
    expect(files[0]?.contents.toString()).toBe(appConfig());
    expect(files[1]?.contents.toString()).toBe('{"user":"app","password":"hunter2","port":5432}');
  });
});

describe('the examples of selection.md', () => {
  const [classic, keyVault] = classesOf('docs/selection.md');

  it('select by names and tags in both forms', async () => {
    const paths = async (name: string, parameters = {}) =>
      (await mountInto(world, name, parameters)).files.map(({ path, contents }) => [path, contents.toString()]);
    expect(await paths('selection', classic?.parameters)).toEqual([
      ['db/db-password', 'hunter2'],
      ['of-teams/db-password', 'hunter2'],
    ]);
    expect(await paths('selection-of-broker', keyVault?.parameters)).toEqual([['db/db-password', 'hunter2']]);
  });
});

describe('the examples of templates.md', () => {
  const [templates, helm] = classesOf('docs/templates.md');

  it('write the files that the page shows', async () => {
    const { files } = await mountInto(world, 'templates', templates?.parameters ?? {});
    const shown = files.map(({ path, contents }) => `--- ${path}\n${contents}`).join('');
    expect([shown.trimEnd()]).toEqual(codeBlocks(textOf('docs/templates.md'), 'text').map((text) => text.trimEnd()));
    expect(files.map(({ mode }) => mode.toString(8))).toEqual(['644', '644', '400', '644']);
  });

  it('write the file with marks of its own', async () => {
    const { files } = await mountInto(world, 'helm-template', helm?.parameters ?? {});
    expect(files.map(({ path, contents }) => [path, contents.toString()])).toEqual([
      ['client.conf', 'password = hunter2\n'],
    ]);
  });
});
