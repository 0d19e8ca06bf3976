/**
 * The hosts that a Mount waits for, one row a kind of host. The deadline and `SilentHosts` name by them which host did
 * not answer, and logins which service refused. A new kind of host is one row here: the type `Phase` follows from it.
 */

interface PhaseWords {
  /** The host as it stands before its name where it is waited for. */
  readonly waiting: string;
  /** The service as it stands before "at" and the host where it refuses a request. */
  readonly service: string;
  /** What to check where the host does not answer. */
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
  vault: {
    waiting: 'the vault at',
    service: 'the vault',
    hint: 'check the route from the node to the vault: DNS, firewall, private endpoint, proxy',
  },
} as const satisfies Readonly<Record<string, PhaseWords>>;

/** Phase of a Mount, named by the host that is asked. */
export type Phase = keyof typeof PHASES;

/** A host with what it is, such as "the vault at kv.vault.azure.net". */
export function hostInWords(phase: Phase, host: string): string {
  return `${PHASES[phase].waiting} ${host}`;
}

/** The service of a phase at a host, such as "the managed identity endpoint (IMDS) at 169.254.169.254". */
export function serviceInWords(phase: Phase, host: string): string {
  return `${PHASES[phase].service} at ${host}`;
}

/** What to check where the host of a phase does not answer. */
export function hostHint(phase: Phase): string {
  return PHASES[phase].hint;
}
