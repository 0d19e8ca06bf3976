// The network of the pods, and what follows from it: upgrades, probes, addresses of the ports, network policies.
import { describe, expect, test } from 'vitest';
import { IDENTITY_KINDS } from '../../src/spc/identities/table.ts';
import { container, daemonSet, findHelm, podSpec, refusal, render, type Tree, withImage } from './helm.ts';

const helm = findHelm();
const GAP_FREE = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
const ONE_AT_A_TIME = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } };
const POD_NETWORK = { linux: { hostNetwork: false } };
const strategy = (values: Tree = {}) => daemonSet(values).spec.updateStrategy;

describe.skipIf(helm === undefined)("chart, with or without the node's network", () => {
  test.each<readonly [string, Tree, boolean]>([
    ['serves every identity', {}, true],
    ...IDENTITY_KINDS.map(
      (kind) =>
        [
          `serves ${kind} only`,
          { identityModes: [kind] },
          ['managed-identity', 'pod-identity'].includes(kind),
        ] as const,
    ),
    ['serves one that needs the node', { identityModes: ['workload-identity', 'pod-identity'] }, true],
    ['is told to', { identityModes: ['workload-identity'], linux: { hostNetwork: true } }, true],
    ['is told not to', { linux: { hostNetwork: 'False' } }, false],
  ])(
    "uses the node's network only if it is needed, and upgrades without a gap otherwise: %s",
    (_name, values, used) => {
      expect(podSpec(values).hostNetwork).toBe(used);
      expect(strategy(values)).toEqual(used ? ONE_AT_A_TIME : GAP_FREE);
    },
  );

  test.each<[string, Tree, Tree]>([
    ['another number', { maxUnavailable: '10%' }, { maxUnavailable: '10%' }],
    ['a surge alone, which Kubernetes refuses', { maxSurge: '2' }, { maxSurge: 2, maxUnavailable: 0 }],
    ['no surge', { maxSurge: 0, maxUnavailable: 1 }, { maxSurge: 0, maxUnavailable: 1 }],
    ['no surge alone, as text', { maxSurge: '0' }, { maxSurge: 0 }],
  ])('takes the update strategy of the values: %s', (_name, rollingUpdate, expected) => {
    const linux = { hostNetwork: false, updateStrategy: { rollingUpdate } };
    expect(strategy({ linux })).toEqual({ type: 'RollingUpdate', rollingUpdate: expected });
    expect(strategy({ linux: { ...linux, updateStrategy: { type: 'OnDelete' } } })).toEqual({ type: 'OnDelete' });
  });

  test('upgrades one node at a time with an offline cache, which one process writes', () => {
    const values = { ...POD_NETWORK, offlineCache: { directory: '/var/lib/akv', keySecret: 'key' } };
    expect(strategy(values)).toEqual(ONE_AT_A_TIME);
    const updateStrategy = { rollingUpdate: { maxSurge: 1 } };
    expect(refusal(withImage({ ...values, linux: { hostNetwork: false, updateStrategy } }))).toMatch(
      /maxSurge: old and new pod would write the offline cache/,
    );
  });

  test('upgrades one node at a time where Kubernetes knows no surge of a DaemonSet', () => {
    const old = render(POD_NETWORK, ['--kube-version=1.21.14']).get('DaemonSet') as { spec: Tree } | undefined;
    expect(old?.spec.updateStrategy).toEqual(ONE_AT_A_TIME);
  });

  test("keeps the health endpoint on loopback on the node's network", () => {
    const hosts = (values: Tree) => {
      const { args, startupProbe, readinessProbe, livenessProbe } = container(values);
      const flag = args.find((arg) => arg.startsWith('--healthz-host='))?.split('=')[1];
      return [flag, ...[startupProbe, readinessProbe, livenessProbe].map((probe) => (probe.httpGet as Tree).host)];
    };
    expect(hosts({})).toEqual(Array(4).fill('127.0.0.1'));
    expect(hosts(POD_NETWORK)).toEqual(Array(4).fill(undefined));
  });

  test.each(['127.0.0.1', '::1', '10.0.0.1', 'fd00::1'])('lets the metrics listen on %s', (metricsHost) => {
    expect(container({ metricsHost }).args).toContain(`--prometheus-host=${metricsHost}`);
  });

  test('restarts a pod much later than it says that it is not ready, and gives a start as long', () => {
    const { startupProbe, readinessProbe, livenessProbe } = container();
    const seconds = (probe: Tree) => Number(probe.periodSeconds) * Number(probe.failureThreshold);
    expect([startupProbe, readinessProbe, livenessProbe].map(seconds)).toEqual([300, 30, 300]);
    const linux = {
      livenessProbe: { periodSeconds: '20', failureThreshold: 2 },
      readinessProbe: { timeoutSeconds: 3 },
    };
    expect(container({ linux }).livenessProbe).toMatchObject({ periodSeconds: 20, failureThreshold: 2 });
    expect(container({ linux }).readinessProbe).toMatchObject({ timeoutSeconds: 3 });
  });
});

