// A stub of the Kubernetes API server, as much of it as the driver uses: discovery, lists, watches, writes, service account
// tokens. node.ts starts it. Refuses resources, selectors and methods that it does not know.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiError, type Change, type KubeObject, ObjectStore } from './objects.ts';
import { apiVersionOf, discoveryAt, type Target, targetOf } from './resources.ts';
import { decodeSecret } from './secret-protobuf.ts';

/** The parameters of a token request. */
export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audience: string;
}

/** A running stub. */
export interface ApiServer {
  readonly objects: ObjectStore;
  /** Text of a kubeconfig for this stub. */
  readonly kubeconfig: string;
  /**
   * Requests that it refused because it does not implement them, `<method> <path>: <reason>`. Conflicts are not
   * included.
   */
  readonly unknown: readonly string[];
  close(): Promise<void>;
}

const TOKEN_SECONDS = 3600;

interface Parts {
  readonly objects: ObjectStore;
  readonly issueToken: (request: TokenRequest) => string;
}

/** Starts the stub on a free port of this machine, without TLS. */
export async function startApiServer(issueToken: Parts['issueToken']): Promise<ApiServer> {
  const objects = new ObjectStore();
  const unknown: string[] = [];
  const server = createServer((request, response) => {
    answer({ objects, issueToken }, request, response).catch((error: unknown) => {
      const known = error instanceof ApiError;
      const { status, reason } = known ? error : { status: 500, reason: 'InternalError' };
      if (!known || status === 400 || status === 405) unknown.push(`${request.method} ${request.url}: ${error}`);
      send(response, status, { kind: 'Status', status: 'Failure', code: status, reason, message: String(error) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    objects,
    unknown,
    kubeconfig: kubeconfigFor((server.address() as AddressInfo).port),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function kubeconfigFor(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'stub', cluster: { server: `http://127.0.0.1:${port}` } }],
    contexts: [{ name: 'stub', context: { cluster: 'stub', user: 'stub' } }],
    users: [{ name: 'stub', user: {} }],
    'current-context': 'stub',
  });
}

async function answer(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://stub');
  const discovery = discoveryAt(pathname);
  const target = targetOf(pathname);
  if (discovery !== undefined) return send(response, 200, discovery);
  if (target === undefined) throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  if (request.method === 'GET' && query.get('watch') !== null) return watch(parts.objects, { target, query }, response);
  const body = request.method === 'GET' ? undefined : await readBody(request);
  const status = request.method === 'POST' ? 201 : 200;
  send(response, status, perform(parts, { method: request.method ?? '', target, query, body }));
}

interface Call {
  readonly method: string;
  readonly target: Target;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

function perform({ objects, issueToken }: Parts, { method, target, query, body }: Call): object {
  const { plural, resource, namespace, name, subresource } = target;
  const typed = (object: unknown) => inNamespace(object as KubeObject, target);
  if (subresource === 'token' && name !== undefined && method === 'POST') {
    return tokenAnswer(body, (audience) => issueToken({ namespace, serviceAccount: name, audience }));
  }
  if (subresource !== undefined) throw new ApiError(400, 'BadRequest', `no subresource ${subresource} here`);
  if (name === undefined) {
    if (method === 'POST') return objects.create(plural, typed(body));
    if (method !== 'GET') throw new ApiError(405, 'MethodNotAllowed', `no ${method} of a list`);
    const isWanted = selectorOf(target, query);
    const metadata = { resourceVersion: String(objects.version) };
    const items = objects.list(plural).filter(isWanted);
    return { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items };
  }
  switch (method) {
    case 'GET':
      return objects.get(plural, namespace, name);
    case 'PUT':
      return objects.replace(plural, typed(body));
    case 'PATCH':
      return objects.patch(plural, [namespace, name], body);
    case 'DELETE':
      objects.delete(plural, namespace, name);
      return { kind: 'Status', apiVersion: 'v1', status: 'Success' };
    default:
      throw new ApiError(405, 'MethodNotAllowed', `no ${method} here`);
  }
}

function inNamespace(object: KubeObject, { resource, namespace }: Target): KubeObject {
  const metadata = { ...object.metadata, ...(resource.namespaced && { namespace }) };
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
}

function tokenAnswer(body: unknown, issue: (audience: string) => string): object {
  const { spec } = body as { readonly spec: { readonly audiences?: readonly string[] } };
  const status = {
    token: issue(spec.audiences?.[0] ?? ''),
    expirationTimestamp: new Date(Date.now() + TOKEN_SECONDS * 1000).toISOString().replace(/\.\d+/, ''),
  };
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: 'token' },
    spec: { ...spec, expirationSeconds: TOKEN_SECONDS },
    status,
  };
}

/** Streams changes, one JSON object per line, until the client disconnects. */
function watch(
  objects: ObjectStore,
  { target, query }: Pick<Call, 'target' | 'query'>,
  response: ServerResponse,
): void {
  const isWanted = selectorOf(target, query);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const end = objects.watch(target.plural, Number(query.get('resourceVersion') ?? 0), (change) => {
    const event = eventOf(change, isWanted);
    if (event !== undefined) response.write(`${JSON.stringify(event)}\n`);
  });
  response.once('close', end);
}

/**
 * Returns the event of a change for a watcher. An object that begins to match the selector is added, and one that no
 * longer matches is deleted.
 */
function eventOf({ before, after }: Change, isWanted: (object: KubeObject) => boolean): object | undefined {
  const had = before !== undefined && isWanted(before);
  if (after !== undefined && isWanted(after)) return { type: had ? 'MODIFIED' : 'ADDED', object: after };
  return had ? { type: 'DELETED', object: after ?? before } : undefined;
}

/** Returns the filter of a query: a namespace, and labels and fields that must be equal. */
function selectorOf({ namespace }: Target, query: URLSearchParams): (object: KubeObject) => boolean {
  const labels = pairsOf(query.get('labelSelector'));
  const fields = pairsOf(query.get('fieldSelector'));
  return (object) =>
    (namespace === '' || object.metadata.namespace === namespace) &&
    labels.every(([name, value]) => object.metadata.labels?.[name] === value) &&
    fields.every(([path, value]) => fieldOf(object, path) === value);
}

function pairsOf(selector: string | null): readonly (readonly [string, string])[] {
  return (selector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const [, name = '', value = ''] = /^([\w./-]+)==?([\w./-]*)$/.exec(term) ?? [];
      if (name === '') throw new ApiError(400, 'BadRequest', `selector "${term}" is not understood`);
      return [name, value] as const;
    });
}

function fieldOf(object: unknown, path: string): unknown {
  return path.split('.').reduce((holder, step) => (holder as Record<string, unknown> | undefined)?.[step], object);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('application/vnd.kubernetes.protobuf')) return decodeSecret(body);
  return body.length === 0 ? undefined : JSON.parse(body.toString());
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
