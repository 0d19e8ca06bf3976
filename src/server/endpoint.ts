/**
 * Reads and writes the value of `--endpoint`. `serve`, the listener and the health check call it. It refuses any text
 * that is neither `unix://path` nor `tcp://host:port`.
 */

import { ProviderError } from '../base/errors.ts';

/** The address on which the provider listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  /** If `host` is empty, the provider listens on every interface; port 0 lets the system choose. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/**
 * Reads the value of `--endpoint`: `unix://<path>` or `tcp://<host>:<port>`, the scheme in any letter case.
 * Throws: ERR_USAGE.
 */
export function parseEndpoint(text: string): Endpoint {
  const [, scheme, rest] = /^(unix|tcp):\/\/(.+)$/i.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) throw invalid(text);
  if (scheme.toLowerCase() === 'unix') return { kind: 'unix', path: rest };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(rest) ?? [];
  if (port === undefined || Number(port) > 65_535) throw invalid(text);
  return { kind: 'tcp', host: bracketed ?? plain ?? '', port: Number(port) };
}

/** The endpoint as `--endpoint` takes it. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix://${endpoint.path}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}

function invalid(text: string): ProviderError {
  return new ProviderError(
    'ERR_USAGE',
    `invalid endpoint: ${text}; allowed are unix:///path/to/provider.sock and tcp://host:port`,
  );
}
