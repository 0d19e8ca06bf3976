/**
 * The hosts that a Mount waits for, in the words of messages. The budget names by them what took the time, and `azure/`
 * whom it does not wait for.
 */
import type { ErrorDetails } from '../base/errors.ts';

type Phase = NonNullable<ErrorDetails['phase']>;

const WORDS: Readonly<Record<Phase, string>> = {
  entra: 'Entra ID at',
  imds: 'the managed identity endpoint',
  nmi: "pod identity's NMI at",
  'token-proxy': "the cluster's token proxy at",
  vault: 'the vault at',
};

/** What to check where a host does not answer. */
export const HOST_HINT: Readonly<Record<Phase, string>> = {
  entra: 'check the route from the node to Entra ID: DNS, firewall, proxy',
  imds: 'check that the node is an Azure VM with that identity, and that the pod may reach 169.254.169.254',
  nmi: 'check that NMI runs on the node',
  'token-proxy':
    'check the route from the node to the API server of the cluster, and --token-proxy-url; with a proxy, NO_PROXY has to cover it',
  vault: 'check the route from the node to the vault: DNS, firewall, private endpoint, proxy',
};

/** A host with what it is, such as "the vault at kv.vault.azure.net". */
export function hostInWords(phase: Phase, host: string): string {
  return `${WORDS[phase]} ${host}`;
}
