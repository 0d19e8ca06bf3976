/**
 * The flags of `serve`, their defaults and their help. `serve` and `program.ts` call it. Refuses wrong values.
 */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { ProviderError } from '../base/errors.ts';
import { nearest, oneOf, quote } from '../base/words.ts';
import { CLOUD_NAMES } from '../spc/cloud.ts';
import { IDENTITY_KINDS, type IdentityKind } from '../spc/identities/table.ts';
import { ALLOW_ALL, GUARDED_NAMES } from '../spc/overrides.ts';
import { describeFlags, type FlagSpec, parseGoFlags } from './go-flags.ts';

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
  /** How old a value may be that stands in for a vault that is away; 0: none does. */
  readonly maxStaleMs: number;
  /** Service-account tokens are verified by the keys of their issuer where Entra ID is away. */
  readonly verifyTokensOffline: boolean;
  readonly certificatePolicy: 'warn' | 'enforce';
  readonly identityModes: readonly IdentityKind[];
  /** Guarded parameters that pods may change; see `spc/overrides.ts`. */
  readonly allowVolumeAttributes: readonly string[];
  /** The given flags that this provider accepts and ignores. */
  readonly ignored: readonly string[];
}

/** The flags of `serve`, in the order of its help. */
export const SERVE_FLAGS: readonly FlagSpec[] = [
  {
    name: 'endpoint',
    kind: 'text',
    fallback: 'unix:///tmp/azure.sock',
    help: 'address to listen on: unix:///path/azure.sock or tcp://host:port',
  },
  { name: 'version', kind: 'boolean', fallback: 'false', help: 'print version and build date as JSON and exit' },
  { name: 'help', alias: 'h', kind: 'boolean', fallback: 'false', help: 'print this text and exit' },
  { name: 'v', kind: 'count', fallback: '0', help: 'log level: 2 adds details, 5 every step; no secret at any level' },
  { name: 'log-format-json', kind: 'boolean', fallback: 'false', help: 'write log lines as JSON instead of logfmt' },
  {
    name: 'healthz-host',
    kind: 'text',
    fallback: '',
    help: 'IP address of the health endpoint; empty: every interface',
  },
  { name: 'healthz-port', kind: 'port', fallback: '8989', help: 'port of the health endpoint' },
  { name: 'healthz-path', kind: 'text', fallback: '/healthz', help: 'path of the health endpoint' },
  { name: 'healthz-timeout', kind: 'duration', fallback: '5s', help: 'time limit of one health check' },
  { name: 'metrics-backend', kind: 'text', fallback: 'Prometheus', help: 'metrics backend; only Prometheus' },
  { name: 'prometheus-port', kind: 'port', fallback: '8898', help: 'port of /metrics' },
  {
    name: 'metrics-object-names',
    kind: 'boolean',
    fallback: 'true',
    help: 'show names of objects in metrics, the first 100; the others are "other"',
  },
  {
    name: 'construct-pem-chain',
    kind: 'boolean',
    fallback: 'true',
    help: 'order certificate chains: leaf, intermediates, root',
  },
  {
    name: 'write-cert-and-key-in-separate-files',
    kind: 'boolean',
    fallback: 'false',
    help: 'add <file>.crt and <file>.key next to each certificate with its key',
  },
  { name: 'cloud-name', kind: 'text', fallback: 'AzurePublicCloud', help: 'cloud of manifests without cloudName' },
  {
    name: 'cloud-file-dir',
    kind: 'text',
    fallback: '',
    help: 'directory of the files that cloudEnvFileName may name; empty: that of AZURE_ENVIRONMENT_FILEPATH',
  },
  {
    name: 'token-proxy-url',
    kind: 'text',
    fallback: '',
    help: 'token proxy of identity binding; empty: the API server',
  },
  {
    name: 'sni-name',
    kind: 'text',
    fallback: '',
    help: 'TLS server name of the token proxy; empty: discovered from the API server',
  },
  { name: 'custom-user-agent', kind: 'text', fallback: '', help: 'text added to the user agent of every request' },
  {
    name: 'cache-ttl',
    kind: 'duration',
    fallback: '30s',
    help: 'how long an unpinned value is served from the cache; 0 disables the cache',
  },
  { name: 'pinned-cache-ttl', kind: 'duration', fallback: '10m', help: 'the same for versions named in the manifest' },
  {
    name: 'max-stale',
    kind: 'duration',
    fallback: '1h',
    help: 'how old a value may be that is served while its vault does not answer; 0: none is',
  },
  {
    name: 'verify-tokens-offline',
    kind: 'boolean',
    fallback: 'true',
    help: 'verify service-account tokens by the keys of their issuer where Entra ID does not answer',
  },
  {
    name: 'certificate-policy',
    kind: 'text',
    fallback: 'warn',
    help: 'warn about expired and not yet valid certificates, or enforce: refuse to mount them',
  },
  {
    name: 'identity-modes',
    kind: 'text',
    fallback: '',
    help: 'identity modes that the provider serves, separated by commas; empty: all',
  },
  {
    name: 'allow-volume-attributes',
    kind: 'text',
    fallback: '',
    help: "parameters that pods may change in requests that use the node's own identity; *: all",
  },
];

