// The part of an API server that the provider asks: GET of a SecretProviderClass or a ServiceAccount over HTTPS, with a
// service account's token and its right to get them. Tests of overrides and of identities start one. Refuses every other request, as an API server does.
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issue, keyPem } from './pki.ts';

type Parameters = Readonly<Record<string, unknown>>;

/** A running API server, and what the kubelet gives to a pod that talks to it. */
export interface ClusterApi {
  /** Environment of the provider's pod. */
  readonly env: { readonly KUBERNETES_SERVICE_HOST: string; readonly KUBERNETES_SERVICE_PORT: string };
  /** Directory of `ca.crt` and `token`, behind links as the kubelet makes them. */
  readonly serviceAccountDir: string;
  /** Host and port. */
  readonly host: string;
  /** `spec.parameters` by namespace and name. */
  readonly classes: Map<string, Parameters>;
  /** Annotations of ServiceAccounts by namespace and name. */
  readonly accounts: Map<string, Readonly<Record<string, unknown>>>;
  /** Paths of the requests that were answered, in their order, those refused too. */
  readonly requests: string[];
  /** False: the service account may not get anything. */
  allowed: boolean;
  /** Answers in place of the server; undefined: the server itself. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Changes the accepted token. The new token is written as the kubelet does unless `write` is false. */
  renewToken(options?: { readonly write?: boolean }): void;
  /** Replaces the text of `ca.crt` or `token`, which the kubelet writes. */
  write(file: 'ca.crt' | 'token', text: string): void;
  close(): Promise<void>;
}

/** Starts an API server on a free port of this machine. `find` replaces the lookup in `classes`. */
export async function startClusterApi(find?: (key: string) => Parameters | undefined): Promise<ClusterApi> {
  const authority = await issue({ name: 'cluster', ca: true });
  const own = await issue({ name: 'api', dnsNames: ['localhost'], addresses: ['127.0.0.1'], issuer: authority });
  const serviceAccountDir = mkdtempSync(join(tmpdir(), 'akv-cluster-'));
  const files: Record<string, string> = { 'ca.crt': authority.certificate.toString() };
  let [renewals, writes] = [0, 0];
  const tokenNow = () => `eyJhbGciOiJub25lIn0.eyJyZW5ld2FsIjoi${renewals}`;
  const server = createServer({ cert: own.certificate.toString(), key: keyPem(own.key) }, (request, response) => {
    api.requests.push(request.url ?? '');
    if (api.answer !== undefined) return api.answer(request, response);
    const [status, body] = answerTo(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  // A client that gives up closes its connection at any time.
  server.on('tlsClientError', () => {});
  const answerTo = ({ method, url = '', headers }: IncomingMessage): readonly [number, object] => {
    if (headers.authorization !== `Bearer ${tokenNow()}`) return failure(401, 'Unauthorized');
    const account = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)$/.exec(url);
    if (account !== null && api.allowed) {
      const [, namespace, name] = account;
      const annotations = api.accounts.get(`${namespace}/${name}`);
      if (annotations === undefined) return failure(404, 'NotFound');
      return [200, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name, uid: '1', annotations } }];
    }
    const pattern = /^\/apis\/secrets-store\.csi\.x-k8s\.io\/v1\/namespaces\/([^/]+)\/secretproviderclasses\/([^/]+)$/;
    const [, namespace, name] = pattern.exec(url) ?? [];
    if (!api.allowed || method !== 'GET' || name === undefined) return failure(403, 'Forbidden');
    const key = `${namespace}/${name}`;
    const parameters = find === undefined ? api.classes.get(key) : find(key);
    if (parameters === undefined) return failure(404, 'NotFound');
    return [200, classObject({ namespace, name }, parameters)];
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api: ClusterApi = {
    env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) },
    serviceAccountDir,
    host: `127.0.0.1:${port}`,
    classes: new Map(),
    accounts: new Map(),
    requests: [],
    allowed: true,
    answer: undefined,
    renewToken({ write = true } = {}) {
      renewals++;
      if (write) api.write('token', tokenNow());
    },
    write(file, text) {
      files[file] = text;
      // The kubelet writes a new directory and then changes one link.
      const fresh = mkdtempSync(join(serviceAccountDir, '..'.concat(String(++writes))));
      for (const [name, content] of Object.entries(files)) writeFileSync(join(fresh, name), content);
      symlinkSync(fresh, join(serviceAccountDir, '..data_tmp'));
      renameSync(join(serviceAccountDir, '..data_tmp'), join(serviceAccountDir, '..data'));
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(serviceAccountDir, { recursive: true, force: true });
    },
  };
  api.write('token', tokenNow());
  for (const file of ['ca.crt', 'token']) symlinkSync(join('..data', file), join(serviceAccountDir, file));
  return api;
}

/** A class as the API server answers with it. */
export function classObject(metadata: object, parameters: unknown): object {
  return {
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: {
      ...metadata,
      uid: '1',
      resourceVersion: '7',
      managedFields: [{ manager: 'kubectl', operation: 'Apply' }],
    },
    spec: { provider: 'azure', parameters },
  };
}

function failure(code: number, reason: string): readonly [number, object] {
  return [code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code }];
}
