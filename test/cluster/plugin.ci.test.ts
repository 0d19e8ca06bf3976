// The plugin on a real API server, called by the real kubectl as a user who has the rights of docs/kubectl.md.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { mounted, pod, spc } from '../kubectl/cluster.ts';
import { codeBlocks, root, textOf } from '../support/markdown.ts';
import { type ApiServer, type KubernetesObject, kubeconfigText, startApiServer } from './api-server.ts';
import { BROKER_CRDS } from './broker-crds.ts';
import { run } from './process.ts';
import { clusterProgram, clusterWanted } from './programs.ts';

const LIMIT_MS = 300_000;
const NAMESPACE = 'azure-iot-operations';
const PAGE = 'docs/kubectl.md';
const TENANT = '11111111-1111-1111-1111-111111111111';
const CLASS = 'broker-listener-tls-listener-manual-tls';

function example(name: string): object {
  const object = parse(readFileSync(join(root, `examples/${name}.yaml`), 'utf8'));
  return { ...object, metadata: { ...object.metadata, namespace: NAMESPACE } };
}

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'mosquitto', namespace: NAMESPACE },
  spec: {
    selector: { matchLabels: { app: 'm' } },
    template: {
      metadata: { labels: { app: 'm' } },
      spec: { containers: [{ name: 'broker', image: 'eclipse-mosquitto' }] },
    },
  },
};

/** A namespaced object in the namespace of the tests, as the API server takes it. */
function here({ kind, metadata, ...rest }: { kind: string; metadata: object; [field: string]: unknown }): object {
  const versions: Readonly<Record<string, string>> = { Pod: 'v1' };
  const apiVersion = versions[kind] ?? 'secrets-store.csi.x-k8s.io/v1';
  return { apiVersion, kind, ...rest, metadata: { ...metadata, uid: undefined, namespace: NAMESPACE } };
}

