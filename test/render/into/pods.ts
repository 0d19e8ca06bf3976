import type { KnownClass } from '../../../src/render/into/classes.ts';

export const LISTENER: KnownClass = {
  name: 'broker-listener-front-tls',
  namespace: '',
  from: 'BrokerListener/front/tls',
  secretName: 'aio-akv-sp',
  lacksSecret: false,
};
export const PASSWORDS: KnownClass = {
  name: 'auth-users-username-password',
  namespace: '',
  from: 'BrokerAuthentication/users/username-password',
  lacksSecret: false,
};
export const ATTRIBUTES: KnownClass = {
  ...PASSWORDS,
  name: 'auth-users-x509',
  from: 'BrokerAuthentication/users/x509-attributes',
};
const BY_HAND: KnownClass = { name: 'db.example', namespace: '', lacksSecret: true };
export const CLASSES = [LISTENER, PASSWORDS, ATTRIBUTES, BY_HAND];
export const GIVEN = { classes: CLASSES, mountPath: '/mnt/secrets-store', place: 'here' };

interface PodChanges {
  readonly containers?: readonly object[];
  readonly initContainers?: readonly object[];
  readonly volumes?: readonly object[] | null;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function podOf(items: string | undefined, { containers, annotations, ...spec }: PodChanges = {}) {
  return {
    metadata: { annotations: { ...(items === undefined ? {} : { 'akv-csi/mount': items }), ...annotations } },
    spec: { containers: containers ?? [{ name: 'main', image: 'busybox' }], ...spec },
  };
}

/** Returns a Deployment whose pod asks for items. */
export function deployment(items: string | undefined, changes: PodChanges = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app' },
    spec: { template: podOf(items, changes) },
  };
}
