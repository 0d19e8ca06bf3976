/**
 * Compares kinds as kubectl takes them: `BrokerListener`, `brokerlistener`, `brokerlisteners` and
 * `brokerlisteners.mq.iotoperations.azure.com` are one kind. Used for items and for the option `--pod`.
 */

/** The kinds of workloads that kubectl has short names for. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  po: 'pod',
  deploy: 'deployment',
  sts: 'statefulset',
  ds: 'daemonset',
  rs: 'replicaset',
  rc: 'replicationcontroller',
  cj: 'cronjob',
};

/** Returns true if a kind that a user wrote is the kind of a manifest. */
export function isKind(written: string, kind: string): boolean {
  const [name = ''] = written.toLowerCase().split('.');
  const known = kind.toLowerCase();
  return known !== '' && [known, pluralOf(known)].includes(SHORT_NAMES[name] ?? name);
}

/** Returns the resource name of a kind, by the rule of Kubernetes' own generator. */
function pluralOf(kind: string): string {
  if (kind.endsWith('s')) return `${kind}es`;
  return kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}
