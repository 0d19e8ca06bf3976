/**
 * Calls a provider in this process. `mount --direct` and `check --fetch` use it in place of a gRPC client.
 */

import type { MountHandler } from '../mount/handler.ts';
import type { MountTarget } from './client.ts';

/** Returns a provider that runs in this process, without socket or gRPC. It rejects with the errors of the handler. */
export function directTarget(handler: MountHandler): MountTarget {
  return {
    async mount({ attributes, secrets, permission }, { deadlineMs, signal } = {}) {
      const { files, objectVersions, memory } = await handler(
        { attributes, secrets, permission },
        {
          timeoutMs: deadlineMs ?? Number.POSITIVE_INFINITY,
          signal: signal ?? new AbortController().signal,
        },
      );
      memory?.release();
      return { files, objectVersion: objectVersions };
    },
  };
}
