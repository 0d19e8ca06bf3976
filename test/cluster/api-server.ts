// Starts a real Kubernetes API server and its etcd, on free ports and in a directory of its own. Tests of any folder call
// it. README.md says what it does without nodes and controllers.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issue, keyPem, newKey, pemOf } from '../support/pki.ts';
import { eventually, freePort } from '../support/process.ts';
import { type Daemon, run, startDaemon } from './process.ts';
import { clusterProgram, driverSource } from './programs.ts';

const ATTEMPTS = 5;
/** One line for each CustomResourceDefinition: its conditions as JSON, or nothing. A filter fails where there are none. */
const CONDITIONS = '{range .items[*]}{.status.conditions}{"\\n"}{end}';
const isEstablished = (conditions: string) => /"status":"True","type":"Established"/.test(conditions);

/** The users that the API server knows by a token, and their groups. */
const USERS = {
  admin: 'system:masters',
  'system:kube-controller-manager': '',
  'system:kube-scheduler': '',
  'system:node:node-1': 'system:nodes',
} as const;

/** A user that the API server knows. */
export type User = keyof typeof USERS;

/** Options of {@link startApiServer}. */
export interface ApiServerOptions {
  /** Address and port to listen on; default: 127.0.0.1 and a free port. The address belongs to this machine. */
  readonly listen?: { readonly address: string; readonly port: number };
}

