/**
 * The row of AAD pod identity (deprecated by its makers). The flag `usePodIdentity` chooses it; it needs the name of
 * the pod only. Listed in `table.ts`.
 */

import type { IdentityRow } from './identity-row.ts';

interface Request {
  readonly kind: 'pod-identity';
}

interface PodIdentity extends Request {
  readonly podName: string;
  readonly podNamespace: string;
}

/** AAD pod identity. */
export const podIdentity: IdentityRow<Request, PodIdentity> = {
  officialMode: 'PodIdentity',
  kinds: ['pod-identity'],
  ofNode: false,
  chosenBy: { flag: 'usePodIdentity' },
  parameters: [],
  readClassic: () => ({ kind: 'pod-identity' }),
  credential: undefined,
  needsTenant: false,
  audience: undefined,
  problem: () => undefined,
  resolve: ({ kind }, { pod }) => ({
    ok: true,
    identity: { kind, podName: pod.name, podNamespace: pod.namespace },
  }),
};
