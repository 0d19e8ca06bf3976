/**
 * Keeps the requests that the emulator has answered. Tests and the benchmark count them.
 */

import type { ServiceKind } from './http.ts';

/** One request that the emulator received. */
export interface RequestRecord {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: ServiceKind;
  readonly method: string;
  /** The Host header, including the port. */
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  /** The status sent; 0 if a fault left the request without a response. */
  readonly status: number;
  /** Name of the identity that was accepted or that received a token. */
  readonly identity?: string;
  /** True if a vault accepted the token, or a token was issued. */
  readonly authenticated: boolean;
  /** The `User-Agent` header; empty if there was none. */
  readonly userAgent: string;
  /** Number of the connection, in the order of their first requests. */
  readonly tlsSocketId: number;
}

/** Requests in the order of their responses. */
export interface RequestLog extends ReadonlyArray<RequestRecord> {
  /** Removes all records. */
  clear(): void;
}

/**
 * Creates a request log and the function that adds to it. The oldest records are removed if there are more than
 * `limit`.
 */
export function createRequestLog(limit = 100_000): { log: RequestLog; add: (record: RequestRecord) => void } {
  const records: RequestRecord[] = [];
  const add = (record: RequestRecord) => {
    if (records.length >= limit) records.shift();
    records.push(record);
  };
  // Not enumerable, so that the log is equal to an array of its records.
  Object.defineProperty(records, 'clear', { value: () => records.splice(0) });
  return { log: records as RequestRecord[] & Pick<RequestLog, 'clear'>, add };
}
