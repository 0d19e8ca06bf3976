// Finds the programs of a Kubernetes cluster, and says whether the tests that need them run. ./build makes the programs.
// No test builds them unless CLUSTER=1 asks for it, because the build takes minutes.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The programs of a cluster without nodes. */
export const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kubectl'] as const;

/** The name of a program that ./build makes. The last four are for a cluster with a node. */
export type ClusterProgram =
  | (typeof CONTROL_PLANE)[number]
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubelet'
  | 'registrar';

/** The version of Kubernetes that is built, such as `v1.34.4`. */
const KUBERNETES_VERSION = /k8s\.io\/kubernetes (v\S+)/.exec(
  readFileSync(join(import.meta.dirname, 'kubernetes/go.mod'), 'utf8'),
)?.[1];

const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const directory = join(caches, 'akv-csi-ci', `kubernetes-${KUBERNETES_VERSION}`);

/** Returns the path of a program. */
export const clusterProgram = (name: ClusterProgram): string => join(directory, name);

/**
 * Returns true if the tests with a real API server run: the programs are there, or CLUSTER=1 had them built. Otherwise
 * it prints how to get them. Their absence is no error with REQUIRE_TOOLS.
 */
export function clusterWanted(programs: readonly ClusterProgram[] = CONTROL_PLANE): boolean {
  if (process.env.CLUSTER === '1') {
    execFileSync('bash', [join(import.meta.dirname, 'build'), ...programs], { stdio: ['ignore', 'ignore', 'inherit'] });
    return true;
  }
  const missing = programs.filter((name) => !executable(clusterProgram(name)));
  if (missing.length === 0) return true;
  console.warn(
    `skipped: no ${missing.join(', ')} in ${directory}; "bash test/cluster/build" builds them in about five minutes`,
  );
  return false;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Returns the directory of the CSI driver's module: CRDs in `config/crd`, roles in `config/rbac`, its Helm chart. */
export function driverSource(version = 'v1.6.0'): string {
  const cwd = join(import.meta.dirname, '../real-driver/driver');
  return moduleSource('sigs.k8s.io/secrets-store-csi-driver', cwd, `-modfile=${version}.mod`);
}

/** Returns the CustomResourceDefinitions of the Prometheus operator and of cert-manager. */
export function operatorDefinitions(): string {
  const cwd = join(import.meta.dirname, 'operators');
  const directories = [
    join(moduleSource('github.com/prometheus-operator/prometheus-operator', cwd), 'example/prometheus-operator-crd'),
    join(moduleSource('github.com/cert-manager/cert-manager', cwd), 'deploy/crds'),
  ];
  const files = directories.flatMap((directory) => readdirSync(directory).map((name) => join(directory, name)));
  const wanted = /(pod|service)monitors|prometheusrules|_certificates|_issuers/;
  return files
    .filter((file) => wanted.test(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n---\n');
}

/** Downloads a Go module, in the version of the go.mod in `cwd`, if it is not in the cache. Returns its directory. */
function moduleSource(module: string, cwd: string, ...options: readonly string[]): string {
  const args = ['mod', 'download', '-json', ...options, module];
  return (JSON.parse(execFileSync('go', args, { cwd, encoding: 'utf8' })) as { Dir: string }).Dir;
}
