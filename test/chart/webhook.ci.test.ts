// The webhook of the chart. With the certificate of the chart it needs a cluster: test/cluster/webhook.ci.test.ts.
import { describe, expect, test } from 'vitest';
import { parseWebhookFlags, WEBHOOK_FLAGS } from '../../src/cli/webhook-flags.ts';
import { findHelm, REPOSITORY, refusal, render, type Tree, withImage } from './helm.ts';

const helm = findHelm();
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const NAME = 'akv-csi-secrets-store-provider-azure-webhook';
const CERTIFICATE = { source: 'secret', secret: 'hook-tls', caBundle: PEM };

interface Webhook extends Tree {
  readonly clientConfig: { readonly service: Tree; readonly caBundle?: string };
  readonly namespaceSelector: { readonly matchLabels?: Tree; readonly matchExpressions: readonly Tree[] };
  readonly matchConditions?: readonly { readonly expression: string }[];
  readonly rules: readonly Tree[];
}

/** Returns the manifests of the webhook alone by kind. */
const manifests = (webhook: Tree = {}, values: Tree = {}, kubeVersion = '1.34.0') =>
  render({ ...values, linux: { enabled: false }, webhook: { enabled: true, certificate: CERTIFICATE, ...webhook } }, [
    `--kube-version=${kubeVersion}`,
  ]);
const configuration = (kind: 'Validating' | 'Mutating', ...values: Parameters<typeof manifests>) => {
  const found = manifests(...values).get(`${kind}WebhookConfiguration`) as { webhooks: [Webhook] } | undefined;
  return found?.webhooks[0];
};
const podOf = (...values: Parameters<typeof manifests>) => {
  const { spec } = manifests(...values).get('Deployment') as { spec: { template: { spec: Tree } } };
  return spec.template.spec as Tree & { readonly containers: readonly [Tree & { readonly args: readonly string[] }] };
};

