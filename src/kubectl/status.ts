/**
 * Collects the state of the SecretProviderClasses of a cluster: who mounts them, in which versions, what failed last, and
 * what expires. `kubectl akv status` prints it. Reads no Secret. Refuses nothing: what cannot be read becomes a note.
 */

import { ProviderError } from '../base/errors.ts';
import type { KubeApi, KubeListOptions } from './api.ts';
import { type ClassStatus, classStatuses, FAILURES, nodeOf } from './class-status.ts';
import { CLASS_TYPE, readClasses } from './classes.ts';
import { listNoted } from './lists.ts';
import type { Metrics } from './metrics.ts';
import { classVolumesOf, isOurs, type KubeObject } from './objects.ts';
import { findProviders, readAllMetrics } from './provider-pods.ts';
import { pathOfType } from './resource-types.ts';

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

/** Providers whose metrics are read. */
const MAX_PROVIDERS = 500;

/** Reads the state of the classes. Throws: the errors of `KubeApi` if the classes themselves cannot be listed. */
export async function readStatus(api: KubeApi, scope: StatusScope): Promise<StatusReport> {
  const notes: string[] = [];
  const below = scope.namespace === '' ? '' : `/namespaces/${scope.namespace}`;
  const list = async (path: string, what: string, wanted: Omit<KubeListOptions, 'max'> = {}) => {
    try {
      return await listNoted(api, path, { what, notes, ...wanted });
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      notes.push(`${what} are left out: ${error.message}`);
      return [];
    }
  };
  const all = await readClasses(api, scope.namespace, notes);
  const [statuses, pending, ...events] = await Promise.all([
    list(pathOfType({ ...CLASS_TYPE, plural: 'secretproviderclasspodstatuses' }, scope.namespace), 'mounted volumes'),
    list(`/api/v1${below}/pods`, 'pods that wait for their volumes', {
      query: { fieldSelector: 'status.phase=Pending' },
      keep: (pod) => classVolumesOf(pod).length > 0,
    }),
    ...FAILURES.map((reason) =>
      list(`/api/v1${below}/events`, `events ${reason}`, { query: { fieldSelector: `reason=${reason}` } }),
    ),
  ]);
  const classes = all.filter((one) => isOurs(one, scope.providerNames));
  const metrics = await metricsOf(api, { statuses, scope, notes });
  return { classes: classStatuses({ classes, statuses, pending, events: events.flat(), metrics }, all), notes };
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
