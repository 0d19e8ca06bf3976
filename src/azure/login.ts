import type { Cloud } from '../spc/cloud.ts';
import type { Identity } from '../spc/model.ts';
import { NMI_HOST } from './pod-identity.ts';

/** The phase of a Mount in which an identity logs in. */
export function loginPhase({ kind }: Identity): 'entra' | 'imds' | 'nmi' {
  if (kind === 'managed-identity') return 'imds';
  return kind === 'pod-identity' ? 'nmi' : 'entra';
}

/** The host that a login of this identity talks to. */
export function loginHost(identity: Identity, cloud: Cloud): string {
  if (identity.kind === 'managed-identity') return 'IMDS';
  return identity.kind === 'pod-identity' ? NMI_HOST : new URL(cloud.authorityHost).host;
}
