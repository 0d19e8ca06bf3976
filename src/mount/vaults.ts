/**
 * Opens the vaults of a volume, each for the first object in it. `mount.ts` calls it for each Mount. An object without
 * `vault` is in the volume's own.
 */

import type { ObjectSpec, VolumeSpec } from '../spc/model.ts';
import { vaultUrlOf } from '../spc/vaults.ts';
import type { VaultAccess, VaultReader } from './ports.ts';

/** Returns the reader of the vault of an object. */
export type ReaderOf = (object: ObjectSpec) => VaultReader;

/** Returns the readers of one Mount. */
export function openVaults(volume: VolumeSpec, vaults: VaultAccess): ReaderOf {
  let own: VaultReader | undefined;
  const others = new Map<string, VaultReader>();
  return ({ vault }) => {
    if (vault === undefined) {
      own ??= vaults.open(volume);
      return own;
    }
    const { name: vaultName, tenantId, fallbackVaults } = vault;
    const key = JSON.stringify([vaultName.toLowerCase(), tenantId, fallbackVaults]);
    const place = { vaultName, vaultUrl: vaultUrlOf(vaultName, volume.cloud), fallbackVaults };
    const reader = others.get(key) ?? vaults.open({ ...volumeAt(volume, tenantId), ...place });
    others.set(key, reader);
    return reader;
  };
}

/** Returns a volume whose identity logs in at a tenant; empty: at its own. */
function volumeAt(volume: VolumeSpec, tenantId: string): VolumeSpec {
  if (tenantId === '') return volume;
  const { identity } = volume;
  return { ...volume, tenantId, identity: 'tenantId' in identity ? { ...identity, tenantId } : identity };
}
