/**
 * Looks at the node of a pod: the driver, the provider's pod and its log. `why.ts` calls it.
 */

import { messageOf, ProviderError } from '../base/errors.ts';
import { quote } from '../base/words.ts';
import { DRIVER } from '../render/volume.ts';
import type { KubeApi } from './api.ts';
import { at, type KubeObject, objectsAt, textAt } from './objects.ts';
import { type FoundProviders, type LogLine, type ProviderPod, readLog } from './provider-pods.ts';
import type { Report } from './report.ts';

/** Lines about the pod that are looked at. */
const MAX_LINES = 500;
/** Providers under other names that are reported. */
const MAX_OTHERS = 3;

/** The pod, and where the provider is. */
export interface NodeRequest {
  readonly namespace: string;
  readonly pod: string;
  /** Undefined: all namespaces. */
  readonly providerNamespace: string | undefined;
}

/** The node of the pod, and what is expected there. */
export interface ExpectedNode {
  readonly request: NodeRequest;
  readonly node: string;
  /** The pods of providers on the node. */
  readonly providers: FoundProviders;
  /** The providers that the classes of the pod ask for. An empty name is that of a class that is not known. */
  readonly wanted: ReadonlySet<string>;
}

/** Looks at the driver and the providers on the node of the pod. Returns the providers' last lines about the pod. */
export async function lookAtNode(api: KubeApi, expected: ExpectedNode, report: Report): Promise<readonly LogLine[]> {
  await lookAtDriver(api, expected.node, report);
  const { problem } = expected.providers;
  if (problem !== undefined) {
    report.add('unknown', 'provider', problem);
    return [];
  }
  const lines: LogLine[] = [];
  const named = [...expected.wanted].filter((name) => name !== '');
  for (const name of named.length === 0 ? [''] : named)
    lines.push(...(await lookAtProvider(api, { ...expected, name }, report)));
  return lines;
}

async function lookAtProvider(
  api: KubeApi,
  { request, node, providers: { pods }, name: wanted }: ExpectedNode & { readonly name: string },
  report: Report,
): Promise<readonly LogLine[]> {
  const serving = pods.filter(({ serves }) => ['', serves].includes(wanted));
  const provider = serving.find(({ ready }) => ready) ?? serving[0];
  if (provider === undefined) {
    const place = request.providerNamespace === undefined ? '' : ` in namespace ${request.providerNamespace}`;
    const others = pods.slice(0, MAX_OTHERS).map((pod) => `; ${pod.namespace}/${pod.name} serves ${quote(pod.serves)}`);
    const what = wanted === '' ? 'the provider' : `the provider ${quote(wanted)}`;
    report.cause('provider', 'PROVIDER_NOT_ON_NODE', `no pod of ${what} is on node ${node}${place}${others.join('')}`);
    return [];
  }
  const name = `pod ${provider.namespace}/${provider.name}`;
  if (provider.ready) report.add('ok', 'provider', `${name} on node ${node} is ready`);
  else {
    const waiting = provider.waiting === '' ? '' : `: ${provider.waiting}`;
    report.cause('provider', 'PROVIDER_NOT_READY', `${name} on node ${node} is not ready${waiting}`);
  }
  return logOf(api, { provider, request }, report);
}

async function logOf(
  api: KubeApi,
  { provider, request: { namespace, pod } }: { readonly provider: ProviderPod; readonly request: NodeRequest },
  report: Report,
): Promise<readonly LogLine[]> {
  try {
    return await readLog(api, provider, { pod: { namespace, name: pod }, max: MAX_LINES });
  } catch (error) {
    report.add('unknown', 'provider', `its log cannot be read: ${messageOf(error)}`);
    return [];
  }
}

async function lookAtDriver(api: KubeApi, node: string, report: Report): Promise<void> {
  const storage = '/apis/storage.k8s.io/v1';
  const answer = async (path: string): Promise<KubeObject | undefined> => {
    try {
      return await api.json({ path });
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (error.code !== 'ERR_NOT_FOUND') report.add('unknown', 'driver', error.message);
      return error.code === 'ERR_NOT_FOUND' ? {} : undefined;
    }
  };
  const driver = await answer(`${storage}/csidrivers/${DRIVER}`);
  if (driver !== undefined && at(driver, 'metadata') === undefined)
    return report.cause('driver', 'DRIVER_NOT_INSTALLED', `the cluster has no CSIDriver ${DRIVER}`);
  const registered = await answer(`${storage}/csinodes/${encodeURIComponent(node)}`);
  if (registered === undefined) return;
  if (!objectsAt(registered, 'spec', 'drivers').some((one) => textAt(one, 'name') === DRIVER))
    return report.cause('driver', 'DRIVER_NOT_ON_NODE', `${DRIVER} is not registered on node ${node}`);
  report.add('ok', 'driver', `${DRIVER} is registered on node ${node}`);
}
