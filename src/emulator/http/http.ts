/**
 * HTTP requests and responses of the emulator's services, without sockets. All services use it.
 */

/**
 * The services that the emulator has. `nmi` is the pod-identity endpoint, on the same listener as `imds`. `issuer` is the
 * issuer of the cluster's service-account tokens.
 */
export type ServiceKind = 'vault' | 'entra' | 'imds' | 'nmi' | 'issuer';

/** One complete HTTP request. Header names are in lower case. */
export interface HttpRequest {
  readonly method: string;
  /** The Host header in lower case, including the port. */
  readonly host: string;
  /** The path as received, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly remoteAddress: string;
}

/** One HTTP response. `identity` is the name of the accepted caller, for the request log. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly identity?: string;
}

/** Thrown by a handler to end the request with this response. */
export class Refusal extends Error {
  readonly response: HttpResponse;

  constructor(response: HttpResponse) {
    super(`HTTP ${response.status}`);
    this.response = response;
  }
}

/** Returns a response with a JSON body. */
export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** Returns a response with a text body. */
export function text(status: number, body: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}

/** Returns the response of a handler, whether it returns it or throws a {@link Refusal}. */
export async function answered(handle: () => HttpResponse | Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await handle();
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.response;
    throw thrown;
  }
}

/** Returns the host name of a Host header: lower case, without port. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

/** Returns the port of a Host header with its colon, or an empty text. */
export function portSuffix(host: string): string {
  return /:\d+$/.exec(host)?.[0] ?? '';
}
