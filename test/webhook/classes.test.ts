import { afterEach, beforeEach, expect, test } from 'vitest';
import { CannotList, connectClasses } from '../../src/webhook/classes.ts';
import { type ClusterApi, classObject, startClusterApi } from '../support/cluster-api.ts';
import { TENANT } from '../support/spc.ts';

const KEY_VAULT = `vault: {name: my-key-vault, directoryId: ${TENANT}, credentials: {servicePrincipalLocalSecretName: sp}}
vaultCert: {name: server}
`;
let api: ClusterApi;
beforeEach(async () => {
  api = await startClusterApi();
});
afterEach(() => api.close());

const connect = () => connectClasses({ env: api.env, serviceAccountDir: api.serviceAccountDir });
const signal = new AbortController().signal;

/** Serves these lists, one after another, as pages. */
function serve(...pages: readonly (readonly object[])[]): void {
  api.answer = (request, response) => {
    const page = Number(new URL(request.url ?? '', 'https://x').searchParams.get('continue') ?? 0);
    const more = page + 1 < pages.length ? { continue: String(page + 1) } : {};
    const list = { kind: 'SecretProviderClassList', metadata: more, items: pages[page] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list));
  };
}

const classAt = (name: string, version: number, annotations = {}) =>
  classObject({ name, namespace: 'apps', annotations }, { keyVault: KEY_VAULT, version: String(version) });

test('lists the classes of a namespace page by page, with the service account, and nothing else', async () => {
  serve([classAt('a', 1, { 'akv-csi/from': 'BrokerListener/front/tls' })], [classAt('b', 1)]);
  expect(await connect().list('apps', signal)).toEqual([
    { name: 'a', namespace: 'apps', from: 'BrokerListener/front/tls', secretName: 'sp', lacksSecret: false },
    { name: 'b', namespace: 'apps', secretName: 'sp', lacksSecret: false },
  ]);
  const path = '/apis/secrets-store.csi.x-k8s.io/v1/namespaces/apps/secretproviderclasses?limit=50';
  expect(api.requests).toEqual([path, `${path}&continue=1`]);
});

test('asks once for the pods that come together, and again for the next', async () => {
  serve([classAt('a', 1)]);
  const classes = connect();
  await Promise.all(Array.from({ length: 20 }, () => classes.list('apps', new AbortController().signal)));
  expect(api.requests).toHaveLength(1);
  serve([classAt('a', 1), classAt('b', 1)]);
  expect(await classes.list('apps', signal)).toHaveLength(2);
});

test.each<[string, () => void, RegExp]>([
  ['forbids it', () => {}, /403: grant the service account of the provider "list" on secretproviderclasses/],
  [
    'knows no such resource',
    () => status(404),
    /the cluster has no SecretProviderClasses; install the Secrets Store CSI driver/,
  ],
  ['fails', () => status(500), /answered 500/],
  ['answers with something else', () => serve([[] as object]), /answered with no list of SecretProviderClasses/],
  ['answers with HTML', () => html(), /did not answer with a JSON object/],
  ['has no end of pages', () => serve(...Array.from({ length: 11 }, () => [])), /more than 500 SecretProviderClasses/],
])('says so where the API server %s', async (_name, prepare, message) => {
  prepare();
  await expect(connect().list('apps', signal)).rejects.toThrow(CannotList);
  await expect(connect().list('apps', signal)).rejects.toThrow(message);
});

function status(code: number): void {
  api.answer = (_, response) => void response.writeHead(code).end('{}');
}

function html(): void {
  api.answer = (_, response) => void response.writeHead(200).end('<html>');
}

test('makes no path of a namespace that is none, which a caller may send', async () => {
  for (const namespace of ['', '..', 'a/b', 'apps?x=', 'A'])
    await expect(connect().list(namespace, signal)).rejects.toThrow(/cannot be a namespace/);
  expect(api.requests).toEqual([]);
});

test('stops when the API server no longer waits', async () => {
  const controller = new AbortController();
  api.answer = () => controller.abort();
  await expect(connect().list('apps', controller.signal)).rejects.toThrow('This operation was aborted');
});
