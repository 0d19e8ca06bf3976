import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chartDir, container, daemonSet, findHelm, notes, podSpec, REPOSITORY, render, type Tree } from './helm.ts';

const helm = findHelm();
const version = (parse(readFileSync(join(chartDir, 'Chart.yaml'), 'utf8')) as { appVersion: string }).appVersion;
const mounts = (values?: Tree) => container(values).volumeMounts.map(({ name, mountPath }) => [name, mountPath]);

describe.skipIf(helm === undefined)('chart, rendered by helm', () => {
  test('lints without a warning', () => {
    expect(
      execFileSync('helm', ['lint', '--strict', '--quiet', chartDir, `--set=linux.image.repository=${REPOSITORY}`], {
        encoding: 'utf8',
      }),
    ).toBe('');
  });

  test('with default values runs the daemon as the official chart does', () => {
    const set = daemonSet();
    expect(set.metadata.name).toBe('akv-csi-secrets-store-provider-azure');
    expect(set.metadata.namespace).toBe('kube-system');
    expect(set.spec.selector.matchLabels).toEqual({ app: 'csi-secrets-store-provider-azure' });
    expect(set.spec.template.metadata.labels).toMatchObject({ app: 'csi-secrets-store-provider-azure' });
    expect(set.spec.updateStrategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } });
    expect(container()).toMatchObject({
      image: `${REPOSITORY}:${version}`,
      imagePullPolicy: 'IfNotPresent',
      args: [
        '--endpoint=unix:///provider/azure.sock',
        '--construct-pem-chain=true',
        '--healthz-host=127.0.0.1',
        '--healthz-port=8989',
        '--healthz-path=/healthz',
        '--healthz-timeout=5s',
        '--prometheus-port=8898',
      ],
    });
    expect(container().command).toBeUndefined();
    expect(container().env).toBeUndefined();
    expect(podSpec()).toMatchObject({
      hostNetwork: true,
      dnsPolicy: 'ClusterFirstWithHostNet',
      priorityClassName: 'system-node-critical',
      serviceAccountName: 'csi-secrets-store-provider-azure',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ operator: 'Exists' }],
    });
  });

  test('puts the socket into the directory of the node that the driver reads', () => {
    expect(podSpec().volumes).toContainEqual({
      name: 'providers',
      hostPath: { path: '/var/run/secrets-store-csi-providers', type: 'DirectoryOrCreate' },
    });
    expect(mounts()).toContainEqual(['providers', '/provider']);
    expect(podSpec({ linux: { providersDir: '/opt/providers' } }).volumes).toContainEqual({
      name: 'providers',
      hostPath: { path: '/opt/providers', type: 'DirectoryOrCreate' },
    });
  });

  test('probes start-up, readiness and life at the health endpoint, each with more time than the check takes', () => {
    const { startupProbe, readinessProbe, livenessProbe, ports } = container({
      linux: { healthzPort: 9001, healthzPath: '/alive', healthzTimeout: '7s' },
      metricsAddr: '9002',
    });
    expect(ports.map(({ name, containerPort }) => [name, containerPort])).toEqual([
      ['healthz', 9001],
      ['metrics', 9002],
    ]);
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      expect(probe).toMatchObject({ httpGet: { path: '/alive', port: 'healthz' }, timeoutSeconds: 10 });
    }
  });

  test('removes every privilege that a socket does not need', () => {
    expect(podSpec()).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(podSpec().initContainers).toBeUndefined();
    expect(container().securityContext).toEqual({
      runAsUser: 0,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('mounts the offline cache and its key only where both are set, and binds it to the node', () => {
    const offlineCache = { directory: '/var/lib/akv', keySecret: 'cache-key' };
    const { args, env } = container({ offlineCache });
    expect(args).toEqual(
      expect.arrayContaining([
        '--offline-cache-dir=/offline-cache',
        '--offline-cache-key-file=/etc/akv-csi/offline-cache/key',
      ]),
    );
    expect(env).toEqual([{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }]);
    expect(podSpec({ offlineCache }).volumes).toEqual(
      expect.arrayContaining([
        { name: 'offline-cache', hostPath: { path: '/var/lib/akv', type: 'DirectoryOrCreate' } },
        {
          name: 'offline-cache-key',
          secret: { secretName: 'cache-key', defaultMode: 0o400, items: [{ key: 'key', path: 'key' }] },
        },
      ]),
    );
    expect(podSpec({ offlineCache }).securityContext).toEqual({ seccompProfile: { type: 'RuntimeDefault' } });
    expect(JSON.stringify(podSpec())).not.toContain('offline');
  });

  test('lets another user than root write the offline cache and read its key', () => {
    const spec = podSpec({
      offlineCache: { directory: '/var/lib/akv', keySecret: 'cache-key', key: 'k.1' },
      linux: { runAsUser: 65_532 },
    });
    expect(spec.securityContext).toMatchObject({ fsGroup: 65_532 });
    expect(spec.initContainers?.[0]?.command?.at(-1)).toContain("fs.chownSync('/offline-cache', 65532, 65532);");
    expect(spec.initContainers?.[0]?.volumeMounts).toContainEqual({
      name: 'offline-cache',
      mountPath: '/offline-cache',
    });
    expect(spec.containers[0]?.args).toContain('--offline-cache-key-file=/etc/akv-csi/offline-cache/k.1');
  });

  test('gives the ServiceAccount the right to get SecretProviderClasses, that to get ServiceAccounts if asked to, and no other', () => {
    const objects = render();
    expect([...objects.keys()].sort()).toEqual(['ClusterRole', 'ClusterRoleBinding', 'DaemonSet', 'ServiceAccount']);
    expect(objects.get('ServiceAccount')).toMatchObject({
      metadata: { name: 'csi-secrets-store-provider-azure' },
      automountServiceAccountToken: false,
    });
    const name = 'akv-csi-secrets-store-provider-azure-kube-system';
    expect(objects.get('ClusterRole')).toMatchObject({
      metadata: { name },
      rules: [{ apiGroups: ['secrets-store.csi.x-k8s.io'], resources: ['secretproviderclasses'], verbs: ['get'] }],
    });
    const lookup = { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] };
    const [classes] = (objects.get('ClusterRole') as Tree).rules as readonly Tree[];
    expect(render({ serviceAccountLookup: true }).get('ClusterRole')).toMatchObject({ rules: [classes, lookup] });
    const alone = { serviceAccountLookup: 'true', identityModes: ['workload-identity'] };
    expect(render(alone).get('ClusterRole')).toMatchObject({ rules: [lookup] });
    expect(objects.get('ClusterRole')).not.toHaveProperty('aggregationRule');
    expect(objects.get('ClusterRoleBinding')).toMatchObject({
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: 'csi-secrets-store-provider-azure', namespace: 'kube-system' }],
    });
    expect([...render({ rbac: { install: false } }).keys()]).toEqual(['DaemonSet']);
  });

  const CA = { configMap: { name: 'kube-root-ca.crt', optional: true, items: [{ key: 'ca.crt', path: 'ca.crt' }] } };
  const TOKEN = { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } };

  test.each([
    [{}, [CA, TOKEN]],
    [{ rbac: { install: false } }, [CA, TOKEN]],
    [{ identityModes: ['workload-identity', 'managed-identity'] }, [CA, TOKEN]],
    [{ allowVolumeAttributes: ['objects'] }, [CA, TOKEN]],
    [{ identityModes: ['workload-identity', 'service-principal'] }, [CA]],
    [{ allowVolumeAttributes: ['*'] }, [CA]],
    [{ allowVolumeAttributes: ['*'], serviceAccountLookup: true }, [CA, TOKEN]],
  ])("mounts the API server's CA, and a token where the API server is read: %j", (values, sources) => {
    expect(podSpec(values).volumes).toContainEqual({ name: 'cluster-ca', projected: { sources } });
    expect(mounts(values)).toContainEqual(['cluster-ca', '/var/run/secrets/kubernetes.io/serviceaccount']);
    const hasRole = sources.length === 2 && !('rbac' in values);
    expect([render(values).has('ClusterRole'), render(values).has('ClusterRoleBinding')]).toEqual([hasRole, hasRole]);
  });

  test('runs without root if runAsUser is set; root only makes the socket directory group-writable', () => {
    const values = { linux: { runAsUser: 65532 } };
    expect(container(values).securityContext).toEqual({
      runAsUser: 65532,
      runAsGroup: 65532,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    const [init] = podSpec(values).initContainers ?? [];
    expect(init?.image).toBe(container(values).image);
    expect(init?.command?.at(-1)).toContain("chownSync('/provider', 0, 65532)");
    expect(init?.securityContext).toMatchObject({ runAsUser: 0, capabilities: { drop: ['ALL'], add: ['CHOWN'] } });
  });

  test('is privileged if the value is set, and then does not set allowPrivilegeEscalation', () => {
    const { securityContext } = container({ linux: { privileged: true } });
    expect(securityContext.privileged).toBe(true);
    expect(securityContext).not.toHaveProperty('allowPrivilegeEscalation');
  });

  test.each<[string, Tree, readonly string[]]>([
    ['logFormatJSON', { logFormatJSON: true }, ['--log-format-json=true']],
    ['logVerbosity', { logVerbosity: 5 }, ['-v=5']],
    ['logVerbosity as text', { logVerbosity: '2' }, ['-v=2']],
    ['constructPEMChain: false', { constructPEMChain: false }, ['--construct-pem-chain=false']],
    [
      'writeCertAndKeyInSeparateFiles',
      { writeCertAndKeyInSeparateFiles: true },
      ['--write-cert-and-key-in-separate-files=true'],
    ],
    ['metricsAddr', { metricsAddr: '9100' }, ['--prometheus-port=9100']],
    ['metricsAddr with a colon', { metricsAddr: ':9100' }, ['--prometheus-port=9100']],
    ['metricsAddr as a number', { metricsAddr: 9100 }, ['--prometheus-port=9100']],
    ['customUserAgent', { linux: { customUserAgent: 'team a: x' } }, ['--custom-user-agent=team a: x']],
    ['cloudName', { cloudName: 'AzureChinaCloud' }, ['--cloud-name=AzureChinaCloud']],
    ['tokenProxyURL', { tokenProxyURL: 'https://proxy:8443' }, ['--token-proxy-url=https://proxy:8443']],
    [
      'identityModes',
      { identityModes: ['pod-identity', 'workload-identity'] },
      ['--identity-modes=pod-identity,workload-identity'],
    ],
    ['allowVolumeAttributes', { allowVolumeAttributes: ['*'] }, ['--allow-volume-attributes=*']],
    ['serviceAccountLookup', { serviceAccountLookup: true }, ['--service-account-lookup=true']],
    ['sniName', { sniName: 'a.ests.aks' }, ['--sni-name=a.ests.aks']],
    ['cacheTTL', { cacheTTL: '1m30s' }, ['--cache-ttl=1m30s']],
    ['cacheTTL off', { cacheTTL: '0' }, ['--cache-ttl=0']],
    ['cacheTTL off, as a number', { cacheTTL: 0 }, ['--cache-ttl=0']],
    ['certificatePolicy', { certificatePolicy: 'enforce' }, ['--certificate-policy=enforce']],
    ['metricsObjectNames', { metricsObjectNames: false }, ['--metrics-object-names=false']],
    ['verifyTokensOffline', { verifyTokensOffline: false }, ['--verify-tokens-offline=false']],
    ['cloudFileDir', { cloudFileDir: '/etc/clouds' }, ['--cloud-file-dir=/etc/clouds']],
    ['pinnedCacheTTL', { pinnedCacheTTL: '1h' }, ['--pinned-cache-ttl=1h']],
    ['memoryBudget', { memoryBudget: '24Mi' }, ['--memory-budget=24Mi']],
    ['maxStale', { maxStale: '30m' }, ['--max-stale=30m']],
    ['providerName', { providerName: 'azure-next' }, ['--endpoint=unix:///provider/azure-next.sock']],
  ])('passes %s on as a flag', (_name, values, flags) => {
    expect(container(values).args).toEqual(expect.arrayContaining([...flags]));
    const names = container(values).args.map((arg) => arg.split('=')[0]);
    expect(names).toEqual([...new Set(names)]);
  });

  test('puts extraArgs last, so that they win', () => {
    expect(container({ extraArgs: ['--cache-ttl=5s', '-v=9'] }).args.slice(-2)).toEqual(['--cache-ttl=5s', '-v=9']);
  });

  test('passes the proxy and additional environment variables to the container', () => {
    const { env, envFrom } = container({
      proxy: { httpsProxy: 'http://proxy:3128', noProxy: '.svc.cluster.local' },
      env: [{ name: 'AZURE_ENVIRONMENT_FILEPATH', value: '/etc/cloud.json' }],
      envFrom: [{ secretRef: { name: 'proxy' } }],
    });
    expect(env).toEqual([
      { name: 'HTTPS_PROXY', value: 'http://proxy:3128' },
      { name: 'NO_PROXY', value: '.svc.cluster.local' },
      { name: 'AZURE_ENVIRONMENT_FILEPATH', value: '/etc/cloud.json' },
    ]);
    expect(envFrom).toEqual([{ secretRef: { name: 'proxy' } }]);
  });

  test.each<[string, Tree, Tree]>([
    ['a ConfigMap', { configMap: 'corporate' }, { configMap: { name: 'corporate' } }],
    ['a Secret', { secret: 'corporate', key: 'root.pem' }, { secret: { secretName: 'corporate' } }],
  ])('trusts further authorities from %s', (_name, caBundle, volume) => {
    expect(podSpec({ caBundle }).volumes).toContainEqual({ name: 'ca-bundle', ...volume });
    expect(mounts({ caBundle })).toContainEqual(['ca-bundle', '/etc/akv-csi/ca']);
    expect(container({ caBundle }).env).toEqual([
      { name: 'NODE_EXTRA_CA_CERTS', value: `/etc/akv-csi/ca/${caBundle.key ?? 'ca.crt'}` },
    ]);
  });

  test('uses the placement, labels and volumes of the values', () => {
    const linux = {
      nodeSelector: { pool: 'edge' },
      tolerations: [],
      affinity: {},
      podLabels: { team: 'a' },
      podAnnotations: { 'prometheus.io/scrape': 'true' },
      priorityClassName: '',
      dnsPolicy: '',
      volumes: [{ name: 'cloud', configMap: { name: 'cloud' } }],
      volumeMounts: [{ name: 'cloud', mountPath: '/etc/cloud' }],
      resources: { limits: { memory: '1Gi' } },
    };
    const spec = podSpec({ imagePullSecrets: [{ name: 'registry' }], linux });
    expect(spec).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      nodeSelector: { 'kubernetes.io/os': 'linux', pool: 'edge' },
    });
    for (const absent of ['tolerations', 'priorityClassName', 'dnsPolicy']) expect(spec).not.toHaveProperty(absent);
    expect(spec.volumes).toContainEqual(linux.volumes[0]);
    expect(mounts({ linux })).toContainEqual(['cloud', '/etc/cloud']);
    const { metadata } = daemonSet({ linux }).spec.template;
    expect(metadata.labels).toMatchObject({ app: 'csi-secrets-store-provider-azure', team: 'a' });
    expect(metadata.annotations).toEqual(linux.podAnnotations);
  });

  test('names the image by tag or by digest', () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    expect(container({ linux: { image: { repository: 'r.example/akv', tag: 'v2' } } }).image).toBe('r.example/akv:v2');
    expect(container({ linux: { image: { repository: 'r.example/akv', tag: 'v2', digest } } }).image).toBe(
      `r.example/akv@${digest}`,
    );
  });

  test('adds host names for private endpoints to the pod', () => {
    const linux = {
      hostAliases: [{ ip: '10.0.0.4', hostnames: ['my-key-vault.vault.azure.net'] }],
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['168.63.129.16'] },
    };
    expect(podSpec({ linux })).toMatchObject(linux);
    expect(podSpec()).not.toHaveProperty('hostAliases');
    expect(podSpec()).not.toHaveProperty('dnsConfig');
  });

  test('writes each label and each variable once, even if it is set twice', () => {
    const values = {
      linux: {
        podLabels: { app: 'csi-secrets-store-provider-azure', 'app.kubernetes.io/instance': 'mine' },
        nodeSelector: { 'kubernetes.io/os': 'linux' },
      },
      proxy: { noProxy: 'a' },
      env: [{ name: 'NO_PROXY', value: 'b' }],
    };
    expect(daemonSet(values).spec.template.metadata.labels).toMatchObject(values.linux.podLabels);
    expect(podSpec(values).nodeSelector).toEqual({ 'kubernetes.io/os': 'linux' });
    expect(container(values).env).toEqual([{ name: 'NO_PROXY', value: 'b' }]);
  });

  test('gives a second release in a namespace different names', () => {
    const second = { nameOverride: 'akv-next' };
    expect(render(second).get('ServiceAccount')).toMatchObject({ metadata: { name: 'akv-next' } });
    expect(podSpec(second).serviceAccountName).toBe('akv-next');
    expect(podSpec({ ...second, rbac: { install: false } }).serviceAccountName).toBe(
      'csi-secrets-store-provider-azure',
    );
    expect(podSpec({ rbac: { serviceAccountName: 'other' } }).serviceAccountName).toBe('other');
  });

  test.each<[string, Tree, string, string]>([
    ['nameOverride', { nameOverride: 'other', linux: { enabled: true } }, 'akv-other', 'other'],
    ['fullnameOverride', { fullnameOverride: 'whole' }, 'whole', 'csi-secrets-store-provider-azure'],
  ])('is named by %s', (_name, values, name, app) => {
    const set = daemonSet(values);
    expect(set.metadata.name).toBe(name);
    expect(set.spec.selector.matchLabels).toEqual({ app });
    expect(set.spec.template.metadata.labels).toMatchObject({ app });
  });

  test('explains in its notes how to install the driver, with the audience of each identity mode', () => {
    const told = notes({ 'secrets-store-csi-driver': { install: true } });
    expect(told).toContain('helm install csi-secrets-store');
    expect(told).toContain("--set 'tokenRequests[0].audience=api://AzureADTokenExchange'");
    expect(told).toContain("--set 'tokenRequests[1].audience=api://AKSIdentityBinding'");
    expect(notes()).toContain('api://AzureADTokenExchange');
    expect(told).toContain('rotationPollInterval=2m');
    expect(notes()).not.toContain('WARNING');
    expect(notes()).toContain("use the node's network");
    expect(notes({ identityModes: ['workload-identity'] })).not.toContain('network');
  });
});