describe.skipIf(helm === undefined)('the NetworkPolicy of the chart', () => {
  const policy = (values: Tree = {}, networkPolicy: Tree = {}) =>
    render({ ...POD_NETWORK, ...values, networkPolicy: { enabled: true, ...networkPolicy } }).get('NetworkPolicy') as {
      readonly spec: {
        readonly podSelector: { readonly matchLabels: Tree };
        readonly policyTypes: readonly string[];
        readonly ingress: readonly Tree[];
        readonly egress: readonly { readonly ports: readonly { readonly port: number }[]; readonly to?: unknown }[];
      };
    };
  const egressPorts = (values: Tree) => policy(values).spec.egress.map(({ ports }) => ports.map(({ port }) => port));
  const PROMETHEUS = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };

  test('is off by default', () => {
    expect(render(POD_NETWORK).has('NetworkPolicy')).toBe(false);
  });

  test('selects the pods of the DaemonSet, and lets the kubelet probe and nobody scrape', () => {
    const { spec } = policy();
    expect(daemonSet().spec.template.metadata.labels).toMatchObject(spec.podSelector.matchLabels);
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(spec.ingress).toEqual([{ ports: [{ port: 'healthz' }] }]);
  });

  test('lets the given peers scrape', () => {
    const [, metrics] = policy({}, { metricsFrom: [PROMETHEUS] }).spec.ingress;
    expect(metrics).toEqual({ from: [PROMETHEUS], ports: [{ port: 'metrics' }] });
  });

  test.each<[string, Tree, readonly (readonly number[])[]]>([
    ['every identity', {}, [[53, 53, 5353, 5353], [443, 6443], [80]]],
    [
      'no identity of the node',
      { identityModes: ['workload-identity'] },
      [
        [53, 53, 5353, 5353],
        [443, 6443],
      ],
    ],
    [
      'proxies',
      { proxy: { httpsProxy: 'http://user:word@proxy.corp:3128/', httpProxy: 'http://proxy.corp' } },
      [[53, 53, 5353, 5353], [443, 6443, 3128, 80], [80]],
    ],
    ['a proxy with TLS', { proxy: { httpsProxy: 'https://[fd00::1]' } }, [[53, 53, 5353, 5353], [443, 6443], [80]]],
    [
      'URLs in the environment',
      {
        env: [
          { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://otel:4318' },
          { name: 'https_proxy', value: 'proxy:3128' },
          { name: 'ALL_PROXY', value: 'http://proxy:3129' },
          { name: 'A', value: 'http://a:1' },
        ],
      },
      [[53, 53, 5353, 5353], [443, 6443, 4318, 3128, 3129], [80]],
    ],
    [
      'a token proxy',
      { tokenProxyURL: 'https://10.0.0.1:8443/a', identityModes: ['identity-binding'] },
      [
        [53, 53, 5353, 5353],
        [443, 6443, 8443],
      ],
    ],
  ])('lets the provider connect to what it needs: %s', (_name, values, ports) => {
    expect(egressPorts(values)).toEqual(ports);
  });

  test('adds the rules of the values, and limits IMDS to its address', () => {
    const rule = { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ port: 16443 }] };
    const { egress } = policy({}, { egress: [rule] }).spec;
    expect(egress.at(-1)).toEqual(rule);
    expect(egress.at(-2)?.to).toEqual([{ ipBlock: { cidr: '169.254.169.254/32' } }]);
  });

  test('limits the metrics of the webhook to the same peers', () => {
    const webhook = { enabled: true, certificate: { source: 'cert-manager' }, apiServerCIDRs: ['10.0.0.1/32'] };
    const networkPolicy = { enabled: true, metricsFrom: [PROMETHEUS] };
    const rendered = render({ linux: { enabled: false }, webhook, networkPolicy }).get('NetworkPolicy');
    const { spec } = rendered as unknown as ReturnType<typeof policy>;
    expect(spec.ingress.at(-1)).toEqual({ from: [PROMETHEUS], ports: [{ port: 'metrics' }] });
  });
});

describe.skipIf(helm === undefined)('chart, with values that cannot work on the network of its pods', () => {
  test.each<[string, Tree, RegExp]>([
    [
      "a NetworkPolicy on the node's network",
      { networkPolicy: { enabled: true } },
      /networkPolicy\.enabled: .*node's network; set linux/,
    ],
    [
      'a NetworkPolicy that shuts its monitors out',
      { ...POD_NETWORK, networkPolicy: { enabled: true }, monitoring: { podMonitor: { enabled: true } } },
      /networkPolicy\.metricsFrom: it is empty, so that Prometheus cannot scrape/,
    ],
    [
      'metrics on loopback for monitors',
      { metricsHost: '127.0.0.1', monitoring: { serviceMonitor: { enabled: true } } },
      /metricsHost: Prometheus cannot reach 127\.0\.0\.1 of a pod or node/,
    ],
    ['a name for an address', { metricsHost: 'localhost' }, /metricsHost: "localhost" is not an IP address/],
    [
      "pod identity without the node's network",
      { ...POD_NETWORK, identityModes: ['pod-identity'] },
      /identityModes: pod-identity needs the node's network.*set linux\.hostNetwork to true/,
    ],
    [
      "a surge on the node's network",
      { linux: { updateStrategy: { rollingUpdate: { maxSurge: '50%', maxUnavailable: 0 } } } },
      /maxSurge: .* set linux\.hostNetwork to false, or identityModes/,
    ],
    ['a word for hostNetwork', { linux: { hostNetwork: 'node' } }, /hostNetwork: "node" is not true, false or auto/],
    [
      'another user in the context of the pod',
      { linux: { podSecurityContext: { runAsUser: 1 } } },
      /podSecurityContext\.runAsUser: it has no effect.*set linux\.runAsUser/,
    ],
    ['the probed address', { extraArgs: ['--healthz-host=::1'] }, /--healthz-host .* set linux\.hostNetwork instead/],
  ])('refuses %s', (_name, values, message) => {
    expect(refusal(withImage(values))).toMatch(message);
  });
});
