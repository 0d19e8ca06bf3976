/**
 * Reads AdmissionReviews of the API server and writes the answers. Called by `server.ts`. Refuses a text that is no
 * AdmissionReview of admission.k8s.io/v1 with the field and the rule, and one that is too large, too deep or has too
 * many entries.
 */

import { isJsonObject, type JsonLimits, type JsonObject, parseJson } from '../base/json.ts';
import { quote } from '../base/words.ts';
import { textAt } from '../render/into/data.ts';

/** One operation that the API server asks about. */
export interface Review {
  readonly uid: string;
  /** Such as `CREATE`. */
  readonly operation: string;
  /** The group of the object's kind; empty for the core group. */
  readonly group: string;
  readonly kind: string;
  /** Such as `status`; empty for the object itself. */
  readonly subResource: string;
  /** Empty for objects without a namespace. */
  readonly namespace: string;
  /** The object after the operation; undefined for `DELETE`. */
  readonly object: JsonObject | undefined;
  /** The object before the operation; undefined for `CREATE`. */
  readonly oldObject: JsonObject | undefined;
}

/** One operation of a JSON patch (RFC 6902). */
export interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly value: unknown;
}

/** The reason why an object is denied, in the form of the API's `Status`. */
export interface Refusal {
  /** The HTTP status of the answer that the client gets. */
  readonly code: number;
  /** A reason of the API, such as `Invalid`. */
  readonly reason: string;
  /** The whole message: kubectl would print details instead of it, without the name of the object. */
  readonly message: string;
}

/** The answer to a review. */
export interface Verdict {
  /** Undefined: the object is allowed. */
  readonly refusal?: Refusal | undefined;
  /** Texts that the client shows; see `messages.ts` for their limits. */
  readonly warnings?: readonly string[];
  /** Changes of the object; none if absent or empty. */
  readonly patch?: readonly PatchOperation[];
}

/** The object is allowed as it is. */
export const ALLOWED: Verdict = {};

/** Thrown for a text that is no AdmissionReview; the message names the field and the rule. */
export class BadReview extends Error {}

/**
 * The API server takes requests of 3 MiB, and sends the object twice for an update. Its own limit of depth is higher,
 * but no Kubernetes object comes near this one.
 */
export const REVIEW_LIMITS: JsonLimits = { bytes: 7 * 1024 * 1024, entries: 500_000, depth: 100 };

const API_VERSION = 'admission.k8s.io/v1';
const KIND = 'AdmissionReview';
/** The API server sends a UUID. */
const MAX_UID = 128;

/** Reads the body of a request. Throws: {@link BadReview}. */
export function readReview(text: string): Review {
  const parsed = parseJson(text, REVIEW_LIMITS);
  if (!parsed.ok) throw new BadReview(`the body is no AdmissionReview: ${parsed.reason}`);
  const review = parsed.value;
  if (!isJsonObject(review)) throw new BadReview('the body is no AdmissionReview: it is no JSON object');
  requireText(review.kind, 'kind', KIND);
  requireText(review.apiVersion, 'apiVersion', API_VERSION);
  const { request } = review;
  if (!isJsonObject(request)) throw new BadReview('request must be an object');
  const { kind } = request;
  if (!isJsonObject(kind)) throw new BadReview('request.kind must be an object');
  const uid = textOf(request.uid, 'request.uid');
  if (uid === '' || uid.length > MAX_UID) throw new BadReview(`request.uid must have 1 to ${MAX_UID} characters`);
  return {
    uid,
    operation: textOf(request.operation, 'request.operation'),
    group: textOf(kind.group, 'request.kind.group'),
    kind: textOf(kind.kind, 'request.kind.kind'),
    subResource: textOf(request.subResource, 'request.subResource'),
    namespace: textOf(request.namespace, 'request.namespace'),
    object: objectOf(request.object, 'request.object'),
    oldObject: objectOf(request.oldObject, 'request.oldObject'),
  };
}

/** Returns the kind and the name of the object for messages, such as `Pod team-a/web`; its name may not be made yet. */
export function subjectOf({ kind, namespace, object, oldObject }: Review): string {
  const changed = object ?? oldObject;
  const name = textAt(changed, ['metadata', 'name']) || textAt(changed, ['metadata', 'generateName']);
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** Returns the AdmissionReview with the answer, as JSON. */
export function writeReview({ uid }: Pick<Review, 'uid'>, { refusal, warnings = [], patch = [] }: Verdict): string {
  return JSON.stringify({
    apiVersion: API_VERSION,
    kind: KIND,
    response: {
      uid,
      allowed: refusal === undefined,
      ...(refusal === undefined ? {} : { status: { status: 'Failure', ...refusal } }),
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
    },
  });
}

function requireText(value: unknown, path: string, wanted: string): void {
  if (value === wanted) return;
  const found = typeof value === 'string' ? quote(value) : 'missing or no text';
  throw new BadReview(`${path} is ${found}; it must be "${wanted}", as the chart's webhook configurations ask for`);
}

/** Returns a text; empty if the field is absent. */
function textOf(value: unknown, path: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new BadReview(`${path} must be a text`);
  return value;
}

function objectOf(value: unknown, path: string): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw new BadReview(`${path} must be an object`);
  return value;
}
