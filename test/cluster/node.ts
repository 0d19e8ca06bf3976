// Runs a whole Kubernetes cluster of one node: control plane, containerd, kubelet, and the real CSI driver installed by
// its own chart. It works only in the namespaces that ./run makes, because it uses the kubelet's and the driver's usual
// paths and the addresses below; nothing of it is left on the machine.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from './api-server.ts';
import { images, POD_IMAGE, writeImage } from './images.ts';
import { type Daemon, run, startDaemon } from './process.ts';
import { clusterProgram, driverSource } from './programs.ts';

/** Name of the node. */
export const NODE_NAME = 'node-1';
/** Address of the node. Pods reach it, and the emulator listens there. */
export const NODE_ADDRESS = '192.0.2.2';
/** Address of the API server, which is also that of its Service. */
const API_ADDRESS = '10.96.0.1';
const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** Returns true in the namespaces that ./run makes. Otherwise prints how to get there. */
export function nodeWanted(): boolean {
  if (process.env.CLUSTER_NODE === '1') return true;
  console.warn('skipped: a cluster with a node runs only in "npm run test:cluster" (as root, on Debian)');
  return false;
}

/** A cluster of one node. */
export interface Cluster extends ApiServer {
  /** Runs a command in a pod and returns its stdout. */
  exec(pod: string, command: readonly string[], namespace?: string): Promise<string>;
  /** Returns the log of a daemon of the cluster. */
  logOf(daemon: 'kubelet' | 'containerd' | 'kube-controller-manager' | 'kube-scheduler'): string;
}

/** Starts the cluster and waits until its node is ready and the driver runs. */
export async function startCluster(): Promise<Cluster> {
  const server = await startApiServer({ listen: { address: API_ADDRESS, port: 443 } });
  const daemons = new Map<string, Daemon>();
  const stop = async () => {
    for (const daemon of [...daemons.values()].reverse()) await daemon.stop();
    await server.stop();
  };
  try {
    const start = (name: string, program: string, args: readonly string[]) => {
      const daemon = startDaemon(program, args, join(server.directory, `${name}.log`));
      daemons.set(name, daemon);
      return daemon;
    };
    startControllers(server, start);
    const containerd = start('containerd', 'containerd', [`--config=${writeContainerdConfig(server.directory)}`]);
    await containerd.until(() => existsSync(CONTAINERD_SOCKET));
    await importImages(server.directory);
    startKubelet(server, start);
    await waitForNode(server);
    await installDriver(server);
    return {
      ...server,
      stop,
      exec: (pod, command, namespace = 'default') =>
        server.kubectl(['exec', pod, '--namespace', namespace, '--', ...command]),
      logOf: (name) => readFileSync(join(server.directory, `${name}.log`), 'utf8'),
    };
  } catch (error) {
    const logs = [...daemons].map(([name, daemon]) => `${name}:\n${daemon.log()}`);
    await stop();
    throw new Error(`${error}\n${logs.join('\n')}`);
  }
}

type Start = (name: string, program: string, args: readonly string[]) => Daemon;

function startControllers({ kubeconfigOf, directory }: ApiServer, start: Start): void {
  for (const name of ['kube-controller-manager', 'kube-scheduler'] as const) {
    const kubeconfig = kubeconfigOf(`system:${name}`);
    const common = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
    const keys = [
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${join(directory, 'accounts.key')}`,
      `--root-ca-file=${join(directory, 'ca.crt')}`,
    ];
    start(name, clusterProgram(name), name === 'kube-scheduler' ? common : [...common, ...keys]);
  }
}

/** Writes the configuration of containerd and of the network of pods. Returns its path. */
function writeContainerdConfig(directory: string): string {
  const inside = (name: string) => join(directory, name);
  mkdirSync(inside('cni'));
  const network = {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: '10.244.0.0/16' }]],
          routes: [{ dst: '0.0.0.0/0' }],
          dataDir: inside('cni-addresses'),
        },
      },
    ],
  };
  writeFileSync(inside('cni/10-pods.conflist'), JSON.stringify(network));
  writeFileSync(
    inside('containerd.toml'),
    `version = 2
root = "${inside('containerd')}"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${POD_IMAGE}"
  # Root in a container, where the tests may run, cannot lower it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${inside('cni')}"
`,
  );
  return inside('containerd.toml');
}

async function importImages(directory: string): Promise<void> {
  for (const [index, image] of images().entries()) {
    const own = join(directory, `image-${index}`);
    mkdirSync(own);
    const archive = await writeImage(image, own);
    await run('ctr', ['--namespace=k8s.io', 'images', 'import', archive]);
    rmSync(own, { recursive: true });
  }
}

function startKubelet({ kubeconfigOf, directory }: ApiServer, start: Start): void {
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    // kubectl exec and logs reach the kubelet without a certificate. Nothing outside this network namespace does.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: '/akv-csi-cluster',
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageMinimumGCAge: '24h',
    shutdownGracePeriod: '0s',
  };
  writeFileSync(join(directory, 'kubelet.json'), JSON.stringify(config));
  start('kubelet', clusterProgram('kubelet'), [
    `--config=${join(directory, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfigOf(`system:node:${NODE_NAME}`)}`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${NODE_ADDRESS}`,
    '--cert-dir=/var/lib/kubelet/pki',
  ]);
}

async function waitForNode({ kubectl }: ApiServer): Promise<void> {
  await kubectl(['wait', '--for=create', '--timeout=3m', `node/${NODE_NAME}`]);
  await kubectl(['wait', '--for=condition=Ready', '--timeout=3m', `node/${NODE_NAME}`]);
}

/** Installs the driver from its own chart, with the values that the README of our chart gives. */
async function installDriver({ kubeconfig, kubectl }: ApiServer): Promise<void> {
  const chart = join(driverSource(), 'charts/secrets-store-csi-driver');
  const values = {
    enableSecretRotation: true,
    rotationPollInterval: '2m',
    syncSecret: { enabled: true },
    tokenRequests: ['api://AzureADTokenExchange', 'api://AKSIdentityBinding'].map((audience) => ({ audience })),
    // A Job of this image would apply the CRDs, which are there.
    linux: { crds: { enabled: false } },
  };
  const args = ['install', 'csi-secrets-store', chart, '--namespace=kube-system', '--skip-crds', '--values=-'];
  await run('helm', args, { env: { KUBECONFIG: kubeconfig }, input: JSON.stringify(values) });
  await kubectl(['rollout', 'status', 'daemonset', '--namespace=kube-system', '--timeout=5m']);
}
