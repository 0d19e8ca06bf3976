/**
 * Scripted faults: the requests that fail, and how. The listener looks them up for each request; tests and seeds set
 * them.
 */

import * as v from 'valibot';
import { entraError } from '../entra/entra-errors.ts';
import { type HttpRequest, type HttpResponse, json, type ServiceKind, text } from '../http/http.ts';
import { standardError } from '../vault/vault-errors.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const action = v.variant('kind', [
  v.strictObject({
    kind: v.literal('answer'),
    status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
    headers: v.optional(v.record(v.string(), v.string())),
    body: v.optional(v.union([v.string(), v.record(v.string(), v.unknown())])),
  }),
  v.strictObject({ kind: v.literal('drop') }),
  v.strictObject({ kind: v.literal('hang') }),
  v.strictObject({ kind: v.literal('delay'), ms: count }),
  v.strictObject({ kind: v.literal('truncate'), bytes: v.optional(count) }),
  v.strictObject({
    kind: v.literal('edit'),
    remove: v.optional(v.array(v.string())),
    set: v.optional(v.record(v.string(), v.unknown())),
  }),
]);

/** Members of a fault in a seed. */
export const FAULT_ENTRIES = {
  on: v.picklist(['vault', 'entra', 'imds', 'nmi', 'issuer']),
  vault: v.optional(v.string()),
  object: v.optional(v.string()),
  method: v.optional(v.string()),
  path: v.optional(v.string()),
  unauthenticated: v.optional(v.boolean()),
  skip: v.optional(count),
  count: v.optional(count),
  action,
};

const schema = v.strictObject(FAULT_ENTRIES);

/**
 * A scripted fault.
 * It applies to requests `on` a service. `vault`, `object` and `method` must be equal, and the path must contain
 * `path`.
 * The first `skip` requests pass, and at most `count` fail; default: all. The `action` is one of:
 * `answer` (without a body: the service's own error for that status), `drop` the connection, `hang`, `delay` by `ms`,
 * `truncate` the real response after `bytes` (default: half), or `edit` members of the real JSON by dotted path.
 * Requests to a vault without a token, which every SDK sends first, pass unless `unauthenticated` is true.
 */
export type Fault = v.InferOutput<typeof schema>;

/** The effect of a fault. */
export type FaultAction = Fault['action'];

/** The effect on one request: that of a fault, or a wait until a test says so. */
type Effect = FaultAction | { readonly kind: 'hold'; readonly released: () => Promise<void> };

/** Requests that wait for a test. */
export interface Held {
  /** Resolves when the first request has come. */
  readonly reached: Promise<void>;
  /** Lets the requests that wait go on, as if they came now, and ends the fault. */
  release(): void;
}

/** The active faults. The first one that matches a request is used. */
export interface Faults {
  add(fault: Fault): void;
  /** Holds the requests that match back, for tests in which something happens before an answer comes. */
  hold(fault: Omit<Fault, 'action'>): Held;
  /** Removes all faults. Requests that are held back stay so until their release. */
  clear(): void;
}

/** The active faults, each with the number of requests that it matched. */
export class FaultList implements Faults {
  readonly #faults: { readonly fault: Omit<Fault, 'action'>; readonly effect: Effect; met: number }[] = [];

  add(fault: Fault): void {
    this.#faults.push({ fault, effect: fault.action, met: 0 });
  }

  hold(fault: Omit<Fault, 'action'>): Held {
    const begun = signal();
    const over = signal();
    const released = () => {
      begun.give();
      return over.given;
    };
    const entry = { fault, effect: { kind: 'hold', released } as const, met: 0 };
    this.#faults.push(entry);
    const release = () => {
      const index = this.#faults.indexOf(entry);
      if (index !== -1) this.#faults.splice(index, 1);
      over.give();
    };
    return { reached: begun.given, release };
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** Returns the fault that applies to this request, if any. Counts the request. */
  next(service: { kind: ServiceKind; vault: string | undefined }, request: HttpRequest): Effect | undefined {
    for (const entry of this.#faults) {
      if (!matches(entry.fault, service, request)) continue;
      entry.met += 1;
      const { skip = 0, count: limit = Number.POSITIVE_INFINITY } = entry.fault;
      if (entry.met > skip && entry.met <= skip + limit) return entry.effect;
    }
    return undefined;
  }
}

/** Returns the response of an `answer` fault. `now` is in milliseconds since 1970. */
export function faultAnswer(
  kind: ServiceKind,
  fault: Extract<FaultAction, { kind: 'answer' }>,
  now: number,
): HttpResponse {
  const standard = standardAnswer(kind, fault.status, now);
  const headers = { ...standard.headers, ...fault.headers };
  if (fault.body === undefined) return { ...standard, headers };
  const body = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body);
  return { status: fault.status, headers, body };
}

/** Returns the response with members removed and set by an `edit` fault. Responses that are not JSON are unchanged. */
export function edited(response: HttpResponse, fault: Extract<FaultAction, { kind: 'edit' }>): HttpResponse {
  if (!response.headers['content-type']?.startsWith('application/json')) return response;
  const body: unknown = JSON.parse(response.body);
  for (const path of fault.remove ?? []) change(body, path.split('.'), (holder, name) => delete holder[name]);
  for (const [path, value] of Object.entries(fault.set ?? {})) {
    change(body, path.split('.'), (holder, name) => {
      holder[name] = value;
    });
  }
  return { ...response, body: JSON.stringify(body) };
}

function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

function matches(
  fault: Omit<Fault, 'action'>,
  service: { kind: ServiceKind; vault: string | undefined },
  request: HttpRequest,
) {
  const object = request.path.split('/')[2];
  return (
    fault.on === service.kind &&
    (fault.on !== 'vault' || fault.unauthenticated === true || request.headers.authorization !== undefined) &&
    sameName(fault.vault, service.vault) &&
    sameName(fault.object, object) &&
    sameName(fault.method, request.method) &&
    (fault.path === undefined || request.path.includes(fault.path))
  );
}

function sameName(wanted: string | undefined, actual: string | undefined): boolean {
  return wanted === undefined || wanted.toLowerCase() === actual?.toLowerCase();
}

function standardAnswer(kind: ServiceKind, status: number, now: number): HttpResponse {
  if (kind === 'vault') return standardError(status);
  if (kind === 'issuer') return text(status, `The issuer answers ${status}.\n`);
  if (kind === 'entra') return entraError('transient', [], { status, now });
  return json(status, {
    error: 'internal_error',
    error_description: 'Failed to retrieve token from the Active directory.',
  });
}

function change(
  root: unknown,
  path: readonly string[],
  apply: (holder: Record<string, unknown>, name: string) => void,
) {
  let holder = root;
  for (const step of path.slice(0, -1)) holder = isRecord(holder) ? holder[step] : undefined;
  if (isRecord(holder)) apply(holder, path.at(-1) ?? '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
