/**
 * Calls a provider in this process. `mount --direct` and `check --fetch` use it in place of a gRPC client.
 */

import type { MountHandler } from '../mount/handler.ts';
import type { MountTarget } from './client.ts';

/** A provider in this process, without socket and gRPC between; it rejects with what the handler rejects with. */
export function directTarget(handler: MountHandler): MountTarget {
  return {
    async mount({ attributes, secrets, permission }, { deadlineMs, signal } = {}) {
      const { files, objectVersions } = await handler(
        { attributes, secrets, permission },
        {
          timeoutMs: deadlineMs ?? Number.POSITIVE_INFINITY,
          signal: signal ?? new AbortController().signal,
        },
      );
      return { files, objectVersion: objectVersions };
    },
  };
}
