/**
 * The hosts that a Mount waits for, one row for each kind of host. Messages about a deadline or a silent host name the
 * host with these words; messages about a refused login name the service. The type `Phase` follows from the rows.
 */

interface PhaseWords {
  /** The words before the name of the host, in a message about waiting for it. */
  readonly waiting: string;
  /** The words before "at" and the host, in a message about a refused request. */
  readonly service: string;
  /** The remedy if the host does not answer. */
  readonly hint: string;
}

const PHASES = {
  entra: {
    waiting: 'Entra ID at',
    service: 'Entra ID',
    hint: 'check the route from the node to Entra ID: DNS, firewall, proxy',
  },
  imds: {
    waiting: 'the managed identity endpoint',
    service: 'the managed identity endpoint (IMDS)',
    hint: 'check that the node is an Azure VM with that identity, and that the pod may reach 169.254.169.254',
  },
  nmi: {
    waiting: "pod identity's NMI at",
    service: "pod identity's NMI",
    hint: 'check that NMI runs on the node',
  },
  'token-proxy': {
    waiting: "the cluster's token proxy at",
    service: "the cluster's token proxy",
    hint: 'check the route from the node to the API server of the cluster, and --token-proxy-url; with a proxy, NO_PROXY has to cover it',
  },
  'api-server': {
    waiting: 'the API server at',
    service: 'the API server',
    hint: "check the route from the provider's pod to the API server of the cluster",
  },
  vault: {
    waiting: 'the vault at',
    service: 'the vault',
    hint: 'check the route from the node to the vault: DNS, firewall, private endpoint, proxy',
  },
} as const satisfies Readonly<Record<string, PhaseWords>>;

/** The phase of a Mount, named after the kind of host that the provider sends requests to. */
export type Phase = keyof typeof PHASES;

/** Returns the host and its kind, such as "the vault at kv.vault.azure.net". */
export function hostInWords(phase: Phase, host: string): string {
  return `${PHASES[phase].waiting} ${host}`;
}

/** Returns the service of a phase and its host, such as "the managed identity endpoint (IMDS) at 169.254.169.254". */
export function serviceInWords(phase: Phase, host: string): string {
  return `${PHASES[phase].service} at ${host}`;
}

/** Returns the remedy if the host of a phase does not answer. */
export function hostHint(phase: Phase): string {
  return PHASES[phase].hint;
}
