/**
 * Completes the identity of a volume with what its manifest leaves out: the tenant, which the vault itself names. The
 * pipeline calls it before it opens the vault. A manifest that names it is not looked up.
 */

import type { VolumeSpec } from '../spc/model.ts';
import type { FetchContext, VaultAccess } from './ports.ts';

/** Returns the volume with a complete identity. Throws: see `VaultAccess`. */
export async function completeIdentity(
  volume: VolumeSpec,
  vaults: Pick<VaultAccess, 'tenantOf'>,
  context: FetchContext,
): Promise<VolumeSpec> {
  const { identity } = volume;
  if (!('tenantId' in identity) || identity.tenantId !== '') return volume;
  const tenantId = await vaults.tenantOf(volume, context);
  return { ...volume, tenantId, identity: { ...identity, tenantId } };
}
