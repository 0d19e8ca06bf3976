// AdmissionReviews as an API server v1.34 sends them, and their way over HTTPS. Tests of the webhook use them.
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';

/** Plain data of an object. */
export type Tree = { readonly [name: string]: unknown };

/** The response of an AdmissionReview. */
export interface ReviewResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: {
    readonly code: number;
    readonly reason: string;
    readonly message: string;
  };
  readonly warnings?: readonly string[];
  readonly patchType?: string;
  readonly patch?: string;
}

let uids = 0;

/** Returns an AdmissionReview with the fields that an API server fills. `changes` replaces fields of the request. */
export function admissionReview(object: Tree | null, changes: Tree = {}): Tree {
  const { apiVersion = 'v1', kind = 'Pod', metadata = {} } = (object ?? {}) as Record<string, unknown>;
  const [group, version] = String(apiVersion).includes('/') ? String(apiVersion).split('/') : ['', apiVersion];
  const resource = { group, version, resource: `${String(kind).toLowerCase()}s` };
  const { name = '', namespace = 'default' } = metadata as Tree;
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: `0000-${++uids}`,
      kind: { group, version, kind },
      resource,
      requestKind: { group, version, kind },
      requestResource: resource,
      name,
      namespace,
      operation: 'CREATE',
      userInfo: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...changes,
    },
  };
}

/** An answer over HTTPS. */
export interface HttpsAnswer {
  readonly status: number;
  readonly body: string;
}

/** Sends a request. Throws: the error of the connection. */
export function send(options: RequestOptions & { readonly url: string }, body?: string | Buffer): Promise<HttpsAnswer> {
  const { url, ...others } = options;
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...others }, (response) => {
      text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends a review as an API server does, and returns the response to it. */
export async function review(to: RequestOptions & { readonly url: string }, sent: Tree): Promise<ReviewResponse> {
  const { status, body } = await send(
    { ...to, url: `${to.url}?timeout=5s`, method: 'POST', headers: { 'content-type': 'application/json' } },
    JSON.stringify(sent),
  );
  if (status !== 200) throw new Error(`${status}: ${body}`);
  const answer = JSON.parse(body) as { readonly apiVersion: string; readonly kind: string; response: ReviewResponse };
  if (answer.apiVersion !== 'admission.k8s.io/v1' || answer.kind !== 'AdmissionReview') throw new Error(body);
  return answer.response;
}

/** Returns the object with a JSON patch (RFC 6902) of `add` and `replace` made, as an API server makes it. */
export function patched(object: Tree, patch: string | undefined): Tree {
  const copy = structuredClone(object) as Record<string, unknown>;
  if (patch === undefined) return copy;
  const operations = JSON.parse(Buffer.from(patch, 'base64').toString()) as readonly {
    readonly op: string;
    readonly path: string;
    readonly value: unknown;
  }[];
  for (const { op, path, value } of operations) {
    const names = path.split('/').slice(1);
    const last = (names.pop() ?? '').replaceAll('~1', '/').replaceAll('~0', '~');
    const holder = names.reduce<unknown>(
      (at, name) => member(at, name.replaceAll('~1', '/').replaceAll('~0', '~')),
      copy,
    );
    if (Array.isArray(holder)) {
      const index = last === '-' ? holder.length : Number(last);
      if (!(index <= holder.length) || (op === 'replace' && index === holder.length))
        throw new Error(`no place ${path}`);
      holder.splice(index, op === 'replace' ? 1 : 0, value);
    } else if (typeof holder === 'object' && holder !== null) {
      if (op === 'replace' && !Object.hasOwn(holder, last)) throw new Error(`nothing at ${path}`);
      Object.assign(holder, { [last]: value });
    } else throw new Error(`nothing at ${path}`);
  }
  return copy;
}

function member(at: unknown, name: string): unknown {
  return typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined;
}
