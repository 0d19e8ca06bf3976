import type { ErrorDetails } from '../../base/errors.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';

/** Who gives out tokens where it is not the cloud: host and port. */
export interface LoginHosts {
  /** Pod identity's NMI. */
  readonly nmiHost: string;
  /** The cluster's token proxy, for identity binding. */
  readonly tokenProxyHost: string;
}

/** The phase of a Mount in which an identity logs in, and the host that it talks to. */
export interface LoginPlace {
  readonly phase: Exclude<NonNullable<ErrorDetails['phase']>, 'vault'>;
  readonly host: string;
}

/** Where an identity logs in. */
export function loginPlace(identity: Identity, cloud: Cloud, hosts: LoginHosts): LoginPlace {
  switch (identity.kind) {
    case 'managed-identity':
      return { phase: 'imds', host: 'IMDS' };
    case 'pod-identity':
      return { phase: 'nmi', host: hosts.nmiHost };
    case 'identity-binding':
      return { phase: 'token-proxy', host: hosts.tokenProxyHost };
    case 'service-principal':
    case 'client-certificate':
    case 'workload-identity':
      return { phase: 'entra', host: new URL(cloud.authorityHost).host };
  }
}
