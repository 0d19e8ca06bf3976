/**
 * Lists the SecretProviderClasses of a namespace from the API server. `mutate.ts` asks it for each pod that wants
 * volumes. No list is kept, so that a class is found as soon as it exists; what was read of a class is kept until it
 * changes. Refuses a namespace with too many classes.
 */

import { lookup } from 'node:dns';
import { ApiServer } from '../azure/cluster/api-server.ts';
import { createTransport } from '../azure/http/transport.ts';
import { Cache } from '../base/cache.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { isJsonObject, type JsonObject } from '../base/json.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { nextTurn } from '../base/turns.ts';
import { classOfManifest, type KnownClass } from '../render/into/classes.ts';
import { namespaceProblem } from '../spc/kubernetes-names.ts';
import { withLanguages } from '../spc/languages.ts';
import { CLASS_GROUP } from './validate.ts';

/** Lists the classes of a namespace. */
export interface ClusterClasses {
  /** Throws: {@link CannotList}; the reason of `signal`. */
  list(namespace: string, signal: AbortSignal): Promise<readonly KnownClass[]>;
}

/** Thrown if the classes cannot be listed. The message is the reason and the remedy. */
export class CannotList extends Error {}

/** Where the API server is, and with which service account it is asked. */
export interface ClassesOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory of `ca.crt` and `token`. */
  readonly serviceAccountDir: string;
}

/** Bound of one request to the API server, in milliseconds. */
const REQUEST_MS = 5_000;
const PAGE = 50;
const MAX_PAGES = 10;
/** Classes that are remembered; each takes less than a kilobyte. */
const MAX_KNOWN = 2_000;
const NO_LIST = 'the API server answered with no list of SecretProviderClasses; check proxies before it';
const RIGHT = `"list" on secretproviderclasses (${CLASS_GROUP}), as the chart does`;

/** Connects to the API server of the cluster. Sends nothing yet. */
export function connectClasses({ env, serviceAccountDir }: ClassesOptions): ClusterClasses {
  const server = new ApiServer({
    address: { host: env.KUBERNETES_SERVICE_HOST ?? '', port: env.KUBERNETES_SERVICE_PORT ?? '' },
    serviceAccountDir,
    lookup,
    transportBy: (agent) =>
      createTransport({
        agents: { for: () => ({ agent, proxy: '' }) },
        userAgent: 'akv-csi-webhook',
        timeoutMs: REQUEST_MS,
      }),
  });
  const lists = new SingleFlight<readonly KnownClass[]>();
  const known = new Cache<KnownClass>({ entries: MAX_KNOWN });
  return {
    // Pods of one workload come together: they share one list.
    list: (namespace, signal) =>
      lists.run(namespace, signal, async (shared) => {
        const objects = await listAll(server, namespace, shared);
        const classes: KnownClass[] = [];
        for (const object of objects) classes.push(await understood(object, known, shared));
        return classes;
      }),
  };
}

/** Returns what pods need of a class. Reading one takes time, so that each is read in a turn of its own, and once. */
async function understood(object: ListedClass, known: Cache<KnownClass>, signal: AbortSignal): Promise<KnownClass> {
  const { uid, resourceVersion, namespace, name } = object.metadata;
  const key = JSON.stringify([namespace, name, uid, resourceVersion]);
  const before = known.get(key);
  if (before !== undefined) return before;
  await nextTurn(signal);
  const found = await withLanguages(() => classOfManifest(object));
  if (found === undefined) throw new CannotList(NO_LIST);
  if (typeof uid === 'string' && typeof resourceVersion === 'string')
    known.set(key, found, { owner: String(namespace) });
  return found;
}

async function listAll(server: ApiServer, namespace: string, signal: AbortSignal): Promise<readonly ListedClass[]> {
  // It becomes part of a path, and whoever reaches the webhook may name one.
  const problem = namespaceProblem(namespace);
  if (problem !== undefined) throw new CannotList(`the namespace ${problem}`);
  const base = `/apis/${CLASS_GROUP}/v1/namespaces/${namespace}/secretproviderclasses?limit=${PAGE}`;
  const found: ListedClass[] = [];
  let after = '';
  for (let page = 0; page < MAX_PAGES; page++) {
    const path = after === '' ? base : `${base}&continue=${encodeURIComponent(after)}`;
    const list = await getPage(server, path, signal);
    found.push(...list.items);
    after = list.after;
    if (after === '') return found;
  }
  throw new CannotList(
    `namespace ${namespace} has more than ${PAGE * MAX_PAGES} SecretProviderClasses; use more namespaces`,
  );
}

interface ListedClass {
  readonly kind: 'SecretProviderClass';
  readonly metadata: JsonObject;
}

interface Page {
  readonly items: readonly ListedClass[];
  /** Where the next page begins; empty for the last one. */
  readonly after: string;
}

async function getPage(server: ApiServer, path: string, signal: AbortSignal): Promise<Page> {
  try {
    const list = await server.get({ path, right: RIGHT }, signal);
    if (!isJsonObject(list) || !Array.isArray(list.items)) throw new CannotList(NO_LIST);
    const after = isJsonObject(list.metadata) ? list.metadata.continue : '';
    return { items: list.items.map(listedClass), after: typeof after === 'string' ? after : '' };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    if (error.details.httpStatus === 404)
      throw new CannotList('the cluster has no SecretProviderClasses; install the Secrets Store CSI driver');
    throw new CannotList(messageOf(error));
  }
}

/** The items of a list do not name their kind. */
function listedClass(item: unknown): ListedClass {
  if (!isJsonObject(item) || !isJsonObject(item.metadata)) throw new CannotList(NO_LIST);
  return { ...item, kind: 'SecretProviderClass', metadata: item.metadata };
}
