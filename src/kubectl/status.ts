/**
 * Collects the state of the SecretProviderClasses of a cluster: who mounts them, in which versions, what failed last, and
 * what expires. `kubectl akv status` prints it. Reads no Secret. Refuses nothing: what cannot be read becomes a note.
 */

import { ProviderError } from '../base/errors.ts';
import type { KubeApi, KubeListOptions } from './api.ts';
import { type ClassStatus, classStatuses, FAILURES, nodeOf } from './class-status.ts';
import type { Metrics } from './metrics.ts';
import { classVolumesOf, isOurs, type KubeObject, STORE_API } from './objects.ts';
import { findProviders, readAllMetrics } from './provider-pods.ts';

/** The state of all classes, and notes on what could not be read. */
export interface StatusReport {
  readonly classes: readonly ClassStatus[];
  readonly notes: readonly string[];
}

/** What is looked at. */
export interface StatusScope {
  /** Empty: all namespaces. */
  readonly namespace: string;
  readonly providerNames: readonly string[];
  /** Undefined: all namespaces. */
  readonly providerNamespace: string | undefined;
}

const MAX_OBJECTS = 10_000;
/** Providers whose metrics are read. */
const MAX_PROVIDERS = 500;

/** Reads the state of the classes. Throws: the errors of `KubeApi` if the classes themselves cannot be listed. */
export async function readStatus(api: KubeApi, scope: StatusScope): Promise<StatusReport> {
  const notes: string[] = [];
  const below = scope.namespace === '' ? '' : `/namespaces/${scope.namespace}`;
  const list = async (path: string, what: string, wanted: Partial<KubeListOptions> = {}) => {
    const max = MAX_OBJECTS;
    try {
      const { items, cut } = await api.list(path, { max, ...wanted });
      if (cut) notes.push(`only the first ${max} ${what} were read; choose a namespace with -n`);
      return items;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      notes.push(`${what} are left out: ${error.message}`);
      return [];
    }
  };
  const { items, cut } = await api.list(`${STORE_API}${below}/secretproviderclasses`, { max: MAX_OBJECTS });
  if (cut) notes.push(`only the first ${MAX_OBJECTS} SecretProviderClasses were read; choose a namespace with -n`);
  const [statuses, pending, ...events] = await Promise.all([
    list(`${STORE_API}${below}/secretproviderclasspodstatuses`, 'mounted volumes'),
    list(`/api/v1${below}/pods`, 'pods that wait for their volumes', {
      query: { fieldSelector: 'status.phase=Pending' },
      keep: (pod) => classVolumesOf(pod).length > 0,
    }),
    ...FAILURES.map((reason) =>
      list(`/api/v1${below}/events`, `events ${reason}`, { query: { fieldSelector: `reason=${reason}` } }),
    ),
  ]);
  const classes = items.filter((one) => isOurs(one, scope.providerNames));
  const metrics = await metricsOf(api, { statuses, scope, notes });
  return { classes: classStatuses({ classes, statuses, pending, events: events.flat(), metrics }, items), notes };
}

async function metricsOf(
  api: KubeApi,
  { statuses, scope, notes }: { statuses: readonly KubeObject[]; scope: StatusScope; notes: string[] },
): Promise<Metrics> {
  const nodes = new Set(statuses.map(nodeOf));
  if (nodes.size === 0) return new Map();
  const { pods, problem } = await findProviders(api, { namespace: scope.providerNamespace });
  const asked = pods.filter(({ node }) => nodes.has(node));
  const why =
    problem ?? (asked.length === 0 ? 'no pod of the provider is on their nodes; give --provider-namespace' : '');
  if (why !== '') {
    notes.push(`expiry and failing rotations are not known: ${why}`);
    return new Map();
  }
  const { metrics, missing, reason } = await readAllMetrics(api, asked.slice(0, MAX_PROVIDERS));
  const unread = missing + Math.max(0, asked.length - MAX_PROVIDERS);
  if (unread > 0) {
    const count = `the metrics of ${unread} of ${asked.length} providers were not read`;
    notes.push(`expiry and failing rotations are not all known: ${count}${reason === '' ? '' : `: ${reason}`}`);
  }
  return metrics;
}