describe.skipIf(!clusterWanted())('the plugin with a real API server and kubectl', () => {
  let server: ApiServer;
  let path: string;

  beforeAll(async () => {
    server = await startApiServer();
    path = join(server.directory, 'bin');
    mkdirSync(path);
    symlinkSync(join(root, 'dist/main.js'), join(path, 'kubectl-akv'));
    await server.createNamespace(NAMESPACE);
    await server.define(BROKER_CRDS);
    const roles = codeBlocks(textOf(PAGE), 'yaml').join('---\n');
    await server.apply(roles);
    for (const [name, ...roleNames] of [
      ['viewer', 'akv-csi-viewer'],
      ['connector', 'akv-csi-viewer', 'akv-csi-connector'],
    ])
      await addUser(name ?? '', roleNames);
    const csi = [
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } },
      { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: 'secrets-store.csi.k8s.io' }, spec: {} },
      {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: { name: 'n1' },
        spec: { drivers: [{ name: 'secrets-store.csi.k8s.io', nodeID: 'n1' }] },
      },
    ];
    const objects = [
      ...csi,
      deployment,
      example('broker-listener'),
      example('broker-authentication'),
      here(spc('web')),
      here(mounted('broker-1', 'v1', '2026-11-29T11:00:00Z')),
      here(withImage(pod('broker-2', { secret: 'aio-akv-sp' }))),
    ];
    for (const object of objects) await server.apply(JSON.stringify(object));
  }, LIMIT_MS);
  afterAll(() => server?.stop(), LIMIT_MS);

  /** Adds a ServiceAccount with these ClusterRoles and the Role of kube-system, and a kubeconfig of it. */
  async function addUser(name: string, roles: readonly string[]): Promise<void> {
    const account = `--serviceaccount=${NAMESPACE}:${name}`;
    await server.kubectl(['create', 'serviceaccount', name, '-n', NAMESPACE]);
    for (const role of roles)
      await server.kubectl(['create', 'clusterrolebinding', `${name}-${role}`, `--clusterrole=${role}`, account]);
    await server.kubectl(['create', 'rolebinding', name, '-n', 'kube-system', '--role=akv-csi-viewer', account]);
    const token = (await server.kubectl(['create', 'token', name, '-n', NAMESPACE])).trim();
    writeFileSync(join(server.directory, `${name}.config`), kubeconfigText(server, token, NAMESPACE));
  }

  /** Runs `kubectl akv …` as a user. Throws as `run`. */
  const akv = (user: string, ...args: readonly string[]) =>
    run(clusterProgram('kubectl'), ['akv', ...args], {
      env: { PATH: `${path}:${process.env.PATH}`, KUBECONFIG: join(server.directory, `${user}.config`) },
    });
  const connect = (...args: readonly string[]) =>
    akv(
      'connector',
      'connect',
      'BrokerListener/tls-listener-manual',
      'deploy/mosquitto',
      '--directory-id',
      TENANT,
      ...args,
    );

  test('status shows what is mounted, and leaves out what no node answers', async () => {
    const rows = (await akv('viewer', 'status', '-o', 'wide')).split('\n');
    expect(rows[1]).toMatch(/ web +broker-1 +n1 +secret\/db-password +v1 +yes +- /);
    expect(rows[2]).toMatch(/ web +broker-2 +n1 +- +not mounted /);
  });

  test('why finds the Secret that is missing, if the user may look for it, and else what is missing on the node', async () => {
    const rejected = async (user: string) => akv(user, 'why', 'broker-2').catch((error: Error) => error.message);
    const viewed = await rejected('viewer');
    expect(viewed).toContain(
      'unknown  volume certs: you may not look for the Secret aio-akv-sp of nodePublishSecretRef',
    );
    expect(viewed).toContain('ok       driver: secrets-store.csi.k8s.io is registered on node n1');
    expect(viewed).toContain('Cause (PROVIDER_NOT_ON_NODE)');
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 's', namespace: NAMESPACE },
    };
    await server.apply(
      JSON.stringify({ ...role, rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }] }),
    );
    const account = `--serviceaccount=${NAMESPACE}:connector`;
    await server.kubectl(['create', 'rolebinding', 's', '-n', NAMESPACE, '--role=s', account]);
    expect(await rejected('connector')).toContain('Cause (SECRET_MISSING)');
    await server.kubectl([
      'create',
      'secret',
      'generic',
      'aio-akv-sp',
      '-n',
      NAMESPACE,
      '--from-literal=clientsecret=s3cret',
    ]);
    const found = await rejected('connector');
    expect([found.includes('the Secret aio-akv-sp of nodePublishSecretRef exists'), found.includes('s3cret')]).toEqual([
      true,
      false,
    ]);
  });

  test('check reads the resources of all broker kinds', async () => {
    expect(await akv('viewer', 'check', '-A')).toContain(
      '1 SecretProviderClass, 2 with keyVault fields checked: 0 errors',
    );
  });

  test('connect shows the difference, applies it, leaves other fields alone, and is then done', async () => {
    const shown = await connect();
    expect(shown).toContain(`+++ MERGED/apps.v1.Deployment.${NAMESPACE}.mosquitto`);
    expect(shown).toContain('+            - mountPath: /mnt/secrets-store/');
    await expect(server.get('secretproviderclass', CLASS, NAMESPACE)).rejects.toThrow('not found');
    expect(await connect('--yes')).toContain('deployment.apps/mosquitto serverside-applied');
    await akv(
      'connector',
      'connect',
      'brokerauthentications/my-authentication',
      'deployments.apps/mosquitto',
      '--directory-id',
      TENANT,
      '--yes',
    );
    const { spec } = await server.get<KubernetesObject & typeof deployment>('deployment', 'mosquitto', NAMESPACE);
    const text = JSON.stringify(spec.template.spec);
    expect(text.match(/"secretProviderClass":"[^"]+"/g)).toHaveLength(2);
    expect(text.match(/"mountPath":"[^"]+"/g)).toHaveLength(2);
    expect(spec.template.spec.containers[0]?.image).toBe('eclipse-mosquitto');
    expect(await connect('--yes')).toBe('nothing to change: the workload has all of it\n');
    expect(
      parseAllDocuments(
        await server.kubectl(['get', 'secretproviderclass', CLASS, '-n', NAMESPACE, '-o', 'yaml']),
      )[0]?.toJS(),
    ).toMatchObject({
      metadata: { annotations: { 'akv-csi/from': 'BrokerListener/tls-listener-manual/tls' } },
      spec: { provider: 'azure', parameters: { keyVault: expect.stringContaining('\n  name: my-key-vault\n') } },
    });
  });

  test('connect explains a conflict with another field manager, and takes the field over if it is told to', async () => {
    const attributes = { secretProviderClass: CLASS };
    const csi = { driver: 'secrets-store.csi.k8s.io', readOnly: true, volumeAttributes: attributes };
    const volumes = [{ name: CLASS, csi: { ...csi, nodePublishSecretRef: { name: 'other' } } }];
    const { template, ...spec } = deployment.spec;
    const changed = { ...template, spec: { ...template.spec, volumes } };
    const theirs = { ...deployment, spec: { ...spec, template: changed } };
    await server.apply(JSON.stringify(theirs), '--field-manager=helm', '--force-conflicts');
    await expect(connect('--yes')).rejects.toThrow(/conflict with "helm".*--force-conflicts/s);
    expect(await connect('--yes', '--force-conflicts')).toContain('serverside-applied');
  });

  test('connect says which right is missing', async () => {
    await expect(akv('viewer', 'connect', 'spc/web', 'deploy/mosquitto')).rejects.toThrow(
      /cannot get resource "deployments".*docs\/kubectl\.md/s,
    );
  });
});

function withImage(one: ReturnType<typeof pod>): ReturnType<typeof pod> {
  const spec = one.spec as { containers: readonly object[] };
  return { ...one, spec: { ...spec, containers: spec.containers.map((container) => ({ ...container, image: 'x' })) } };
}
