/**
 * The flags of `serve`, their defaults and their help. `serve` and `program.ts` call it. Refuses wrong values.
 */

import { resolve } from 'node:path';
import { ProviderError } from '../base/errors.ts';
import { nearest, oneOf, quote } from '../base/words.ts';
import { CLOUD_NAMES } from '../spc/cloud.ts';
import { IDENTITY_KINDS, type IdentityKind } from '../spc/identities/table.ts';
import { ALLOW_ALL, GUARDED_NAMES } from '../spc/overrides.ts';
import { MIN_BUDGET_BYTES } from './budget-size.ts';
import { flagReader, hostOf, knownWord, pathOf, wordsOf } from './flag-values.ts';
import { describeFlags, parseGoFlags, wrongValue } from './go-flags.ts';
import { MEANINGLESS, SERVE_FLAGS } from './serve-flag-specs.ts';

/** The settings of `serve`. Flags have the official provider's names and defaults. */
export interface ServeOptions {
  readonly endpoint: string;
  readonly version: boolean;
  readonly help: boolean;
  readonly verbosity: number;
  readonly logJson: boolean;
  /** The address that the health endpoint listens on; empty: every interface. */
  readonly healthHost: string;
  readonly healthPort: number;
  readonly healthPath: string;
  readonly healthTimeoutMs: number;
  /** The address that `/metrics` listens on; empty: every interface. */
  readonly metricsHost: string;
  readonly metricsPort: number;
  readonly metricsObjectNames: boolean;
  readonly orderChain: boolean;
  readonly split: boolean;
  readonly cloudName: string;
  /** Directory of the files that `cloudEnvFileName` may name; empty: that of `AZURE_ENVIRONMENT_FILEPATH`. */
  readonly cloudFileDir: string;
  readonly tokenProxyUrl: string;
  readonly sniName: string;
  readonly customUserAgent: string;
  readonly cacheTtlMs: number;
  readonly pinnedCacheTtlMs: number;
  /** How old a last known value may be that is served while its vault is away; 0: none is served. */
  readonly maxStaleMs: number;
  /** Service-account tokens are verified by the keys of their issuer where Entra ID is away. */
  readonly verifyTokensOffline: boolean;
  /** The directory of the offline cache; empty: it is off. */
  readonly offlineCacheDir: string;
  readonly offlineCacheKeyFile: string;
  readonly certificatePolicy: 'warn' | 'enforce';
  /** Bytes for everything under way; 0: what follows from the memory limit of the container. */
  readonly memoryBudgetBytes: number;
  readonly identityModes: readonly IdentityKind[];
  /** Guarded parameters that pods may change; see `spc/overrides.ts`. */
  readonly allowVolumeAttributes: readonly string[];
  /** A client ID that the manifest leaves out is taken from the ServiceAccount of the pod. */
  readonly serviceAccountLookup: boolean;
  /** The given flags that this provider accepts and ignores. */
  readonly ignored: readonly string[];
}

