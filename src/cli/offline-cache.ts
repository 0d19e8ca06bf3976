/**
 * Reads the settings of the offline cache, which keeps last known values on the disk of the node. `serve` calls it when it
 * starts, so that a key file that is not fit for it is told at once.
 */

import { hostname } from 'node:os';
import type { OfflineCacheOptions } from '../azure/offline-cache.ts';
import { readSealingKeys } from '../azure/store/sealing-key.ts';
import type { Io } from './io.ts';
import type { ServeOptions } from './serve-flags.ts';

/** Returns directory and keys of the offline cache; undefined if it is off. Throws: ERR_SETUP for its key file. */
export async function readOfflineCache(
  { offlineCacheDir: directory, offlineCacheKeyFile }: Pick<ServeOptions, 'offlineCacheDir' | 'offlineCacheKeyFile'>,
  env: Io['env'],
): Promise<OfflineCacheOptions | undefined> {
  if (directory === '') return undefined;
  // In a pod without the network of the node, the host name is that of the pod, and another one after each restart.
  return { directory, keys: await readSealingKeys(offlineCacheKeyFile, env.NODE_NAME || hostname()) };
}
