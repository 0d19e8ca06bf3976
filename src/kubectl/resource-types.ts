/**
 * Finds the types of resources of a cluster by the names that kubectl takes: kind, plural, singular and short names, with
 * or without group. `check` and `connect` call it. Bounded in groups and types.
 */

import { ProviderError } from '../base/errors.ts';
import { nearest, quote } from '../base/words.ts';
import type { KubeApi } from './api.ts';
import { at, type KubeObject, objectsAt, textAt } from './objects.ts';

/** A type of resources. */
export interface ResourceType {
  /** Empty for the core API. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  /** All names that kubectl takes, in lower case. */
  readonly names: readonly string[];
  readonly namespaced: boolean;
}

/** Workloads of the core API. */
const CORE: readonly ResourceType[] = [
  ['Pod', 'pods', 'po'],
  ['ReplicationController', 'replicationcontrollers', 'rc'],
  ['PodTemplate', 'podtemplates', 'podtemplates'],
].map(([kind = '', plural = '', short = '']) => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  names: [kind.toLowerCase(), plural, short],
  namespaced: true,
}));

/** Groups of the resources that have `keyVault` fields. */
const BROKER_GROUP = /(^|\.)iotoperations\.azure\.com$|^az-edge\.com$/;
const MAX_GROUPS = 200;
const MAX_TYPES = 5_000;
/** How an API server describes all its types in one answer: since Kubernetes 1.27. */
const AGGREGATED = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .concat('application/json')
  .join(',');

/** Returns the path below which the objects of a type are. */
export function pathOfType({ group, version, plural, namespaced }: ResourceType, namespace: string): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespaced && namespace !== '' ? `${base}/namespaces/${namespace}/${plural}` : `${base}/${plural}`;
}

/** Returns the path of an object. */
export function pathOfObject(type: ResourceType, namespace: string, name: string): string {
  return `${pathOfType(type, namespace)}/${encodeURIComponent(name)}`;
}

/** Returns `version` or `group/version`. */
export function apiVersionOf({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`;
}

/** True for a type whose resources can have `keyVault` fields. */
export function isBrokerType({ group }: ResourceType): boolean {
  return BROKER_GROUP.test(group);
}

/** Returns the types of a cluster, each in its preferred version. Throws: the errors of `KubeApi`. */
export async function readTypes(api: KubeApi): Promise<readonly ResourceType[]> {
  const answer = await api.json({ path: '/apis', accept: AGGREGATED });
  const types =
    textAt(answer, 'kind') === 'APIGroupList'
      ? await typesOfGroups(api, objectsAt(answer, 'groups'))
      : objectsAt(answer, 'items').flatMap(typesOfItem);
  return [...CORE, ...types.slice(0, MAX_TYPES)];
}

function typesOfItem(item: KubeObject): readonly ResourceType[] {
  const group = textAt(item, 'metadata', 'name');
  const [preferred] = objectsAt(item, 'versions');
  return objectsAt(preferred, 'resources').map((resource) =>
    typeOf(
      { group, version: textAt(preferred, 'version'), kind: textAt(resource, 'responseKind', 'kind') },
      {
        plural: textAt(resource, 'resource'),
        singular: textAt(resource, 'singularResource'),
        shortNames: at(resource, 'shortNames'),
        namespaced: textAt(resource, 'scope') === 'Namespaced',
      },
    ),
  );
}

/** Asks for each group by itself, as servers before 1.27 need it. A group that does not answer has no types. */
async function typesOfGroups(api: KubeApi, groups: readonly KubeObject[]): Promise<readonly ResourceType[]> {
  const all: ResourceType[] = [];
  for (const group of groups.slice(0, MAX_GROUPS)) {
    const groupVersion = textAt(group, 'preferredVersion', 'groupVersion');
    const list = await api.json({ path: `/apis/${groupVersion}` }).catch((error: unknown) => {
      if (error instanceof ProviderError) return {};
      throw error;
    });
    const [name = '', version = ''] = groupVersion.split('/');
    for (const resource of objectsAt(list, 'resources').filter((one) => !textAt(one, 'name').includes('/')))
      all.push(
        typeOf(
          { group: name, version, kind: textAt(resource, 'kind') },
          {
            plural: textAt(resource, 'name'),
            singular: textAt(resource, 'singularName'),
            shortNames: at(resource, 'shortNames'),
            namespaced: at(resource, 'namespaced') === true,
          },
        ),
      );
  }
  return all;
}

function typeOf(
  { group, version, kind }: Pick<ResourceType, 'group' | 'version' | 'kind'>,
  parts: {
    readonly plural: string;
    readonly singular: string;
    readonly shortNames: unknown;
    readonly namespaced: boolean;
  },
): ResourceType {
  const { plural, singular, shortNames, namespaced } = parts;
  const short = Array.isArray(shortNames) ? shortNames.filter((one) => typeof one === 'string') : [];
  const names = [kind, plural, singular, ...short].map((one) => one.toLowerCase()).filter((one) => one !== '');
  return { group, version, kind, plural, names: [...new Set(names)], namespaced };
}

/** True if kubectl takes a word as a name of the type. */
export function isNamed({ names, group }: ResourceType, word: string): boolean {
  const lower = word.toLowerCase();
  return names.some((name) => lower === name || (group !== '' && lower === `${name}.${group}`));
}

/** Returns the type that a word names, such as `deploy`, `BrokerListener` or `deployments.apps`. Throws: ERR_USAGE. */
export function typeNamed(word: string, types: readonly ResourceType[]): ResourceType {
  const found = types.find((type) => isNamed(type, word));
  if (found !== undefined) return found;
  const near = nearest(
    word.toLowerCase(),
    types.flatMap(({ names }) => names),
  );
  const hint = near === undefined ? 'kubectl api-resources lists them' : `did you mean ${quote(near)}?`;
  throw new ProviderError('ERR_USAGE', `the cluster has no resources of the kind ${quote(word)}; ${hint}`);
}
