// What `render` and the documents print, on a real API server: every field and value is one that Kubernetes knows.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { TENANT } from '../../src/cli/demo/fixtures.ts';
import type { Tree } from '../chart/helm.ts';
import { builtProgram } from '../support/e2e.ts';
import { codeBlocks, markdownFiles, projectFiles, root, shellLines, textOf } from '../support/markdown.ts';
import { type ApiServer, type KubernetesObject, startApiServer } from './api-server.ts';
import { BROKER_CRDS } from './broker-crds.ts';
import { permissionsOf } from './permissions.ts';
import { run } from './process.ts';
import { clusterProgram, clusterWanted } from './programs.ts';

const LIMIT_MS = 300_000;
const wanted = clusterWanted();
const BROKERS = 'azure-iot-operations';

/** The manifests of all documents and of examples/, without those of render and kustomize, which no API server reads. */
const manifests = [
  ...markdownFiles().flatMap((page) => codeBlocks(textOf(page), 'yaml').map((text) => ({ page, text }))),
  ...projectFiles('examples/*.yaml').map((page) => ({ page, text: textOf(page) })),
].filter(({ text }) => /^kind: /m.test(text) && !/akv-csi\/v1|^kind: Kustomization/m.test(text));
const CHANGES = /^kubectl (.* )?(create|label) /;
/** The commands of all pages that create or change objects of a cluster. */
const commands = markdownFiles()
  .flatMap((page) => shellLines(textOf(page)))
  .filter((line) => CHANGES.test(line))
  .map((line) => line.replace('NAMESPACE:NAME', 'other:provider').replace('namespace NAME', 'namespace other'));

const namespaces = manifests
  .flatMap(({ text }) => parseAllDocuments(text))
  .map((document) => String(document.getIn(['metadata', 'namespace']) ?? 'other'));

