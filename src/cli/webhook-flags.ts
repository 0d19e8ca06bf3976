/**
 * The flags of `webhook`: names, defaults, help and checked values. `webhook.ts` calls it, and a house test compares it
 * with docs/webhook.md. Refuses wrong values and a certificate that is named twice or not at all.
 */

import { SERVICE_ACCOUNT_DIR } from '../azure/cluster/service-account.ts';
import { ProviderError } from '../base/errors.ts';
import { CLOUD_NAMES } from '../spc/cloud.ts';
import { subdomainProblem } from '../spc/kubernetes-names.ts';
import type { CertificateSource } from '../webhook/certificate/files.ts';
import type { Action } from '../webhook/validate.ts';
import { flagReader, hostOf, knownWord, pathOf, wordsOf } from './flag-values.ts';
import { describeFlags, type FlagSpec, parseGoFlags, wrongValue } from './go-flags.ts';

/** The settings of `webhook`. */
export interface WebhookOptions {
  readonly version: boolean;
  readonly help: boolean;
  readonly verbosity: number;
  readonly logJson: boolean;
  /** The address that reviews come to; empty: every interface. */
  readonly host: string;
  readonly port: number;
  readonly certificate: CertificateSource;
  readonly validation: Action;
  readonly providerNames: readonly string[];
  readonly cloudName: string;
  /** The image of the container that watches; empty: pods name it. */
  readonly watchImage: string;
  readonly serviceAccountDir: string;
  readonly healthPort: number;
  readonly healthPath: string;
  readonly metricsPort: number;
}

/** The flags of `webhook`, in the order of its help. */
export const WEBHOOK_FLAGS: readonly FlagSpec[] = [
  { name: 'port', kind: 'port', fallback: '8443', help: 'port of reviews, over HTTPS' },
  { name: 'host', kind: 'text', fallback: '', help: 'IP address of that port; empty: every interface' },
  {
    name: 'cert-dir',
    kind: 'text',
    fallback: '',
    help: 'directory with tls.crt and tls.key; both are read again every minute',
  },
  {
    name: 'ca-dir',
    kind: 'text',
    fallback: '',
    help: 'instead of --cert-dir: directory with ca.crt and ca.key, from which the webhook makes and renews its certificate',
  },
  {
    name: 'dns-names',
    kind: 'text',
    fallback: '',
    help: 'with --ca-dir: names of the certificate, such as NAME.NAMESPACE.svc, separated by commas',
  },
  {
    name: 'validation',
    kind: 'text',
    fallback: 'deny',
    help: 'deny objects with errors, or warn: allow them with warnings',
  },
  {
    name: 'provider-names',
    kind: 'text',
    fallback: 'azure',
    help: 'names of the provider in SecretProviderClasses, separated by commas; others are not checked',
  },
  { name: 'cloud-name', kind: 'text', fallback: 'AzurePublicCloud', help: 'cloud of manifests without cloudName' },
  {
    name: 'watch-image',
    kind: 'text',
    fallback: '',
    help: 'image of the container for akv-csi/watch, for pods that name none',
  },
  {
    name: 'service-account-dir',
    kind: 'text',
    fallback: SERVICE_ACCOUNT_DIR,
    help: 'directory with ca.crt and token for the API server',
  },
  { name: 'healthz-port', kind: 'port', fallback: '8989', help: 'port of the health endpoint' },
  { name: 'healthz-path', kind: 'text', fallback: '/healthz', help: 'path of the health endpoint' },
  { name: 'prometheus-port', kind: 'port', fallback: '8898', help: 'port of /metrics' },
  { name: 'v', kind: 'count', fallback: '0', help: 'log level: 2 adds a line for each review' },
  { name: 'log-format-json', kind: 'boolean', fallback: 'false', help: 'write log lines as JSON instead of logfmt' },
  { name: 'version', kind: 'boolean', fallback: 'false', help: 'print version and build date as JSON and exit' },
  { name: 'help', alias: 'h', kind: 'boolean', fallback: 'false', help: 'print this text and exit' },
];