/** Flags of klog and pprof. An existing DaemonSet may set them; this provider accepts and ignores them. */
const MEANINGLESS: readonly FlagSpec[] = (
  [
    [
      'boolean',
      'add_dir_header alsologtostderr logtostderr one_output skip_headers skip_log_headers enable-pprof legacy_stderr_threshold_behavior',
    ],
    [
      'text',
      'log_backtrace_at log_dir log_file log_file_max_size log_flush_frequency log-flush-frequency stderrthreshold vmodule pprof-port',
    ],
  ] as const
).flatMap(([kind, names]) =>
  names.split(' ').map((name) => ({ name, kind, fallback: kind === 'boolean' ? 'false' : '', help: '' })),
);

/** Reads the arguments of `serve`. Throws: ERR_USAGE. */
export function parseServeFlags(args: readonly string[]): ServeOptions {
  const { values, ignored } = parseGoFlags(args, SERVE_FLAGS, MEANINGLESS);
  const text = (name: string) => String(values.get(name));
  const number = (name: string) => Number(values.get(name));
  const flag = (name: string) => values.get(name) === true;
  const cloudName = text('cloud-name') || 'AzurePublicCloud';
  requireOneOf('cloud-name', cloudName, CLOUD_NAMES);
  requireOneOf('metrics-backend', text('metrics-backend'), ['Prometheus']);
  requireOneOf('certificate-policy', text('certificate-policy'), ['warn', 'enforce']);
  requireThat('cloud-file-dir', text('cloud-file-dir'), { rule: 'a directory other than "/"', holds: isNotRoot });
  requireThat('healthz-host', text('healthz-host'), { rule: 'an IP address such as 127.0.0.1', holds: isIpOrEmpty });
  requireThat('token-proxy-url', text('token-proxy-url'), { rule: 'an https URL', holds: isHttpsOrEmpty });
  requireThat('custom-user-agent', text('custom-user-agent'), { rule: 'printable ASCII', holds: isPrintableAscii });
  const identityModes = listOf('identity-modes', text('identity-modes'), IDENTITY_KINDS);
  const allowVolumeAttributes = listOf('allow-volume-attributes', text('allow-volume-attributes'), [
    ...GUARDED_NAMES,
    ALLOW_ALL,
  ]);
  const healthPath = text('healthz-path');
  return {
    endpoint: text('endpoint'),
    version: flag('version'),
    help: flag('help'),
    verbosity: number('v'),
    logJson: flag('log-format-json'),
    healthHost: text('healthz-host'),
    healthPort: number('healthz-port'),
    healthPath: healthPath.startsWith('/') ? healthPath : `/${healthPath}`,
    healthTimeoutMs: number('healthz-timeout'),
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
    certificatePolicy: text('certificate-policy').toLowerCase() === 'enforce' ? 'enforce' : 'warn',
    identityModes: identityModes.length === 0 ? IDENTITY_KINDS : identityModes,
    allowVolumeAttributes,
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
KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT (API server).

Exit codes: 0 ended by SIGTERM or SIGINT, 1 it could not start or did not end in time, 2 wrong flags.
`;
}

function requireOneOf(name: string, value: string, allowed: readonly string[]): void {
  const holds = (text: string) => allowed.some((one) => one.toLowerCase() === text.toLowerCase());
  requireThat(name, value, { rule: oneOf(allowed), holds });
}

/** Returns the words of a list with commas. Throws: ERR_USAGE if a word is not a known one. */
function listOf<T extends string>(name: string, value: string, known: readonly T[]): readonly T[] {
  const words = value
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  return words.map((word) => {
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

function isIpOrEmpty(value: string): boolean {
  return value === '' || isIP(value) !== 0;
}

interface Rule {
  readonly rule: string;
  readonly holds: (value: string) => boolean;
}

function requireThat(name: string, value: string, { rule, holds }: Rule): void {
  if (holds(value)) return;
  throw new ProviderError('ERR_USAGE', `invalid value ${quote(value)} for flag --${name}: it must be ${rule}`);
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
