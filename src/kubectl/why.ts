/**
 * Collects why a pod does not start or does not get new values, and finds the one next step. `kubectl akv why` prints it.
 * Reads no value of a Secret. What the user may not read is reported as unknown.
 */

import { messageOf, ProviderError } from '../base/errors.ts';
import { nearest, quote } from '../base/words.ts';
import { MOUNT } from '../render/into/annotations.ts';
import { DRIVER } from '../render/volume.ts';
import type { CheckContext } from '../spc/check.ts';
import type { KubeApi } from './api.ts';
import { type Cause, causeOfEvent, causeOfLine } from './causes.ts';
import { CLASS_TYPE, checkClass, withField } from './classes.ts';
import { eventCountOf, eventTimeOf } from './events.ts';
import { type ClassVolume, classVolumesOf, isOurs, type KubeObject, textAt } from './objects.ts';
import { type FoundProviders, findProviders, type LogLine, type ProviderPod } from './provider-pods.ts';
import { type Finding, Report } from './report.ts';
import { pathOfObject } from './resource-types.ts';
import { lookAtNode, type NodeRequest } from './why-node.ts';

/** An event of the pod. */
export interface PodEvent {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** Milliseconds since 1970; undefined if it does not say. */
  readonly at: number | undefined;
}

/** The result for a pod. */
export interface Diagnosis {
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
  /** Such as `Pending`. */
  readonly phase: string;
  readonly events: readonly PodEvent[];
  readonly findings: readonly Finding[];
  /** The last lines of the provider about this pod, oldest first. */
  readonly log: readonly string[];
  /** Undefined if nothing is wrong. */
  readonly cause: Cause | undefined;
}

/** The pod, and how it is looked at. */
export interface WhyRequest extends NodeRequest {
  readonly check: CheckContext;
}

const MAX_EVENTS = 500;
const SHOWN_EVENTS = 5;
const SHOWN_LINES = 5;
const MAX_NAMES = 500;
const NO_PROVIDERS: FoundProviders = { pods: [], problem: undefined };
/** How an API server answers without the contents of an object. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** Looks at a pod. Throws: the errors of `KubeApi` if the pod itself cannot be read. */
export async function diagnose(api: KubeApi, request: WhyRequest): Promise<Diagnosis> {
  const { namespace, pod: name } = request;
  const pod = await readPod(api, request);
  const report = new Report();
  const node = textAt(pod, 'spec', 'nodeName');
  const volumes = classVolumesOf(pod);
  if (volumes.length === 0) reportNoVolume(pod, report);
  const events = await eventsOf(api, { namespace, name, uid: textAt(pod, 'metadata', 'uid') }, report);
  const providers =
    node === '' ? NO_PROVIDERS : await findProviders(api, { namespace: request.providerNamespace, node });
  const wanted = new Set<string>();
  const informed = knowing(request, providers.pods);
  for (const volume of volumes) {
    const name = await lookAtVolume(api, { request: informed, volume }, report);
    if (name !== undefined) wanted.add(name);
  }
  const log =
    wanted.size === 0 || node === '' ? [] : await lookAtNode(api, { request, node, providers, wanted }, report);
  return {
    namespace,
    pod: name,
    node,
    phase: textAt(pod, 'status', 'phase'),
    events: events.slice(-SHOWN_EVENTS),
    findings: report.findings,
    log: log.slice(-SHOWN_LINES).map(({ text }) => text),
    cause: decide({ pod, events, log, report }),
  };
}

/** Returns the request for which the names of the providers that run on the node are known too. */
function knowing(request: WhyRequest, providers: readonly ProviderPod[]): WhyRequest {
  const providerNames = [...request.check.providerNames, ...providers.map(({ serves }) => serves)];
  return { ...request, check: { ...request.check, providerNames: [...new Set(providerNames)] } };
}

async function readPod(api: KubeApi, { namespace, pod }: WhyRequest): Promise<KubeObject> {
  const pods = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  try {
    return await api.json({ path: `${pods}/${encodeURIComponent(pod)}` });
  } catch (error) {
    if (!(error instanceof ProviderError) || error.code !== 'ERR_NOT_FOUND') throw error;
    const { items } = await api.list(pods, { max: MAX_NAMES }).catch(() => ({ items: [] }));
    const near = nearest(
      pod,
      items.map((one) => textAt(one, 'metadata', 'name')),
    );
    const hint = near === undefined ? 'give its namespace with -n' : `did you mean ${quote(near)}?`;
    throw new ProviderError('ERR_NOT_FOUND', `there is no pod ${quote(pod)} in namespace ${quote(namespace)}; ${hint}`);
  }
}

function reportNoVolume(pod: KubeObject, report: Report): void {
  const wanted = textAt(pod, 'metadata', 'annotations', MOUNT);
  const asked = wanted === '' ? '' : `; its annotation ${MOUNT} asks for ${quote(wanted)}, and nothing added it`;
  report.cause('pod', 'NO_VOLUME', `it has no volume of ${DRIVER}${asked}`);
}

