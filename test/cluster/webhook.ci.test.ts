// The webhook behind a real API server, with the configurations, the authority and the permissions that the chart makes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { chartDir, findHelm, REPOSITORY } from '../chart/helm.ts';
import { eventually, freePort, type Program, start } from '../support/process.ts';
import type { Tree } from '../support/reviews.ts';
import { CLASSIC, TENANT } from '../support/spc.ts';
import { type ApiServer, type KubernetesObject, startApiServer } from './api-server.ts';
import { permissionsOf } from './permissions.ts';
import { startDaemon } from './process.ts';
import { CONTROL_PLANE, clusterProgram, clusterWanted } from './programs.ts';

const LIMIT_MS = 300_000;
const wanted = findHelm() !== undefined && clusterWanted();
const NAME = 'akv-csi-secrets-store-provider-azure-webhook';
const KEY_VAULT = `vault: {name: my-key-vault, directoryId: ${TENANT}, credentials: {servicePrincipalLocalSecretName: sp}}
vaultCert: {name: server}
`;

/** A manifest that the chart renders. */
type Manifest = Tree & { readonly kind: string; readonly metadata: { readonly name: string } };

describe.skipIf(!wanted)('the webhook of the chart', () => {
  const cleanups: (() => void | Promise<void>)[] = [];
  let server: ApiServer;
  let webhook: Program;
  let rendered: readonly Manifest[];
  beforeAll(async () => {
    server = await startApiServer();
    await server.createNamespace('akv', { 'pod-security.kubernetes.io/enforce': 'privileged' });
    await server.createNamespace('apps', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    rendered = render();
    webhook = await startWebhook('deny');
  }, LIMIT_MS);
  afterAll(async () => {
    for (const clean of cleanups.reverse()) await clean();
    await server?.stop();
  }, LIMIT_MS);

  /** Renders the chart as `helm install` does, which reads the cluster. */
  function render(...args: readonly string[]): readonly Manifest[] {
    const text = execFileSync(
      'helm',
      [
        'template',
        'akv',
        chartDir,
        '--namespace=akv',
        '--dry-run=server',
        `--set=linux.image.repository=${REPOSITORY},webhook.enabled=true,serviceAccountLookup=false`,
        ...args,
      ],
      { encoding: 'utf8', env: { ...process.env, KUBECONFIG: server.kubeconfig } },
    );
    return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
  }

  const ofKind = (kind: string, from = rendered) => {
    const found = from.find((manifest) => manifest.kind === kind && manifest.metadata.name.startsWith(NAME));
    if (found === undefined) throw new Error(`no ${kind} was rendered`);
    return found as Manifest & { readonly data: Readonly<Record<string, string>>; readonly webhooks: readonly Tree[] };
  };

  /** Applies the chart, runs the webhook outside of the cluster, and leads the API server to it. */
  async function startWebhook(validation: 'deny' | 'warn'): Promise<Program> {
    const directory = join(server.directory, `webhook-${validation}`);
    mkdirSync(directory, { recursive: true });
    for (const [name, value] of Object.entries(ofKind('Secret').data))
      writeFileSync(join(directory, name), Buffer.from(value, 'base64'));
    const port = await freePort();
    const apply = rendered.map((manifest) => ({
      ...manifest,
      ...(manifest.webhooks === undefined
        ? {}
        : { webhooks: (manifest.webhooks as readonly Tree[]).map((one) => withUrl(one, port)) }),
    }));
    await server.apply(apply.map((manifest) => stringify(manifest)).join('---\n'), '--force-conflicts');
    const account = join(server.directory, `account-${validation}`);
    mkdirSync(account, { recursive: true });
    writeFileSync(join(account, 'token'), await server.kubectl(['create', 'token', NAME, '--namespace=akv']));
    writeFileSync(join(account, 'ca.crt'), server.ca);
    const program = start(
      [
        'webhook',
        `--port=${port}`,
        `--healthz-port=${await freePort()}`,
        `--prometheus-port=${await freePort()}`,
        `--ca-dir=${directory}`,
        '--dns-names=localhost',
        `--validation=${validation}`,
        `--service-account-dir=${account}`,
      ],
      {
        env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: new URL(server.url).port },
        defer: (clean) => void cleanups.push(clean),
      },
    );
    await program.until(/msg=Serving/);
    return program;
  }

  /** There are no Services without a kube-proxy. */
  function withUrl(one: Tree, port: number): Tree {
    const { service, caBundle } = one.clientConfig as { service: { path: string }; caBundle: string };
    return { ...one, clientConfig: { url: `https://localhost:${port}${service.path}`, caBundle } };
  }

  const classOf = (name: string, parameters: Tree, annotations = {}): string =>
    stringify({
      apiVersion: 'secrets-store.csi.x-k8s.io/v1',
      kind: 'SecretProviderClass',
      metadata: { name, namespace: 'apps', annotations },
      spec: { provider: 'azure', parameters },
    });
  const podOf = (name: string, items: string | undefined): string =>
    stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'apps',
        ...(items === undefined ? {} : { annotations: { 'akv-csi/mount': items } }),
        // As a controller that would put the pod template back if anybody changed it.
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'broker', uid: '1', controller: true }],
      },
      spec: {
        securityContext: { runAsNonRoot: true, runAsUser: 1, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'broker',
            image: 'busybox',
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          },
        ],
      },
    });
  interface Pod extends KubernetesObject {
    readonly spec: {
      readonly volumes?: readonly Tree[];
      readonly containers: readonly { readonly volumeMounts?: readonly Tree[] }[];
    };
  }
  const podIn = async (name: string) => (await server.get<Pod>('pod', name, 'apps')).spec;

  test('has one authority, however often the chart is rendered', async () => {
    const again = render();
    expect(ofKind('Secret', again).data).toEqual(ofKind('Secret').data);
    for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'])
      expect(ofKind(kind, again)).toEqual(ofKind(kind));
  });

  test('gets the next authority in the second half of its life, and both are trusted meanwhile', async () => {
    const { 'ca.crt': old = '' } = ofKind('Secret').data;
    const secret = `${NAME}-ca`;
    const made = String((await server.get('secret', secret, 'akv')).metadata.annotations?.['akv-csi/made-at']);
    const sixYears = 6 * 365 * 86_400;
    const setMade = (value: string) =>
      server.kubectl(['annotate', 'secret', secret, '--namespace=akv', '--overwrite', `akv-csi/made-at=${value}`]);
    await setMade(String(Number(made) - sixYears));
    const next = render();
    expect(ofKind('Secret', next).data['ca.crt']).not.toBe(old);
    expect(ofKind('Secret', next).data['previous.crt']).toBe(old);
    const text = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64').toString();
    const both = Buffer.from(`${text(ofKind('Secret', next).data['ca.crt'])}${text(old)}`).toString('base64');
    expect(ofKind('MutatingWebhookConfiguration', next).webhooks).toMatchObject([{ clientConfig: { caBundle: both } }]);
    await setMade(made);
  });

  test('may list SecretProviderClasses and nothing else, no Secret in particular', async () => {
    expect(await permissionsOf(server, `akv:${NAME}`)).toEqual([
      ['secretproviderclasses.secrets-store.csi.x-k8s.io', '[]', '[]', '[list]'],
    ]);
  });

  test('runs in a namespace that enforces the restricted Pod Security Standard', async () => {
    const { spec } = ofKind('Deployment') as unknown as { spec: { template: { spec: object } } };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'webhook', namespace: 'apps' },
      spec: { ...spec.template.spec, serviceAccountName: 'default', priorityClassName: undefined },
    };
    await server.apply(JSON.stringify(pod), '--dry-run=server');
  });

  test('denies classes with mistakes, which kubectl prints with their fields', async () => {
    await server.apply(classOf('good', { keyVault: KEY_VAULT }));
    const bad = classOf('bad', { ...CLASSIC, keyvaultName: 'my_vault', tenantID: '<tenant>' });
    const denied = server.apply(bad);
    await expect(denied).rejects.toThrow(
      /"validate\.akv-csi\.io" denied the request: SecretProviderClass apps\/bad has 2 mistakes:/,
    );
    await expect(denied).rejects.toThrow(/spec\.parameters\.keyvaultName: .*Invalid vault name: "my_vault"/);
    await expect(denied).rejects.toThrow(/spec\.parameters\.tenantID: .*"<tenant>" is a placeholder/);
    await expect(server.apply(bad, '--dry-run=server')).rejects.toThrow(/my_vault/);
    await expect(server.get('secretproviderclass', 'bad', 'apps')).rejects.toThrow(/not found/);
  });

  test('mounts what the annotation of a pod asks for, and a second review of the pod changes nothing', async () => {
    await server.apply(classOf('front-tls', { keyVault: KEY_VAULT }, { 'akv-csi/from': 'BrokerListener/front/tls' }));
    await server.apply(podOf('broker-0', 'BrokerListener/front:/tls'));
    const spec = await podIn('broker-0');
    const { volumes = [], containers } = spec;
    const csi = {
      driver: 'secrets-store.csi.k8s.io',
      readOnly: true,
      volumeAttributes: { secretProviderClass: 'front-tls' },
      nodePublishSecretRef: { name: 'sp' },
    };
    expect(volumes).toContainEqual({ name: 'front-tls', csi });
    expect(containers[0]?.volumeMounts).toContainEqual({ name: 'front-tls', mountPath: '/tls', readOnly: true });

    const annotations = { 'akv-csi/mount': 'BrokerListener/front:/tls' };
    const copy = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'copy', namespace: 'apps', annotations }, spec };
    await server.apply(JSON.stringify(copy));
    expect((await podIn('copy')).volumes).toEqual(volumes);
  });

  test('denies a pod whose class is not there, and lets it through when it is', async () => {
    const pod = podOf('late-0', 'BrokerAuthentication/users');
    await expect(server.apply(pod)).rejects.toThrow(
      /Pod apps\/late-0: annotation akv-csi\/mount: item "BrokerAuthentication\/users": there is no BrokerAuthentication "users"/,
    );
    await server.apply(
      classOf('users', { keyVault: KEY_VAULT }, { 'akv-csi/from': 'BrokerAuthentication/users/username-password' }),
    );
    await server.apply(pod);
    expect((await podIn('late-0')).volumes?.map(({ name }) => name)).toContain('users');
  });

  test.skipIf(!clusterWanted([...CONTROL_PLANE, 'kube-controller-manager']))(
    'gives the pods of a StatefulSet their volumes as soon as the class is there, and leaves the StatefulSet as it is',
    async () => {
      const log = join(server.directory, 'controllers.log');
      const kubeconfig = `--kubeconfig=${server.kubeconfig}`;
      const args = [kubeconfig, '--controllers=statefulset-controller', '--leader-elect=false', '--secure-port=0'];
      const controllers = startDaemon(clusterProgram('kube-controller-manager'), args, log);
      cleanups.push(() => controllers.stop());
      const { spec } = parse(podOf('x', undefined)) as { readonly spec: Tree };
      const labels = { app: 'owned' };
      const template = { metadata: { labels, annotations: { 'akv-csi/mount': 'BrokerListener/owned' } }, spec };
      await server.apply(
        stringify({
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: { name: 'owned', namespace: 'apps' },
          spec: { serviceName: 'owned', replicas: 1, selector: { matchLabels: labels }, template },
        }),
      );
      const events = () =>
        server.kubectl(['get', 'events', '--namespace=apps', '--field-selector=reason=FailedCreate', '--output=json']);
      await controllers.until(async () =>
        /StatefulSet owned failed.*denied the request: Pod apps\/owned-0: .*there is no BrokerListener/.test(
          await events(),
        ),
      );
      await server.apply(classOf('owned-tls', { keyVault: KEY_VAULT }, { 'akv-csi/from': 'BrokerListener/owned/tls' }));
      const isThere = () =>
        podIn('owned-0').then(
          () => true,
          () => false,
        );
      await eventually(isThere);
      expect((await podIn('owned-0')).volumes?.map(({ name }) => name)).toContain('owned-tls');
      const set = await server.get<{ spec: { template: { spec: Tree } } }>('statefulset', 'owned', 'apps');
      expect(set.spec.template.spec).not.toHaveProperty('volumes');
    },
  );

  test('is not asked about pods without the annotation, nor in its own namespace', async () => {
    const asked = webhook.output('stdout').length;
    await server.apply(podOf('plain', undefined));
    expect((await podIn('plain')).volumes?.some(({ csi }) => csi !== undefined)).toBe(false);
    await server.apply(podOf('own', 'BrokerListener/none').replaceAll('namespace: apps', 'namespace: akv'));
    expect(webhook.output('stdout').length).toBe(asked);
  });

  test('warns instead if that is set, and objects are stored while it is away', async () => {
    await webhook.stop('SIGKILL');
    const bad = { ...CLASSIC, keyvaultName: 'my_vault' };
    await server.apply(classOf('unchecked', bad));
    await server.apply(podOf('unmounted', 'BrokerListener/front'));
    expect((await podIn('unmounted')).volumes?.map(({ name }) => name)).not.toContain('front-tls');

    await startWebhook('warn');
    await expect(server.apply(classOf('warned', bad), '--warnings-as-errors')).rejects.toThrow(
      /Warning: SecretProviderClass apps\/warned: spec\.parameters\.keyvaultName: .*my_vault/,
    );
    expect(await server.get('secretproviderclass', 'warned', 'apps')).toHaveProperty('metadata.name', 'warned');
  });
});