/** Reads the arguments of `serve`. Throws: ERR_USAGE. */
export function parseServeFlags(args: readonly string[]): ServeOptions {
  const { values, ignored } = parseGoFlags(args, SERVE_FLAGS, { meaningless: MEANINGLESS });
  const { text, number, flag } = flagReader(values);
  const cloudName = text('cloud-name') || 'AzurePublicCloud';
  knownWord('cloud-name', cloudName, CLOUD_NAMES);
  knownWord('metrics-backend', text('metrics-backend'), ['Prometheus']);
  const certificatePolicy = knownWord('certificate-policy', text('certificate-policy'), ['warn', 'enforce']);
  requireThat('cloud-file-dir', text('cloud-file-dir'), { rule: 'a directory other than "/"', holds: isNotRoot });
  requireThat('offline-cache-dir', text('offline-cache-dir'), { rule: 'a directory other than "/"', holds: isNotRoot });
  requireBoth('offline-cache-dir', 'offline-cache-key-file', text);
  if (text('offline-cache-dir') !== '' && number('max-stale') === 0)
    throw new ProviderError('ERR_USAGE', 'flag --offline-cache-dir needs --max-stale above 0');
  const healthHost = hostOf('healthz-host', text('healthz-host'));
  const metricsHost = hostOf('prometheus-host', text('prometheus-host'));
  requireThat('token-proxy-url', text('token-proxy-url'), { rule: 'an https URL', holds: isHttpsOrEmpty });
  requireThat('custom-user-agent', text('custom-user-agent'), { rule: 'printable ASCII', holds: isPrintableAscii });
  const identityModes = listOf('identity-modes', text('identity-modes'), IDENTITY_KINDS);
  const allowVolumeAttributes = listOf('allow-volume-attributes', text('allow-volume-attributes'), [
    ...GUARDED_NAMES,
    ALLOW_ALL,
  ]);
  const budget = number('memory-budget');
  const holds = () => budget === 0 || budget >= MIN_BUDGET_BYTES;
  requireThat('memory-budget', String(budget), { rule: 'at least 8Mi', holds });
  return {
    endpoint: text('endpoint'),
    version: flag('version'),
    help: flag('help'),
    verbosity: number('v'),
    logJson: flag('log-format-json'),
    healthHost,
    healthPort: number('healthz-port'),
    healthPath: pathOf(text('healthz-path')),
    healthTimeoutMs: number('healthz-timeout'),
    metricsHost,
    metricsPort: number('prometheus-port'),
    metricsObjectNames: flag('metrics-object-names'),
    orderChain: flag('construct-pem-chain'),
    split: flag('write-cert-and-key-in-separate-files'),
    cloudName,
    cloudFileDir: text('cloud-file-dir'),
    tokenProxyUrl: text('token-proxy-url'),
    sniName: text('sni-name'),
    customUserAgent: text('custom-user-agent'),
    cacheTtlMs: number('cache-ttl'),
    pinnedCacheTtlMs: number('pinned-cache-ttl'),
    maxStaleMs: number('max-stale'),
    verifyTokensOffline: flag('verify-tokens-offline'),
    offlineCacheDir: text('offline-cache-dir'),
    offlineCacheKeyFile: text('offline-cache-key-file'),
    certificatePolicy,
    identityModes: identityModes.length === 0 ? IDENTITY_KINDS : identityModes,
    allowVolumeAttributes,
    serviceAccountLookup: flag('service-account-lookup'),
    memoryBudgetBytes: budget,
    ignored,
  };
}

/** Returns the help text of `serve`. */
export function serveHelp(): string {
  return `Usage: akv-csi serve [flags]

Runs the provider: answers the Secrets Store CSI driver over gRPC.

Flags (-flag value and --flag=value both work):
${describeFlags(SERVE_FLAGS)}

Environment: AZURE_ENVIRONMENT_FILEPATH (custom cloud file), HTTPS_PROXY, HTTP_PROXY, NO_PROXY,
SSL_CERT_FILE, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS,
KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT (API server),
NODE_NAME (node, for the offline cache; default: the host name),
OTEL_EXPORTER_OTLP_ENDPOINT (switches traces on; docs/traces.md has the other variables).

Example: akv-csi serve --endpoint unix:///tmp/azure.sock --log-format-json

Exit codes: 0 ended by SIGTERM or SIGINT, 1 it could not start or did not end in time, 2 wrong flags.
`;
}

/** Returns the words of a list with commas. Throws: ERR_USAGE if a word is not a known one. */
function listOf<T extends string>(name: string, value: string, known: readonly T[]): readonly T[] {
  return wordsOf(value).map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    const near = nearest(word, known);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    throw new ProviderError(
      'ERR_USAGE',
      `invalid value ${quote(word)} in flag --${name}: each word must be ${oneOf(known)}${hint}`,
    );
  });
}

interface Rule {
  readonly rule: string;
  readonly holds: (value: string) => boolean;
}

function requireThat(name: string, value: string, { rule, holds }: Rule): void {
  if (!holds(value)) throw wrongValue(name, value, rule);
}

/** Two flags that mean nothing without each other. */
function requireBoth(one: string, other: string, text: (name: string) => string): void {
  for (const [given, missing] of [
    [one, other],
    [other, one],
  ] as const) {
    if (text(given) === '' || text(missing) !== '') continue;
    throw new ProviderError('ERR_USAGE', `flag --${given} needs --${missing}: set both, or neither`);
  }
}

function isHttpsOrEmpty(url: string): boolean {
  return url === '' || (URL.canParse(url) && new URL(url).protocol === 'https:');
}

/** Refuses the root directory: devices and all files of the machine are below it. */
function isNotRoot(directory: string): boolean {
  return directory === '' || resolve(directory) !== '/';
}

/** True for a text that an HTTP header can hold. */
function isPrintableAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}
