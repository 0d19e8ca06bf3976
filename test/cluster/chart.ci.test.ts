// The chart on a real API server: every field and value is one that Kubernetes knows, the ServiceAccount may do what it
// needs and no more, Pod Security admits what the README says, and a release of the official chart becomes one of ours.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { chartDir, findHelm, manifestsOf, podSpec, render, shownValues, type Tree, withImage } from '../chart/helm.ts';
import { officialValues } from '../chart/official-values.ts';
import { root, section, shellLines, tableRows } from '../support/markdown.ts';
import { type ApiServer, type KubernetesObject, startApiServer } from './api-server.ts';
import { writeOfficialChart } from './official-chart.ts';
import { permissionsOf } from './permissions.ts';
import { run } from './process.ts';
import { clusterProgram, clusterWanted, driverSource, operatorDefinitions } from './programs.ts';

const LIMIT_MS = 300_000;
const wanted = findHelm() !== undefined && clusterWanted();
const PAGE = 'charts/akv-csi-provider/README.md';
const ACCOUNT = 'csi-secrets-store-provider-azure';
const DRIVER = 'secrets-store-csi-driver';
const LEVELS = ['restricted', 'baseline', 'privileged'];

const on = { enabled: true };
/** Values with which every template and every optional part of it is rendered. */
const EVERYTHING: Tree = {
  imagePullSecrets: [{ name: 'registry' }],
  identityModes: ['workload-identity', 'service-principal'],
  serviceAccountLookup: true,
  offlineCache: { directory: '/var/lib/akv', keySecret: 'key' },
  proxy: { httpsProxy: 'http://proxy:3128' },
  caBundle: { configMap: 'ca' },
  env: [{ name: 'A', value: 'b' }],
  envFrom: [{ secretRef: { name: 'a' } }],
  linux: {
    podAnnotations: { a: 'b' },
    hostAliases: [{ ip: '10.0.0.4', hostnames: ['kv.example'] }],
    dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
    runAsUser: 65532,
    podSecurityContext: { supplementalGroups: [1] },
  },
  networkPolicy: { ...on, metricsFrom: [{ namespaceSelector: {} }], egress: [{ ports: [{ port: 16443 }] }] },
  monitoring: {
    podMonitor: { ...on, interval: '30s' },
    serviceMonitor: { ...on, interval: '30s' },
    prometheusRule: on,
    dashboard: on,
  },
  webhook: {
    ...on,
    apiServerCIDRs: ['10.0.0.1/32'],
    certificate: { source: 'cert-manager' },
    namespaceSelector: { matchLabels: { team: 'a' } },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
    ],
  },
};

