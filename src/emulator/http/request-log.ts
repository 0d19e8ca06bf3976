/**
 * Keeps the requests that the emulator has answered. Tests and the benchmark count them.
 */

import type { ServiceKind } from './http.ts';

/** One request the emulator met. */
export interface RequestRecord {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: ServiceKind;
  readonly method: string;
  /** Host header, port included. */
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  /** Status sent; 0 when a fault left the request without an answer. */
  readonly status: number;
  /** Name of the identity that was accepted or given a token. */
  readonly identity?: string;
  /** True if a vault accepted the token, or a token was issued. */
  readonly authenticated: boolean;
  /** `User-Agent` header; empty where there was none. */
  readonly userAgent: string;
  /** Numbers the connections in the order they came. */
  readonly tlsSocketId: number;
}

/** Requests in the order they were answered. */
export interface RequestLog extends ReadonlyArray<RequestRecord> {
  /** Forgets all of them. */
  clear(): void;
}

/** A request log and the way to write to it; the oldest records go when there are more than `limit`. */
export function createRequestLog(limit = 100_000): { log: RequestLog; add: (record: RequestRecord) => void } {
  const records: RequestRecord[] = [];
  const add = (record: RequestRecord) => {
    if (records.length >= limit) records.shift();
    records.push(record);
  };
  // Not enumerable, so that the log compares like the array it is.
  Object.defineProperty(records, 'clear', { value: () => records.splice(0) });
  return { log: records as RequestRecord[] & Pick<RequestLog, 'clear'>, add };
}
