// An API server for tests of the kubectl plugin, over HTTPS and with a bearer token: lists in pages with selectors,
// objects, metadata only, discovery, logs, the proxy of pods, server-side apply. Refuses what it does not know.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { issue, keyPem } from './pki.ts';

/** An object of Kubernetes. */
export interface StubObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** A request that the server got. */
export interface StubRequest {
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A running API server. */
export interface KubeStub {
  /** Path of a kubeconfig for it, whose context `stub` has the namespace `shop`. */
  readonly kubeconfig: string;
  readonly objects: StubObject[];
  /** The log of pods, by name; default: empty. */
  readonly logs: Map<string, string>;
  /** The metrics of pods, by name. */
  readonly metrics: Map<string, string>;
  readonly requests: StubRequest[];
  /** Number of connections since the start. */
  connections: number;
  /** Requests whose `METHOD path` matches are refused with 403. */
  forbidden: RegExp | undefined;
  /** Answers in place of the server; returns false to leave the answer to it. */
  answer: ((request: StubRequest, response: ServerResponse) => boolean) | undefined;
  /** False: it describes its types as servers before 1.27 do. */
  aggregated: boolean;
  close(): Promise<void>;
}

const STORE = 'secrets-store.csi.x-k8s.io/v1';
const BROKER = 'mq.iotoperations.azure.com/v1beta1';
/** The types by plural: group and version, kind, short name. */
const TYPES: Readonly<Record<string, readonly [string, string, string?]>> = {
  pods: ['v1', 'Pod', 'po'],
  events: ['v1', 'Event', 'ev'],
  secrets: ['v1', 'Secret'],
  secretproviderclasses: [STORE, 'SecretProviderClass', 'spc'],
  secretproviderclasspodstatuses: [STORE, 'SecretProviderClassPodStatus'],
  csidrivers: ['storage.k8s.io/v1', 'CSIDriver'],
  csinodes: ['storage.k8s.io/v1', 'CSINode'],
  deployments: ['apps/v1', 'Deployment', 'deploy'],
  statefulsets: ['apps/v1', 'StatefulSet', 'sts'],
  rollouts: ['argoproj.io/v1alpha1', 'Rollout'],
  brokerlisteners: [BROKER, 'BrokerListener'],
  brokerauthentications: [BROKER, 'BrokerAuthentication'],
};
const GROUP_VERSIONS = [...new Set(Object.values(TYPES).map(([one]) => one))].filter((one) => one !== 'v1');
const CLUSTER_SCOPED = ['csidrivers', 'csinodes'];
const TOKEN = 'stub-token';

/** Starts the server on a free port of this machine. */
export async function startKubeStub(): Promise<KubeStub> {
  const authority = await issue({ name: 'cluster', ca: true });
  const own = await issue({ name: 'api', addresses: ['127.0.0.1'], issuer: authority });
  const directory = mkdtempSync(join(tmpdir(), 'akv-kube-'));
  const server = createServer({ cert: own.certificate.toString(), key: keyPem(own.key) }, (message, response) => {
    void handle(stub, message, response);
  });
  server.on('secureConnection', () => stub.connections++);
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ca = Buffer.from(authority.certificate.toString()).toString('base64');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = join(directory, 'config');
  writeFileSync(kubeconfig, kubeconfigText(url, ca));
  const stub: KubeStub = {
    kubeconfig,
    objects: [],
    logs: new Map(),
    metrics: new Map(),
    requests: [],
    connections: 0,
    forbidden: undefined,
    answer: undefined,
    aggregated: true,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return stub;
}

/** Text of a kubeconfig with one context. */
export function kubeconfigText(server: string, ca: string, user: object = { token: TOKEN }): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'stub', cluster: { server, 'certificate-authority-data': ca } }],
    contexts: [{ name: 'stub', context: { cluster: 'stub', user: 'stub', namespace: 'shop' } }],
    users: [{ name: 'stub', user }],
    'current-context': 'stub',
  });
}

async function handle(stub: KubeStub, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', headers } = message;
  const request = { method, url, headers, body: await text(message) };
  stub.requests.push(request);
  if (stub.answer?.(request, response)) return;
  const send = (status: number, body: string | object) => {
    const isText = typeof body === 'string';
    response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json' });
    response.end(isText ? body : JSON.stringify(body));
  };
  if (headers.authorization !== `Bearer ${TOKEN}`) return send(401, failure(401, 'Unauthorized', 'Unauthorized'));
  const { pathname, searchParams } = new URL(url, 'https://stub');
  if (stub.forbidden?.test(`${method} ${pathname}`)) {
    const why = `User "stub" cannot ${method === 'GET' ? 'get or list' : 'patch'} ${pathname}`;
    return send(403, failure(403, 'Forbidden', `forbidden: ${why}`));
  }
  const [status, body] = answerTo(stub, { ...request, pathname, query: searchParams });
  send(status, body);
}

interface Asked extends StubRequest {
  readonly pathname: string;
  readonly query: URLSearchParams;
}