describe.skipIf(!wanted)('the chart, on a real API server', () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
    await server.define(operatorDefinitions());
    for (const level of LEVELS) await server.createNamespace(level, { 'pod-security.kubernetes.io/enforce': level });
  }, LIMIT_MS);
  afterAll(() => server?.stop(), LIMIT_MS);

  const helm = (command: string, ...args: readonly string[]) =>
    run('helm', [command, 'akv', '--namespace=kube-system', ...args], { env: { KUBECONFIG: server.kubeconfig } });
  /** Returns the arguments for the chart with these values. */
  const chart = (values: Tree) => {
    const file = join(server.directory, 'values.yaml');
    writeFileSync(file, stringify(withImage(values)));
    return [chartDir, `--values=${file}`, '--kube-version=1.34.0'];
  };
  const installed = (values: Tree) => chart(values).slice(0, 2);

  test.each(shownValues().map(({ page, values }) => [page, Object.keys(values).join(), values] as const))(
    'takes what it renders with the values of %s: %s',
    async (_page, _names, values) => {
      await server.apply(await helm('template', ...chart(values)), '--dry-run=server');
    },
  );

  test('installs, upgrades and removes it, with the values of the official chart', async () => {
    const values = { ...officialValues, linux: { ...(officialValues.linux as Tree), image: {} } };
    await helm('install', ...installed({}));
    await helm('upgrade', ...installed(values));
    expect(await left()).toContain('daemonset.apps/akv-csi-secrets-store-provider-azure');
    await helm('uninstall');
    expect(await left()).toBe('');
  });

  test.each<[string, Tree, readonly string[]]>([
    ['by default', {}, ['secretproviderclasses.secrets-store.csi.x-k8s.io [get]']],
    ['if pods may change every parameter', { allowVolumeAttributes: ['*'] }, []],
    [
      'if it looks up ServiceAccounts',
      { serviceAccountLookup: true },
      ['secretproviderclasses.secrets-store.csi.x-k8s.io [get]', 'serviceaccounts [get]'],
    ],
  ])('lets the provider do this and no more, %s', async (_, values, expected) => {
    await helm('install', ...installed(values));
    expect(await permissions(`kube-system:${ACCOUNT}`)).toEqual(expected);
    await helm('uninstall');
  });

  test('is taken with every feature on, without a warning', async () => {
    const text = await helm('template', ...chart(EVERYTHING));
    const kinds = new Set(manifestsOf(text).map(({ kind }) => kind));
    for (const kind of ['PodMonitor', 'ServiceMonitor', 'PrometheusRule', 'Certificate', 'Issuer', 'NetworkPolicy'])
      expect(kinds).toContain(kind);
    expect(await server.apply(text, '--dry-run=server', '--warnings-as-errors')).toContain('daemonset.apps/');
  });

  test('is admitted by the levels of Pod Security that the README gives', async () => {
    const webhook = render({ ...EVERYTHING, monitoring: {} }).get('Deployment') as {
      spec: { template: { spec: Tree } };
    };
    const volume = { csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true } };
    const specs: readonly Tree[] = [
      podSpec(),
      podSpec(EVERYTHING),
      webhook.spec.template.spec,
      { ...webhook.spec.template.spec, volumes: [{ name: 'certificate', ...volume }] },
    ];
    const strictest = async (spec: Tree) => {
      for (const namespace of LEVELS) {
        const metadata = { name: 'pod', namespace };
        const own = { ...spec, serviceAccountName: 'default', priorityClassName: undefined };
        const pod = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: own });
        const refusal = await server.apply(pod, '--dry-run=server').then(
          () => undefined,
          (error: Error) => error.message,
        );
        if (refusal === undefined) return namespace;
        expect(refusal).toContain('violates PodSecurity');
      }
      throw new Error('no level admits the pod');
    };
    const levels: string[] = [];
    for (const spec of specs) levels.push(await strictest(spec));
    expect(tableRows(section(PAGE, 'Pod Security')).map(([, level]) => level)).toEqual(
      levels.map((level) => `\`${level}\``),
    );
  });

  /** Returns the names of what is in the cluster of the chart. */
  const left = () => {
    const kinds = 'all,serviceaccounts,secrets,configmaps,clusterroles,clusterrolebindings';
    return server.kubectl(['get', kinds, '-A', '-l', 'app.kubernetes.io/instance=akv', '--output=name']);
  };

  /** Returns resources and verbs that a ServiceAccount may use beyond what every user may. */
  const permissions = async (account: string) =>
    (await permissionsOf(server, account)).map(([resource, , , verbs]) => `${resource} ${verbs}`);

  const lines = shellLines(section(PAGE, 'In place'));
  const shell = (line: string) =>
    run('bash', ['-c', line], {
      cwd: root,
      env: {
        KUBECONFIG: server.kubeconfig,
        PATH: `${dirname(clusterProgram('kubectl'))}:${process.env.PATH}`,
      },
    });
  /** Runs the line of the README that begins with these words. There is no registry of charts, and nothing runs hooks. */
  const readme = (start: string) => {
    const found = lines.find((line) => line.startsWith(start));
    if (found === undefined) throw new Error(`${PAGE} has no line ${start}`);
    const driver = join(driverSource('v1.6.0'), 'charts', DRIVER);
    return shell(
      found
        .replace('RELEASE', 'csi')
        .replace('official-values.yaml', join(server.directory, 'official-values.yaml'))
        .replace(`${DRIVER}/${DRIVER}`, `${driver} --set linux.crds.enabled=false`)
        .replace(`${ACCOUNT}/${ACCOUNT}`, join(server.directory, 'official')),
    );
  };
  const daemon = () => server.get('daemonset', `csi-${ACCOUNT}`, 'kube-system');
  const driverObjects = async () => {
    const kinds = 'daemonset,serviceaccount,clusterrole,clusterrolebinding,csidriver';
    const listed = await server.kubectl(['get', kinds, '-A', '-l', `app.kubernetes.io/name=${DRIVER}`, '-o', 'json']);
    return (JSON.parse(listed) as { readonly items: readonly KubernetesObject[] }).items;
  };
  const uids = (objects: readonly KubernetesObject[]) => objects.map(({ metadata }) => metadata.uid).toSorted();
  const imageOf = (object: KubernetesObject) => JSON.stringify(object.spec).match(/"image":"([^"]*)"/)?.[1];

  test(
    'replaces a release of the official chart in place, keeps the driver, and goes back',
    async () => {
      const official = join(server.directory, 'official');
      mkdirSync(official);
      writeOfficialChart(official);
      const image = '--set linux.image.repository=registry.example/provider-azure --set linux.image.tag=v1.8.2';
      await shell(`helm install csi ${official} --namespace kube-system --skip-crds ${image}`);
      const [before, driver] = [await daemon(), await driverObjects()];
      expect(driver.length).toBeGreaterThan(6);

      await readme('helm get values');
      // Without the step that keeps the driver.
      await expect(readme('helm upgrade RELEASE ./')).rejects.toThrow(
        /release "csi" installed the Secrets Store CSI driver.*keep/,
      );
      expect(uids(await driverObjects())).toEqual(uids(driver));

      await readme('kubectl annotate');
      await readme('helm upgrade RELEASE ./');
      const after = await daemon();
      expect(after.metadata.uid).toBe(before.metadata.uid);
      expect(imageOf(after)).toMatch(/akv-csi-provider/);
      expect(uids(await driverObjects())).toEqual(uids(driver));

      await readme('helm install');
      const owned = (await driverObjects()).filter(({ metadata }) => uids(driver).includes(metadata.uid));
      expect(uids(owned)).toEqual(uids(driver));
      expect(new Set(owned.map(({ metadata }) => metadata.annotations?.['meta.helm.sh/release-name']))).toEqual(
        new Set(['csi-secrets-store']),
      );
      expect(JSON.stringify(owned.find(({ kind }) => kind === 'DaemonSet'))).toContain('/driver:v1.6.0');

      // A second upgrade passes without the annotation, since the driver has a release of its own.
      await server.kubectl(['annotate', 'daemonset', DRIVER, '-n', 'kube-system', 'helm.sh/resource-policy-']);
      await readme('helm upgrade RELEASE ./');

      await readme('helm upgrade RELEASE csi-');
      expect((await daemon()).metadata.uid).toBe(before.metadata.uid);
      expect(imageOf(await daemon())).toContain('provider-azure');
      expect(uids(await driverObjects())).toEqual(expect.arrayContaining(uids(driver)));
    },
    LIMIT_MS,
  );
});