describe.skipIf(!wanted)('a real API server', () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
    await server.define(BROKER_CRDS);
    for (const name of new Set([BROKERS, 'other', ...namespaces])) await server.createNamespace(name);
    await server.kubectl(['create', 'serviceaccount', 'app']);
  }, LIMIT_MS);
  afterAll(() => server?.stop(), LIMIT_MS);

  test('refuses fields that Kubernetes does not know', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [], hostnetwork: true } };
    await expect(server.apply(JSON.stringify(pod), '--dry-run=server')).rejects.toThrow('.spec.hostnetwork');
  });

  /** Returns resources and verbs that a ServiceAccount may use beyond what every user may. */
  const permissions = async (account: string) =>
    (await permissionsOf(server, account)).map(([resource, , , verbs]) => `${resource} ${verbs}`);

  test.each(manifests.map(({ page, text }) => [page, text] as const))('takes a manifest of %s', async (_, text) => {
    await server.apply(text, '--dry-run=server');
  });

  test('lets the pods of the recipes run where Pod Security is restricted', async () => {
    await server.createNamespace('recipes', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await server.kubectl(['create', 'serviceaccount', 'app', '--namespace=recipes']);
    const pods = manifests
      .filter(({ page }) => page.startsWith('docs/recipes/'))
      .flatMap(({ text }) => parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject))
      .filter(({ kind }) => kind === 'Pod')
      .map((pod) => JSON.stringify({ ...pod, metadata: { ...pod.metadata, namespace: 'recipes' } }));
    expect(pods.length).toBeGreaterThanOrEqual(10);
    await server.apply(pods.join('\n---\n'));
  });

  test(
    'runs the commands of the documents that create objects',
    async () => {
      const cwd = join(server.directory, 'commands');
      mkdirSync(cwd);
      for (const name of ['ca.crt', 'cloud.json', 'app.pem']) writeFileSync(join(cwd, name), 'x');
      const env = { KUBECONFIG: server.kubeconfig, PATH: `${dirname(clusterProgram('kubectl'))}:${process.env.PATH}` };
      expect(commands.length).toBeGreaterThanOrEqual(8);
      // Two pages may show the same command.
      for (const line of new Set(commands)) await run('bash', ['-c', line], { env, cwd });
      expect(await permissions('other:provider')).toEqual(['secretproviderclasses.secrets-store.csi.x-k8s.io [get]']);
    },
    LIMIT_MS,
  );

  test(
    'knows the options of all other kubectl commands of the documents',
    async () => {
      const PATH = `${dirname(clusterProgram('kubectl'))}:${process.env.PATH}`;
      const env = { ...process.env, KUBECONFIG: server.kubeconfig, PATH };
      const others = markdownFiles()
        .flatMap((page) => shellLines(textOf(page)))
        .filter((line) => /^(\w+=\$\()?kubectl /.test(line) && !/kubectl (akv|plugin|run) /.test(line))
        .filter((line) => !CHANGES.test(line));
      expect(others.length).toBeGreaterThan(20);
      for (const line of new Set(others)) {
        const script = line.replace(/ &$/, '');
        // Their objects do not exist here.
        const options = { env, cwd: server.directory, encoding: 'utf8', input: '' } as const;
        const { stderr } = spawnSync('timeout', ['30', 'bash', '-c', script], options);
        expect(stderr, line).not.toMatch(/unknown|invalid|Usage:|See 'kubectl/);
      }
    },
    LIMIT_MS,
  );

  describe('with the three resources of examples/', () => {
    const sources = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'];
    const render = (...args: readonly string[]) => {
      const files = sources.map((name) => join(root, 'examples', `${name}.yaml`));
      const all = [builtProgram(), 'render', '--directory-id', TENANT, ...args, ...files];
      return execFileSync(process.execPath, all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    };

    test('takes the classes that render prints, unchanged', async () => {
      const text = render('--sync-secrets');
      await server.apply(text);
      const classes = parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
      expect(classes).toHaveLength(3);
      for (const { kind, metadata, spec } of classes) {
        expect((await server.get(kind, metadata.name, metadata.namespace)).spec).toEqual(spec);
      }
    });

    test('takes resources with secretName, and holders whose pods run where Pod Security is restricted', async () => {
      const text = render('--secret-names', '--holder');
      await server.apply(text);
      const objects = parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
      for (const { kind, metadata, spec } of objects.filter((one) => one.kind !== 'Deployment'))
        expect((await server.get(kind, metadata.name, metadata.namespace)).spec).toEqual(spec);
      const pods = objects.flatMap(({ metadata, spec }) => {
        const { template } = spec as { template?: Tree };
        if (template === undefined) return [];
        return [
          { apiVersion: 'v1', kind: 'Pod', ...template, metadata: { name: metadata.name, namespace: 'holders' } },
        ];
      });
      await server.createNamespace('holders', { 'pod-security.kubernetes.io/enforce': 'restricted' });
      await server.apply(pods.map((pod) => JSON.stringify(pod)).join('\n---\n'));
      expect(pods).toHaveLength(3);
    });

    test('takes SecretSyncs', async () => {
      const page = textOf('docs/render-secrets.md');
      const [resource = ''] = codeBlocks(page, 'yaml');
      const file = join(server.directory, 'workload-identity.yaml');
      writeFileSync(file, resource);
      const args = [builtProgram(), 'render', '--sync-controller', '--account-name=app', file];
      await server.apply(execFileSync(process.execPath, args, { encoding: 'utf8' }));
      const synced = await server.get('secretsync', 'broker-listener-tls-listener-manual-tls', BROKERS);
      expect(synced.spec).toMatchObject({ serviceAccountName: 'app', secretObject: { type: 'kubernetes.io/tls' } });
    });

    test('lets a pod with the container that watches run where Pod Security is restricted, also in a Job', async () => {
      await server.createNamespace('watched', { 'pod-security.kubernetes.io/enforce': 'restricted' });
      const read = (name: string) => readFileSync(join(root, 'examples', `${name}.yaml`), 'utf8');
      const text = `${read('broker-listener')}---\n${read('mosquitto')}`.replaceAll('azure-iot-operations', 'watched');
      const given = parseAllDocuments(text).map((document) => document.toJS());
      const { template } = given.find(({ kind }) => kind === 'Deployment').spec;
      const metadata = { name: 'mosquitto', namespace: 'watched' };
      const jobTemplate = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
      const job = { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { template: jobTemplate } };
      const pod = { ...template, apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, ...template.metadata } };
      const stream = [...given, job, pod].map((one) => stringify(one)).join('---\n');
      const args = [builtProgram(), 'render', '--into', '--directory-id', TENANT];
      const out = execFileSync(process.execPath, args, {
        encoding: 'utf8',
        input: stream,
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      await server.apply(out);
      const specOf = async (kind: string) => (await server.get(kind, 'mosquitto', 'watched')).spec;
      const watcher = { name: 'akv-csi-watch', securityContext: { runAsUser: 1883 } };
      const besides = { containers: [{ name: 'mosquitto' }, watcher], shareProcessNamespace: true };
      expect(await specOf('Pod')).toMatchObject(besides);
      expect(await specOf('Deployment')).toMatchObject({ template: { spec: besides } });
      const inside = { containers: [{ name: 'mosquitto' }], initContainers: [{ ...watcher, restartPolicy: 'Always' }] };
      expect(await specOf('Job')).toMatchObject({ template: { spec: inside } });
    });

    test('lets a pod with their volumes run where Pod Security is restricted', async () => {
      await server.createNamespace('restricted', { 'pod-security.kubernetes.io/enforce': 'restricted' });
      const { volumes, volumeMounts } = parse(render('--format', 'volumes')) as Tree;
      const container = {
        name: 'broker',
        image: 'broker',
        volumeMounts,
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      };
      const securityContext = { runAsNonRoot: true, runAsUser: 1883, seccompProfile: { type: 'RuntimeDefault' } };
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'broker', namespace: 'restricted' },
        spec: { securityContext, containers: [container], volumes },
      };
      expect(await server.apply(JSON.stringify(pod))).toContain('pod/broker serverside-applied');
    });
  });
});
