import type { Tree } from './helm.ts';

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
const image = {
  repository: 'mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure',
  tag: 'v1.8.2',
  pullPolicy: 'IfNotPresent',
};

/** Every value of the official chart 1.8.2 with its default: what someone has in hand who changes charts. */
export const officialValues: Tree = {
  nameOverride: '',
  fullnameOverride: '',
  imagePullSecrets: [],
  logFormatJSON: false,
  logVerbosity: 0,
  enableArcExtension: false,
  linux: {
    ...node,
    image,
    enabled: true,
    resources: { requests: { cpu: '50m', memory: '100Mi' }, limits: { cpu: '50m', memory: '100Mi' } },
    privileged: false,
    kubeletRootDir: '/var/lib/kubelet',
    providersDir: '/var/run/secrets-store-csi-providers',
    dnsPolicy: 'ClusterFirstWithHostNet',
  },
  windows: {
    ...node,
    image,
    enabled: false,
    resources: { requests: { cpu: '100m', memory: '200Mi' }, limits: { cpu: '100m', memory: '200Mi' } },
    kubeletRootDir: 'C:\\var\\lib\\kubelet',
    providersDir: 'C:\\k\\secrets-store-csi-providers',
  },
  'secrets-store-csi-driver': {
    install: true,
    fullnameOverride: 'secrets-store-csi-driver',
    enableSecretRotation: false,
    rotationPollInterval: '2m',
    filteredWatchSecret: true,
    syncSecret: { enabled: false },
    tokenRequests: [{ audience: 'api://AzureADTokenExchange' }, { audience: 'api://AKSIdentityBinding' }],
  },
  rbac: { install: true, pspEnabled: false },
  constructPEMChain: true,
  writeCertAndKeyInSeparateFiles: false,
  metricsAddr: '8898',
};