const ACTIONS: readonly Action[] = ['deny', 'warn'];
const MAX_WORDS = 20;
const PROVIDER_NAMES: WordRule = {
  rule: '1 to 30 letters, digits, - or _',
  holds: (name) => /^[a-zA-Z0-9_-]{1,30}$/.test(name),
};
const DNS_NAMES: WordRule = {
  rule: 'DNS names such as NAME.NAMESPACE.svc, in lower case, separated by commas',
  holds: (name) => subdomainProblem(name) === undefined,
};

/** Reads the arguments of `webhook`. Throws: ERR_USAGE. */
export function parseWebhookFlags(args: readonly string[]): WebhookOptions {
  const { values } = parseGoFlags(args, WEBHOOK_FLAGS, { command: 'webhook' });
  const { text, number, flag } = flagReader(values);
  const host = hostOf('host', text('host'));
  const [help, version] = [flag('help'), flag('version')];
  const providerNames = checkedWords('provider-names', text('provider-names'), PROVIDER_NAMES);
  if (providerNames.length === 0) throw wrongValue('provider-names', '', 'at least one name, such as azure');
  const unused: CertificateSource = { kind: 'files', directory: '' };
  return {
    version,
    help,
    verbosity: number('v'),
    logJson: flag('log-format-json'),
    host,
    port: number('port'),
    certificate: help || version ? unused : certificateOf(text),
    validation: knownWord('validation', text('validation'), ACTIONS),
    providerNames,
    cloudName: knownWord('cloud-name', text('cloud-name'), CLOUD_NAMES),
    watchImage: text('watch-image'),
    serviceAccountDir: text('service-account-dir'),
    healthPort: number('healthz-port'),
    healthPath: pathOf(text('healthz-path')),
    metricsPort: number('prometheus-port'),
  };
}

/** Returns the help text of `webhook`. */
export function webhookHelp(): string {
  return `Usage: akv-csi webhook [flags]

Serves admission reviews of Kubernetes (admission.k8s.io/v1) over HTTPS: /validate checks SecretProviderClasses and the
keyVault fields of broker resources, /mutate gives pods what their annotations akv-csi/mount and akv-csi/watch ask for.

Flags (-flag value and --flag=value both work):
${describeFlags(WEBHOOK_FLAGS)}

Environment: KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT (API server).

Example: akv-csi webhook --cert-dir /tls

Exit codes: 0 ended by SIGTERM or SIGINT, 1 it could not start or did not end in time, 2 wrong flags.
`;
}

function certificateOf(text: (name: string) => string): CertificateSource {
  const [directory, caDirectory, names] = [text('cert-dir'), text('ca-dir'), text('dns-names')];
  if ((directory === '') === (caDirectory === ''))
    throw new ProviderError('ERR_USAGE', 'the certificate is needed: set --cert-dir, or --ca-dir with --dns-names');
  if ((caDirectory === '') !== (names === ''))
    throw new ProviderError('ERR_USAGE', 'flags --ca-dir and --dns-names need each other: set both, or neither');
  if (directory !== '') return { kind: 'files', directory };
  return { kind: 'authority', directory: caDirectory, dnsNames: checkedWords('dns-names', names, DNS_NAMES) };
}

interface WordRule {
  /** What every word must be, in words that follow "it must be". */
  readonly rule: string;
  readonly holds: (word: string) => boolean;
}

/** Returns the words of a flag. Throws: ERR_USAGE if the rule does not hold for one of them, or if there are too many. */
function checkedWords(name: string, value: string, { rule, holds }: WordRule): readonly string[] {
  const found = wordsOf(value);
  if (found.length > MAX_WORDS) throw wrongValue(name, value, `at most ${MAX_WORDS} words`);
  if (!found.every(holds)) throw wrongValue(name, value, rule);
  return found;
}
