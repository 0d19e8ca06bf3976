/**
 * The table of the flags of `serve`: names, defaults and help. `serve-flags.ts` reads the command line by it, and a house
 * test compares it with docs/flags.md.
 */

import type { FlagSpec } from './go-flags.ts';

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
  {
    name: 'prometheus-host',
    kind: 'text',
    fallback: '',
    help: 'IP address of /metrics; empty: every interface',
  },
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
    help: 'how old a value may be that is served while its vault or the login service does not answer; 0: none is',
  },
  {
    name: 'verify-tokens-offline',
    kind: 'boolean',
    fallback: 'true',
    help: 'verify service-account tokens by the keys of their issuer where Entra ID does not answer',
  },
  {
    name: 'offline-cache-dir',
    kind: 'text',
    fallback: '',
    help: 'directory on the node where last known values are kept, sealed, for a restart while Azure is away; empty: none',
  },
  {
    name: 'offline-cache-key-file',
    kind: 'text',
    fallback: '',
    help: 'file with the keys of that directory: 32 random bytes, raw, or one key in base64 a line, the newest first',
  },
  {
    name: 'certificate-policy',
    kind: 'text',
    fallback: 'warn',
    help: 'warn about expired and not yet valid certificates, or enforce: refuse to mount them',
  },
  {
    name: 'memory-budget',
    kind: 'bytes',
    fallback: '',
    help: 'memory for the Mounts under way, at least 8Mi; empty: by the memory limit of the container',
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
  {
    name: 'service-account-lookup',
    kind: 'boolean',
    fallback: 'false',
    help: "take a client ID that the manifest leaves out from the annotation of the pod's ServiceAccount",
  },
];

/** Flags of klog and pprof. An existing DaemonSet may set them; this provider accepts and ignores them. */
export const MEANINGLESS: readonly FlagSpec[] = (
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
