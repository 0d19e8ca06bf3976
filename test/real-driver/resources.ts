// The resources of the stub API server: paths, kinds, discovery documents. api-server.ts calls it.

/** A resource, by its plural. */
export interface Resource {
  /** `/api/v1` or `/apis/<group>/<version>`. */
  readonly base: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const STORE = '/apis/secrets-store.csi.x-k8s.io/v1';

/** All resources that the driver reads and writes. */
export const RESOURCES: Readonly<Record<string, Resource>> = {
  pods: { base: '/api/v1', kind: 'Pod', namespaced: true },
  secrets: { base: '/api/v1', kind: 'Secret', namespaced: true },
  events: { base: '/api/v1', kind: 'Event', namespaced: true },
  serviceaccounts: { base: '/api/v1', kind: 'ServiceAccount', namespaced: true },
  secretproviderclasses: { base: STORE, kind: 'SecretProviderClass', namespaced: true },
  secretproviderclasspodstatuses: { base: STORE, kind: 'SecretProviderClassPodStatus', namespaced: true },
  csidrivers: { base: '/apis/storage.k8s.io/v1', kind: 'CSIDriver', namespaced: false },
};

/** `v1` or `<group>/<version>`. */
export function apiVersionOf({ base }: Resource): string {
  return base.replace(/^\/apis?\//, '');
}

/** The target of a path: a resource and optionally one of its objects. */
export interface Target {
  readonly plural: string;
  readonly resource: Resource;
  readonly namespace: string;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** Parses the path of a request. Returns undefined if there is no such resource. */
export function targetOf(path: string): Target | undefined {
  const pattern = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;
  const [, base, namespace = '', plural = '', name, subresource] = pattern.exec(path) ?? [];
  const resource = RESOURCES[plural];
  if (resource?.base !== base || resource === undefined) return undefined;
  return { plural, resource, namespace, name: name && decodeURIComponent(name), subresource };
}

/** Returns the discovery document at a path, or undefined if there is none. */
export function discoveryAt(path: string): object | undefined {
  const groups = [...new Set(Object.values(RESOURCES).map(apiVersionOf))].filter((one) => one !== 'v1').map(groupOf);
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups };
  const group = groups.find(({ name }) => path === `/apis/${name}`);
  if (group !== undefined) return group;
  const resources = Object.entries(RESOURCES).filter(([, { base }]) => base === path);
  const [first] = resources;
  if (first === undefined) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(first[1]),
    resources: resources.map(([name, { kind, namespaced }]) => ({
      name,
      kind,
      namespaced,
      singularName: '',
      verbs: VERBS,
    })),
  };
}

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];

function groupOf(groupVersion: string) {
  const [name = '', version = ''] = groupVersion.split('/');
  const entry = { groupVersion, version };
  return { kind: 'APIGroup', apiVersion: 'v1', name, versions: [entry], preferredVersion: entry };
}
