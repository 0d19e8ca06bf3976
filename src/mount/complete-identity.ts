/**
 * Completes the identity of a volume with what its manifest leaves out: the tenant, which the vault itself names, and the
 * client ID, which the ServiceAccount of the pod names. The pipeline calls it before it opens the vault. Nothing that the
 * manifest names is looked up.
 */

import { ProviderError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import { clip } from '../base/words.ts';
import type { VolumeSpec } from '../spc/model.ts';
import { claimedPrincipal } from '../spc/tokens.ts';
import type { AccountReader, FetchContext, VaultAccess } from './ports.ts';

/** The services that know what a manifest leaves out. */
export interface IdentitySources {
  readonly vaults: Pick<VaultAccess, 'tenantOf'>;
  /** Absent: no manifest leaves out its client ID. */
  readonly accounts?: AccountReader | undefined;
}

/** Returns the volume with a complete identity. Throws: see `VaultAccess` and `AccountReader`. */
export async function completeIdentity(
  volume: VolumeSpec,
  { vaults, accounts }: IdentitySources,
  context: FetchContext,
): Promise<VolumeSpec> {
  let { identity } = volume;
  if (identity.kind === 'workload-identity' && identity.clientId === '' && accounts !== undefined)
    identity = { ...identity, clientId: await clientIdOf(volume, identity.token, { accounts, context }) };
  if (!('tenantId' in identity) || identity.tenantId !== '') return { ...volume, identity };
  const tenantId = await vaults.tenantOf(volume, context);
  return { ...volume, tenantId, identity: { ...identity, tenantId } };
}

/** Returns the client ID of the pod's ServiceAccount. Its token has to be one of this account. */
async function clientIdOf(
  { pod: { namespace, serviceAccount: name } }: VolumeSpec,
  token: Secret,
  { accounts, context }: { readonly accounts: AccountReader; readonly context: FetchContext },
): Promise<string> {
  const begin = `failed to mount objects, error: no client ID is named, and ServiceAccount ${clip(`${namespace}/${name}`)} gives none`;
  const subject = claimedPrincipal(token)?.subject ?? '';
  if (subject !== `system:serviceaccount:${namespace}:${name}`) {
    const reason = `the pod's token is that of ${subject === '' ? 'nobody' : clip(subject)}`;
    throw new ProviderError('ERR_NO_CREDENTIALS', `${begin}: ${reason}; name clientID`);
  }
  try {
    return await accounts.clientIdOf({ namespace, name }, context);
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ProviderError)) throw error;
    const { code, details, message } = error;
    throw new ProviderError(code, `${begin}: ${message}, or name clientID`, { details, cause: error });
  }
}