/** Any Kubernetes object. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** A running API server. */
export interface ApiServer {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** PEM of the CA that issued the certificate of the API server. */
  readonly ca: string;
  /** Path of the kubeconfig of an administrator (group system:masters). */
  readonly kubeconfig: string;
  /** Returns the path of the kubeconfig of a user. */
  kubeconfigOf(user: User): string;
  /** A directory for files of the test. It is removed with the API server. */
  readonly directory: string;
  /** Runs kubectl as the administrator and returns its stdout. Throws an error with its stderr if it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Applies manifests (YAML or JSON) on the server side and returns what kubectl printed. Throws as `kubectl` does. */
  apply(manifests: string, ...args: readonly string[]): Promise<string>;
  /** Applies CustomResourceDefinitions and waits until their objects can be created. */
  define(definitions: string): Promise<void>;
  /** Returns an object. Throws if it does not exist. */
  get<T = KubernetesObject>(kind: string, name: string, namespace?: string): Promise<T>;
  /** Creates a namespace with labels, and the ServiceAccount `default` in it, which a controller would create. */
  createNamespace(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  /** Returns the end of the API server's log. */
  log(): string;
  /** Ends all processes and removes the directory. */
  stop(): Promise<void>;
}

/**
 * Starts an API server with RBAC, the admission plugins that are on by default (Pod Security and webhooks are among
 * them), NodeRestriction, and the CRDs of the CSI driver. Throws an error with the end of the log if it does not start.
 */
export async function startApiServer({ listen }: ApiServerOptions = {}): Promise<ApiServer> {
  const directory = mkdtempSync(join(tmpdir(), 'akv-k8s-'));
  const daemons: Daemon[] = [];
  const stop = async () => {
    // The API server first: it would write errors while etcd is away.
    for (const daemon of daemons.reverse()) await daemon.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const address = listen?.address ?? '127.0.0.1';
    const ca = await writeCredentials(directory, address);
    daemons.push(startEtcd(directory));
    const { port, daemon } = await startKubeApiServer(directory, { address, port: listen?.port, ca });
    daemons.push(daemon);
    const url = `https://${address}:${port}`;
    for (const user of Object.keys(USERS) as User[]) {
      writeFileSync(kubeconfigPath(directory, user), kubeconfigText({ url, ca }, user), { mode: 0o600 });
    }
    const server = { url, ca, directory, log: daemon.log, stop, ...operations(directory) };
    await addDefinitions(server);
    return server;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Adds the CRDs of the CSI driver, and the ServiceAccount that pods in `default` have. */
async function addDefinitions(server: ApiServer): Promise<void> {
  const directory = join(driverSource(), 'config/crd/bases');
  const files = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
  await server.define(files.join('\n---\n'));
  await server.createNamespace('default');
}

/** Writes certificate, keys and tokens that the API server reads. Returns the PEM of the CA. */
async function writeCredentials(directory: string, address: string): Promise<string> {
  const root = await issue({ name: 'cluster', ca: true });
  const names = { dnsNames: ['kubernetes.default.svc'], addresses: [address] };
  const server = await issue({ name: 'kube-apiserver', issuer: root, ...names });
  const put = (name: string, text: string) => writeFileSync(join(directory, name), text, { mode: 0o600 });
  put('server.crt', pemOf([server.certificate]));
  put('server.key', keyPem(server.key));
  // The API server reads PKCS#8 for TLS only.
  put('accounts.key', newKey('p-256').export({ format: 'pem', type: 'sec1' }).toString());
  put('ca.crt', pemOf([root.certificate]));
  put(
    'users.csv',
    Object.entries(USERS)
      .map(([user, groups]) => `${user},${user},${user},"${groups}"\n`)
      .join(''),
  );
  return pemOf([root.certificate]);
}

/** Starts etcd on a Unix socket. It does not force data to the disk, because no test needs them after a crash. */
function startEtcd(directory: string): Daemon {
  const flags = [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=${etcdUrl(directory)}`,
    // Nobody uses these two, but etcd requires them.
    '--advertise-client-urls=http://127.0.0.1:1',
    `--listen-peer-urls=unix://${join(directory, 'etcd-peers.sock')}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
  return startDaemon(clusterProgram('etcd'), flags, join(directory, 'etcd.log'));
}

const etcdUrl = (directory: string) => `unix://${join(directory, 'etcd.sock')}`;

/** Where the API server listens, and the PEM of its CA. Without a port, a free one. */
interface Endpoint {
  readonly address: string;
  readonly port: number | undefined;
  readonly ca: string;
}

/** Starts the API server and waits until it is ready. Tries another free port if a process has taken it meanwhile. */
async function startKubeApiServer(directory: string, { address, port: fixed, ca }: Endpoint) {
  for (let attempt = 1; ; attempt++) {
    const port = fixed ?? (await freePort());
    const flags = flagsOf(directory, address, port);
    const daemon = startDaemon(clusterProgram('kube-apiserver'), flags, join(directory, 'api.log'));
    try {
      await daemon.until(() => ready(address, port, ca));
      return { port, daemon };
    } catch (error) {
      await daemon.stop();
      if (attempt === ATTEMPTS || !daemon.log().includes('address already in use')) throw error;
    }
  }
}

function flagsOf(directory: string, address: string, port: number): readonly string[] {
  const inside = (name: string) => join(directory, name);
  return [
    `--etcd-servers=${etcdUrl(directory)}`,
    `--bind-address=${address}`,
    `--secure-port=${port}`,
    // No pod connects to it. The address must not be a loopback address.
    '--advertise-address=192.0.2.1',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/24',
    `--tls-cert-file=${inside('server.crt')}`,
    `--tls-private-key-file=${inside('server.key')}`,
    `--token-auth-file=${inside('users.csv')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${inside('accounts.key')}`,
    `--service-account-signing-key-file=${inside('accounts.key')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    // kubectl exec reaches the kubelet by its address, because no name server knows its name.
    '--kubelet-preferred-address-types=InternalIP',
    // Requests to the Service of a webhook go to its pods, as no kube-proxy runs.
    '--enable-aggregator-routing=true',
    '--profiling=false',
  ];
}

/** Asks the API server whether it is ready, as any user may. */
function ready(host: string, port: number, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host, port, path: '/readyz', ca }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}

const kubeconfigPath = (directory: string, user: User) => join(directory, `${user.replaceAll(':', '-')}.kubeconfig`);

/** Returns the text of a kubeconfig for a token, in which `namespace` is that of commands that name none. */
export function kubeconfigText({ url, ca }: Pick<ApiServer, 'url' | 'ca'>, token: string, namespace = 'default') {
  const data = Buffer.from(ca).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': data } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  });
}

/** Returns the operations of an {@link ApiServer} that run kubectl. */
function operations(directory: string) {
  const kubeconfig = kubeconfigPath(directory, 'admin');
  // kubectl keeps what it discovers in the home directory by default.
  const options = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${join(directory, 'kubectl')}`];
  const kubectl: ApiServer['kubectl'] = (args, input) =>
    run(clusterProgram('kubectl'), [...options, ...args], { input });
  const apply: ApiServer['apply'] = (manifests, ...args) =>
    kubectl(['apply', '--server-side', '-f', '-', ...args], manifests);
  return {
    kubeconfig,
    kubeconfigOf: (user: User) => kubeconfigPath(directory, user),
    kubectl,
    apply,
    async define(definitions: string) {
      await apply(definitions);
      // `kubectl wait` fails for a definition that has no conditions yet.
      await eventually(async () => {
        const printed = await kubectl(['get', 'crd', `--output=jsonpath=${CONDITIONS}`]);
        return printed.replace(/\n$/, '').split('\n').every(isEstablished);
      });
    },
    async get<T = KubernetesObject>(kind: string, name: string, namespace = 'default') {
      return JSON.parse(await kubectl(['get', kind, name, '--namespace', namespace, '--output=json'])) as T;
    },
    async createNamespace(name: string, labels: Readonly<Record<string, string>> = {}) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } };
      await apply([namespace, account].map((object) => JSON.stringify(object)).join('\n---\n'));
    },
  };
}