describe.skipIf(helm === undefined)('the webhook of the chart', () => {
  test('is off by default', () => {
    expect([...render().keys()].filter((kind) => /Webhook|Deployment|Service$/.test(kind))).toEqual([]);
  });

  test('is one of two replicas that are on different nodes, and one stays during a drain', () => {
    const all = manifests();
    expect([...all.keys()].toSorted()).toEqual([
      'ClusterRole',
      'ClusterRoleBinding',
      'Deployment',
      'MutatingWebhookConfiguration',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
      'ValidatingWebhookConfiguration',
    ]);
    expect(all.get('Deployment')).toMatchObject({
      metadata: { name: NAME },
      spec: { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
    });
    expect(all.get('PodDisruptionBudget')).toMatchObject({ spec: { maxUnavailable: 1 } });
    expect(JSON.stringify(podOf().affinity)).toContain('"topologyKey":"kubernetes.io/hostname"');
    const { spec, metadata } = all.get('Deployment') as { spec: { selector: { matchLabels: Tree } }; metadata: Tree };
    expect(all.get('Service')).toMatchObject({ spec: { selector: spec.selector.matchLabels } });
    expect(metadata.labels).toMatchObject(spec.selector.matchLabels);
    // The DaemonSet selects its pods by this label alone.
    expect(spec.selector.matchLabels.app).not.toBe('csi-secrets-store-provider-azure');
  });

  test('may list SecretProviderClasses and nothing else', () => {
    const clusterName = `${NAME}-kube-system`;
    expect(manifests().get('ClusterRole')).toMatchObject({
      metadata: { name: clusterName },
      rules: [{ apiGroups: ['secrets-store.csi.x-k8s.io'], resources: ['secretproviderclasses'], verbs: ['list'] }],
    });
    expect(manifests().get('ClusterRoleBinding')).toMatchObject({
      roleRef: { name: clusterName },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: 'kube-system' }],
    });
    expect(podOf().serviceAccountName).toBe(NAME);
    const own = manifests({ serviceAccountName: 'hook' }, { rbac: { install: false } });
    expect([own.has('ClusterRole'), own.has('ServiceAccount')]).toEqual([false, false]);
    expect(podOf({ serviceAccountName: 'hook' }, { rbac: { install: false } }).serviceAccountName).toBe('hook');
  });

  test.each<[string, Tree, Tree]>([
    ['default values', {}, {}],
    [
      'every value that becomes an argument',
      { port: 9443, healthzPort: 9001, metricsPort: 9002, validation: { action: 'warn' }, extraArgs: ['-v=3'] },
      { providerName: 'azure-next', logFormatJSON: true, logVerbosity: 2, cloudName: 'AzureChinaCloud' },
    ],
  ])('gets arguments that the program takes: %s', (_name, webhook, values) => {
    const [{ args, command, ports }] = podOf(webhook, values).containers;
    expect(command).toEqual(['/nodejs/bin/node', '/app/main.js', 'webhook']);
    const names = args.map((arg) => arg.replace(/^--?([^=]*).*/, '$1'));
    expect(names.filter((name) => !WEBHOOK_FLAGS.some((flag) => flag.name === name))).toEqual([]);
    const options = parseWebhookFlags(args);
    expect(options).toMatchObject({
      port: webhook.port ?? 8443,
      healthPort: webhook.healthzPort ?? 8989,
      metricsPort: webhook.metricsPort ?? 8898,
      validation: (webhook.validation as Tree | undefined)?.action ?? 'deny',
      providerNames: [values.providerName ?? 'azure'],
      cloudName: values.cloudName ?? 'AzurePublicCloud',
      logJson: values.logFormatJSON ?? false,
      verbosity: webhook.extraArgs === undefined ? 0 : 3,
      certificate: { kind: 'files', directory: '/etc/akv-csi/webhook' },
    });
    expect(options.watchImage).toMatch(new RegExp(`^${REPOSITORY}:`));
    expect((ports as readonly Tree[]).map(({ containerPort }) => containerPort)).toEqual([
      options.port,
      options.healthPort,
      options.metricsPort,
    ]);
  });

  test('is asked about what it reads, outside of kube-system and its own namespace, and fails open', () => {
    const validating = configuration('Validating');
    expect(validating).toMatchObject({
      name: 'validate.akv-csi.io',
      failurePolicy: 'Ignore',
      sideEffects: 'None',
      timeoutSeconds: 5,
      clientConfig: { service: { name: NAME, namespace: 'kube-system', path: '/validate', port: 443 } },
    });
    expect(validating?.rules.map(({ apiGroups, resources }) => [apiGroups, resources])).toEqual([
      [['secrets-store.csi.x-k8s.io'], ['secretproviderclasses']],
      [['mq.iotoperations.azure.com'], expect.arrayContaining(['brokerlisteners', 'mqttbridgeconnectors'])],
    ]);
    const mutating = configuration('Mutating', { excludedNamespaces: ['kube-system', 'monitoring'] });
    expect(mutating).toMatchObject({
      failurePolicy: 'Ignore',
      reinvocationPolicy: 'IfNeeded',
      clientConfig: { service: { path: '/mutate' }, caBundle: Buffer.from(PEM).toString('base64') },
      rules: [{ apiGroups: [''], resources: ['pods'], operations: ['CREATE'] }],
    });
    expect(mutating?.namespaceSelector.matchExpressions).toEqual([
      { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'monitoring'] },
    ]);
    const selector = { matchLabels: { team: 'a' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] };
    const chosen = configuration('Mutating', { namespaceSelector: selector })?.namespaceSelector;
    expect([chosen?.matchLabels, chosen?.matchExpressions.at(-1)]).toEqual([
      selector.matchLabels,
      selector.matchExpressions[0],
    ]);
  });

  test('gets pods with an annotation only, where the API server can tell', () => {
    const [condition] = configuration('Mutating')?.matchConditions ?? [];
    for (const name of ['akv-csi/mount', 'akv-csi/watch']) expect(condition?.expression).toContain(`'${name}' in`);
    expect(configuration('Mutating', {}, {}, '1.27.9')).not.toHaveProperty('matchConditions');
  });

  test('has the parts and policies of the values', () => {
    const fail = { failurePolicy: 'Fail' };
    expect(configuration('Validating', { validation: fail })?.failurePolicy).toBe('Fail');
    expect(configuration('Mutating', { mutation: fail })?.failurePolicy).toBe('Fail');
    expect(configuration('Validating', { validation: { enabled: false } })).toBeUndefined();
    expect(configuration('Mutating', { mutation: { enabled: false } })).toBeUndefined();
    expect(manifests().has('NetworkPolicy')).toBe(false);
    expect(manifests({ apiServerCIDRs: ['10.0.0.1/32'] }).get('NetworkPolicy')).toMatchObject({
      spec: { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.1/32' } }], ports: [{ port: 'https' }] }, {}, {}] },
    });
  });

  test('is scraped as the provider is', () => {
    const scraped = { enabled: true, interval: '15s', labels: { release: 'prometheus' } };
    const all = manifests({}, { monitoring: { podMonitor: scraped, serviceMonitor: scraped } });
    const { spec } = all.get('Deployment') as { spec: { template: { metadata: { labels: Tree } } } };
    const service = all.get('Service') as { metadata: { labels: Tree }; spec: { ports: readonly Tree[] } };
    for (const [kind, member, labels] of [
      ['PodMonitor', 'podMetricsEndpoints', spec.template.metadata.labels],
      ['ServiceMonitor', 'endpoints', service.metadata.labels],
    ] as const) {
      const monitor = all.get(kind) as { metadata: { labels: Tree }; spec: Tree & { selector: { matchLabels: Tree } } };
      expect(labels).toMatchObject(monitor.spec.selector.matchLabels);
      expect(monitor.spec.selector.matchLabels).toMatchObject({ 'app.kubernetes.io/component': 'webhook' });
      expect(monitor.spec[member]).toMatchObject([{ port: 'metrics', path: '/metrics', interval: '15s' }]);
      expect(monitor.metadata.labels).toMatchObject({ release: 'prometheus' });
    }
    expect(service.spec.ports.map(({ name, targetPort }) => [name, targetPort])).toEqual([
      ['https', 'https'],
      ['metrics', 'metrics'],
    ]);
  });

  test('has a certificate of cert-manager, which puts the authority into the configurations', () => {
    const own = manifests({ certificate: { source: 'cert-manager' } });
    expect(own.get('MutatingWebhookConfiguration')).toMatchObject({
      metadata: { annotations: { 'cert-manager.io/inject-ca-from': `kube-system/${NAME}` } },
    });
    expect(configuration('Mutating', { certificate: { source: 'cert-manager' } })?.clientConfig).not.toHaveProperty(
      'caBundle',
    );
    const issuerRef = { kind: 'ClusterIssuer', name: 'internal' };
    const given = manifests({ certificate: { source: 'cert-manager', issuerRef } });
    expect(given.has('Issuer')).toBe(false);
    expect(given.get('Certificate')).toMatchObject({
      spec: {
        secretName: `${NAME}-tls`,
        dnsNames: [`${NAME}.kube-system.svc`, `${NAME}.kube-system.svc.cluster.local`],
        issuerRef,
      },
    });
    expect(JSON.stringify(podOf({ certificate: { source: 'cert-manager' } }).volumes)).toContain(`${NAME}-tls`);
  });

  test.each<[string, Tree, RegExp]>([
    [
      'no cluster to keep an authority in',
      { certificate: { source: 'chart' } },
      /source: with chart, Helm has to read the cluster.*--dry-run=server/,
    ],
    [
      'a source without its Secret',
      { certificate: { source: 'secret', caBundle: PEM } },
      /certificate\.secret: it is required with source: secret/,
    ],
    [
      'a Secret without its source',
      { certificate: { source: 'cert-manager', secret: 'a' } },
      /certificate\.secret: it has an effect with source: secret only/,
    ],
    [
      'an issuer without its source',
      { certificate: { ...CERTIFICATE, issuerRef: { name: 'a' } } },
      /issuerRef: it has an effect with source: cert-manager only/,
    ],
    [
      'an authority that is no PEM',
      { certificate: { ...CERTIFICATE, caBundle: 'AAAA' } },
      /caBundle: "AAAA" is not certificates in PEM/,
    ],
    [
      'neither part',
      { certificate: CERTIFICATE, validation: { enabled: false }, mutation: { enabled: false } },
      /both validation\.enabled and mutation\.enabled are false/,
    ],
    [
      'root, which runAsNonRoot of the defaults excludes',
      { certificate: CERTIFICATE, podSecurityContext: { runAsUser: 0 } },
      /podSecurityContext\.runAsUser: the kubelet does not start root/,
    ],
    ['equal ports', { certificate: CERTIFICATE, metricsPort: 8443 }, /must be different ports/],
    [
      'a port as an argument',
      { certificate: CERTIFICATE, extraArgs: ['--port=1'] },
      /--port must agree with.*set webhook\.port instead/,
    ],
    [
      'a label of the chart',
      { certificate: CERTIFICATE, podLabels: { app: 'a' } },
      /podLabels: the chart sets "app"; remove it/,
    ],
    [
      'an unknown action',
      { certificate: CERTIFICATE, validation: { action: 'refuse' } },
      /webhook\.validation\.action: "refuse" is not one of deny, warn/,
    ],
    [
      'a misspelt selector, which would select all namespaces',
      { certificate: CERTIFICATE, namespaceSelector: { matchLabel: { team: 'a' } } },
      /webhook\.namespaceSelector\.matchLabel: a label selector has matchLabels and matchExpressions only/,
    ],
    [
      'an unknown value',
      { certificate: CERTIFICATE, failurePolicy: 'Fail' },
      /webhook\.failurePolicy: there is no such value; use webhook\./,
    ],
  ])('refuses %s', (_name, webhook, message) => {
    expect(refusal(withImage({ webhook: { enabled: true, ...webhook } }))).toMatch(message);
  });

  test('needs an image, as the DaemonSet does', () => {
    const values = { linux: { enabled: false }, webhook: { enabled: true, certificate: CERTIFICATE } };
    expect(refusal(values)).toMatch(/linux\.image\.repository: it is empty/);
  });
});