function answerTo(stub: KubeStub, asked: Asked): readonly [number, string | object] {
  const { pathname, headers } = asked;
  const aggregated = stub.aggregated && (headers.accept ?? '').includes('APIGroupDiscoveryList');
  if (pathname === '/apis') return [200, aggregated ? allTypes() : groups()];
  if (/^\/apis\/[^/]+\/[^/]+$/.test(pathname)) return [200, typesOf(pathname.slice('/apis/'.length))];
  const pattern =
    /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/(log|proxy\/metrics))?$/;
  const [, namespace, plural = '', name, part] = pattern.exec(decodeURIComponent(pathname)) ?? [];
  const kind = TYPES[plural]?.[1];
  if (kind === undefined) return [404, failure(404, 'NotFound', 'the server could not find the requested resource')];
  if (part !== undefined) return partOf(stub, part, name ?? '');
  const all = stub.objects.filter(
    (one) => one.kind === kind && (namespace ?? one.metadata.namespace) === one.metadata.namespace,
  );
  if (name === undefined) return [200, page(all, kind, asked.query)];
  if (asked.method === 'PATCH') return applied(stub, { kind, namespace, name }, asked);
  const found = all.find((one) => one.metadata.name === name);
  if (found === undefined) return [404, failure(404, 'NotFound', `${plural} "${name}" not found`)];
  return [
    200,
    (headers.accept ?? '').includes('PartialObjectMetadata')
      ? { kind: 'PartialObjectMetadata', metadata: found.metadata }
      : found,
  ];
}

function partOf(stub: KubeStub, part: string, name: string): readonly [number, string | object] {
  const found = part === 'log' ? (stub.logs.get(name) ?? '') : stub.metrics.get(name.split(':')[0] ?? '');
  return found === undefined ? [404, failure(404, 'NotFound', `no ${part} of "${name}"`)] : [200, found];
}

function page(all: readonly StubObject[], kind: string, query: URLSearchParams): object {
  const items = all.filter(selectorOf(query));
  const start = Number(query.get('continue') ?? 0);
  const end = start + Number(query.get('limit') ?? items.length);
  const rest = end < items.length ? { continue: String(end) } : {};
  // As a real server, without the kind of the items.
  return { kind: `${kind}List`, metadata: rest, items: items.slice(start, end).map(({ kind: _, ...item }) => item) };
}

function selectorOf(query: URLSearchParams): (object: StubObject) => boolean {
  const terms = (name: string) =>
    (query.get(name) ?? '')
      .split(',')
      .filter((term) => term !== '')
      .map((term) => {
        const [name = '', value = ''] = term.split(/!?=/);
        return { name, value, wanted: !term.includes('!=') };
      });
  const at = (object: unknown, path: string) =>
    path.split('.').reduce((holder, step) => (holder as Record<string, unknown> | undefined)?.[step], object);
  return (object) =>
    terms('labelSelector').every(({ name, value, wanted }) => (object.metadata.labels?.[name] === value) === wanted) &&
    terms('fieldSelector').every(({ name, value, wanted }) => (at(object, name) === value) === wanted);
}

/** Replaces the object, or adds it, as a server-side apply does with one manager. A dry run changes nothing. */
function applied(
  stub: KubeStub,
  { kind, namespace, name }: { kind: string; namespace: string | undefined; name: string },
  { body, query }: Asked,
): readonly [number, object] {
  const given: unknown = JSON.parse(body);
  const object = { ...(Array.isArray(given) ? {} : (given as StubObject)), kind } as StubObject;
  const index = stub.objects.findIndex(
    (one) => one.kind === kind && one.metadata.name === name && one.metadata.namespace === namespace,
  );
  const old = stub.objects[index];
  const merged = old === undefined ? object : (merge(old, object) as StubObject);
  if (query.get('dryRun') !== 'All') stub.objects.splice(index === -1 ? stub.objects.length : index, 1, merged);
  return [old === undefined ? 201 : 200, merged];
}

/** Merges maps, and lists of objects with names by their names, as Kubernetes does for containers and volumes. */
function merge(old: unknown, applied: unknown): unknown {
  if (Array.isArray(old) && Array.isArray(applied)) {
    const keyOf = (one: unknown) =>
      (one as { mountPath?: string; name?: string }).mountPath ?? (one as { name?: string }).name;
    const rest = applied.filter((one) => !old.some((other) => keyOf(other) === keyOf(one)));
    return [...old.map((one) => merge(one, applied.find((other) => keyOf(other) === keyOf(one)) ?? one)), ...rest];
  }
  if (typeof old !== 'object' || old === null || typeof applied !== 'object' || applied === null) return applied;
  const both = { ...old } as Record<string, unknown>;
  for (const [name, value] of Object.entries(applied)) both[name] = name in both ? merge(both[name], value) : value;
  return both;
}

function allTypes(): object {
  return {
    kind: 'APIGroupDiscoveryList',
    items: GROUP_VERSIONS.map((groupVersion) => ({
      metadata: { name: groupVersion.split('/')[0] },
      versions: [{ version: groupVersion.split('/')[1], resources: resourcesOf(groupVersion).map(discovered) }],
    })),
  };
}

function resourcesOf(groupVersion: string) {
  return Object.entries(TYPES)
    .filter(([, [known]]) => known === groupVersion)
    .map(([plural, [, kind, short]]) => ({ plural, kind, short, namespaced: !CLUSTER_SCOPED.includes(plural) }));
}

function discovered({ plural, kind, short, namespaced }: ReturnType<typeof resourcesOf>[number]): object {
  return {
    resource: plural,
    responseKind: { kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.toLowerCase(),
    ...(short === undefined ? {} : { shortNames: [short] }),
  };
}

function groups(): object {
  return {
    kind: 'APIGroupList',
    groups: GROUP_VERSIONS.map((groupVersion) => ({
      name: groupVersion.split('/')[0],
      preferredVersion: { groupVersion },
    })),
  };
}

function typesOf(groupVersion: string): object {
  const resources = resourcesOf(groupVersion).map(({ plural, kind, short, namespaced }) => ({
    name: plural,
    kind,
    singularName: kind.toLowerCase(),
    namespaced,
    ...(short === undefined ? {} : { shortNames: [short] }),
  }));
  return { kind: 'APIResourceList', resources: [...resources, { name: 'deployments/status', kind: 'Deployment' }] };
}

function failure(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message };
}
