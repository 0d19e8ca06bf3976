/**
 * HTTP requests and responses as the services of the emulator see them, without sockets. All services use it.
 */

/** The services the emulator plays; `nmi` is the pod-identity endpoint, on the same listener as `imds`. */
export type ServiceKind = 'vault' | 'entra' | 'imds' | 'nmi';

/** One HTTP request, read to its end. Header names are in lower case. */
export interface HttpRequest {
  readonly method: string;
  /** The Host header in lower case, port included. */
  readonly host: string;
  /** Path as it came, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly remoteAddress: string;
}

/** One HTTP answer; `identity` names the accepted caller, for the request log. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly identity?: string;
}

/** Thrown anywhere inside a handler to end the request with this answer. */
export class Refusal extends Error {
  readonly response: HttpResponse;

  constructor(response: HttpResponse) {
    super(`HTTP ${response.status}`);
    this.response = response;
  }
}

/** An answer with a JSON body. */
export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** An answer with a text body. */
export function text(status: number, body: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}

/** The answer a handler gave, whether it returned or refused. */
export async function answered(handle: () => HttpResponse | Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await handle();
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.response;
    throw thrown;
  }
}

/** Host name of a Host header: lower case, no port. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

/** Port of a Host header with its colon, or nothing. */
export function portSuffix(host: string): string {
  return /:\d+$/.exec(host)?.[0] ?? '';
}