async function eventsOf(
  api: KubeApi,
  { namespace, name, uid }: { readonly namespace: string; readonly name: string; readonly uid: string },
  report: Report,
): Promise<readonly PodEvent[]> {
  const query = { fieldSelector: `involvedObject.name=${name},involvedObject.kind=Pod` };
  try {
    const { items } = await api.list(`/api/v1/namespaces/${namespace}/events`, { max: MAX_EVENTS, query });
    return items
      .filter((event) => uid === '' || ['', uid].includes(textAt(event, 'involvedObject', 'uid')))
      .map((event) => ({
        reason: textAt(event, 'reason'),
        message: textAt(event, 'message'),
        count: eventCountOf(event),
        at: eventTimeOf(event),
      }))
      .filter(({ reason }) => reason.startsWith('Failed') || reason === 'MountRotationFailed')
      .sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
  } catch (error) {
    report.add('unknown', 'events', messageOf(error));
    return [];
  }
}

/**
 * Looks at the class and the Secret of a volume. Returns the name of the provider that the class asks for, empty if it is
 * not known; undefined if the class is of another provider.
 */
async function lookAtVolume(
  api: KubeApi,
  { request, volume }: { readonly request: WhyRequest; readonly volume: ClassVolume },
  report: Report,
): Promise<string | undefined> {
  const { namespace, check } = request;
  const subject = `volume ${volume.volume}`;
  const { className, secretName } = volume;
  let provider = '';
  if (className === '') {
    report.cause(subject, 'NO_CLASS_NAMED', 'it names no SecretProviderClass');
    return provider;
  }
  try {
    const object = await api.json({ path: pathOfObject(CLASS_TYPE, namespace, className) });
    provider = textAt(object, 'spec', 'provider');
    if (!isOurs(object, check.providerNames)) {
      const other = quote(provider);
      report.add('unknown', subject, `SecretProviderClass ${className} is of the provider ${other}, not of this one`);
      return undefined;
    }
    await lookAtClass(object, { subject, check }, report);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const isMissing = error.code === 'ERR_NOT_FOUND';
    if (isMissing) report.cause(subject, 'CLASS_MISSING', `there is no SecretProviderClass ${namespace}/${className}`);
    else report.add('unknown', subject, error.message);
  }
  if (secretName !== '') await lookForSecret(api, { namespace, secretName, subject }, report);
  return provider;
}

async function lookAtClass(
  object: KubeObject,
  { subject, check }: { readonly subject: string; readonly check: CheckContext },
  report: Report,
): Promise<void> {
  const found = await checkClass(object, check);
  const name = textAt(object, 'metadata', 'name');
  for (const finding of found) {
    const message = `SecretProviderClass ${name}: ${withField(finding)}`;
    if (finding.severity === 'error') report.cause(subject, 'CLASS_WRONG', message);
    else if (finding.severity === 'warning') report.add('warning', subject, message);
  }
  if (!found.some(({ severity }) => severity === 'error'))
    report.add('ok', subject, `SecretProviderClass ${name} has no errors`);
}

async function lookForSecret(
  api: KubeApi,
  {
    namespace,
    secretName,
    subject,
  }: { readonly namespace: string; readonly secretName: string; readonly subject: string },
  report: Report,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${encodeURIComponent(secretName)}`;
  const named = `the Secret ${secretName} of nodePublishSecretRef`;
  try {
    await api.text({ path, accept: METADATA_ONLY });
    report.add('ok', subject, `${named} exists`);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    if (error.code === 'ERR_NOT_FOUND') report.cause(subject, 'SECRET_MISSING', `${named} does not exist`);
    else if (error.code === 'ERR_FORBIDDEN')
      report.add(
        'unknown',
        subject,
        `you may not look for ${named}; ask who may: kubectl get secret ${secretName} -n ${namespace}`,
      );
    else report.add('unknown', subject, error.message);
  }
}

interface Evidence {
  readonly pod: KubeObject;
  readonly events: readonly PodEvent[];
  readonly log: readonly LogLine[];
  readonly report: Report;
}

/**
 * Returns the cause to mend first: what the cluster shows to be missing; else what the provider wrote last about a volume
 * of the pod; else the last event. A pod that runs got its files, so its events are over.
 */
function decide({ pod, events, log, report }: Evidence): Cause | undefined {
  const [found] = report.causes;
  if (found !== undefined) return found;
  const lastOfEach = new Map(log.map(({ fields }) => [fields.secretProviderClass ?? '', fields]));
  const logged = [...lastOfEach.values()].map(causeOfLine).find((cause) => cause !== undefined);
  // What the kubelet sums up after two minutes names no cause.
  const event = events.findLast(({ message }) => !/^Unable to (attach or )?mount volumes/.test(message));
  if (logged !== undefined || event === undefined) return logged;
  return textAt(pod, 'status', 'phase') === 'Pending' ? causeOfEvent(event) : undefined;
}
