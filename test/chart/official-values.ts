import type { Tree } from './helm.ts';

/** The differences between the values files of the official chart's releases. */
interface Release {
  readonly version: string;
  readonly repository: string;
  /** True if the release has these names. */
  readonly arc: boolean;
  readonly metrics: boolean;
  readonly dnsPolicy: boolean;
  readonly driverHealth: boolean;
  readonly audiences: readonly string[];
}

const EXCHANGE = 'api://AzureADTokenExchange';
const BINDING = 'api://AKSIdentityBinding';
const OLD = 'mcr.microsoft.com/oss/azure/secrets-store/provider-azure';
const NEW = 'mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure';
const first = { repository: OLD, arc: false, metrics: false, dnsPolicy: false, driverHealth: true, audiences: [] };

const RELEASES: readonly Release[] = [
  ...['v1.0.0', 'v1.0.1', 'v1.1.0'].map((version) => ({ ...first, version })),
  ...['v1.2.0', 'v1.3.0', 'v1.4.0'].map((version) => ({
    ...first,
    version,
    driverHealth: false,
    audiences: [EXCHANGE],
  })),
  { ...first, version: 'v1.4.1', arc: true, driverHealth: false, audiences: [EXCHANGE] },
  ...['v1.5.0', 'v1.5.3', 'v1.6.2'].map((version) => ({
    ...first,
    version,
    arc: true,
    metrics: true,
    dnsPolicy: true,
    driverHealth: false,
    audiences: [EXCHANGE],
  })),
  ...['v1.7.2', 'v1.8.0', 'v1.8.2'].map((version) => ({
    version,
    repository: NEW,
    arc: true,
    metrics: true,
    dnsPolicy: true,
    driverHealth: false,
    audiences: [EXCHANGE, BINDING],
  })),
];

const node = {
  nodeSelector: {},
  tolerations: [{ operator: 'Exists' }],
  podLabels: {},
  podAnnotations: {},
  priorityClassName: '',
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
  customUserAgent: '',
  healthzPort: 8989,
  healthzPath: '/healthz',
  healthzTimeout: '5s',
  volumes: [],
  volumeMounts: [],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] }] }],
      },
    },
  },
};
const driverImage = { repository: 'mcr.microsoft.com/oss/kubernetes-csi/secrets-store/driver', tag: 'v1.3.2' };
const cpu = (request: string, memory: string) => ({
  requests: { cpu: request, memory },
  limits: { cpu: request, memory },
});

/** Returns every value of one release of the official chart, with its default. */
function valuesOf({ version, repository, arc, metrics, dnsPolicy, driverHealth, audiences }: Release): Tree {
  const image = { repository, tag: version, pullPolicy: 'IfNotPresent' };
  return {
    nameOverride: '',
    fullnameOverride: '',
    imagePullSecrets: [],
    logFormatJSON: false,
    logVerbosity: 0,
    ...(arc ? { enableArcExtension: false } : {}),
    linux: {
      ...node,
      image,
      enabled: true,
      resources: cpu('50m', '100Mi'),
      privileged: false,
      kubeletRootDir: '/var/lib/kubelet',
      providersDir: '/var/run/secrets-store-csi-providers',
      ...(dnsPolicy ? { dnsPolicy: 'ClusterFirstWithHostNet' } : {}),
    },
    windows: {
      ...node,
      image,
      enabled: false,
      resources: cpu('100m', '200Mi'),
      kubeletRootDir: 'C:\\var\\lib\\kubelet',
      providersDir: 'C:\\k\\secrets-store-csi-providers',
    },
    'secrets-store-csi-driver': {
      install: true,
      fullnameOverride: 'secrets-store-csi-driver',
      linux: { enabled: true, metricsAddr: ':8080', image: driverImage, crds: { image: driverImage } },
      windows: { enabled: false, metricsAddr: ':8080', image: driverImage },
      enableSecretRotation: false,
      rotationPollInterval: '2m',
      filteredWatchSecret: true,
      syncSecret: { enabled: false },
      ...(driverHealth ? { providerHealthCheck: false } : {}),
      ...(audiences.length > 0 ? { tokenRequests: audiences.map((audience) => ({ audience })) } : {}),
    },
    rbac: { install: true, pspEnabled: false },
    constructPEMChain: true,
    writeCertAndKeyInSeparateFiles: false,
    ...(metrics ? { metricsAddr: '8898' } : {}),
  };
}

/** The values file of each of these releases, by its version. */
export const officialReleases: ReadonlyMap<string, Tree> = new Map(
  RELEASES.map((release) => [release.version, valuesOf(release)]),
);

/** The values file of the newest release, v1.8.2. */
export const officialValues: Tree = officialReleases.get('v1.8.2') ?? {};
