/**
 * Reads and checks the SecretProviderClasses of a cluster. All commands of the kubectl plugin use it. Refuses a cluster
 * without the driver's resources, with the next step.
 */

import { ProviderError } from '../base/errors.ts';
import { type CheckContext, checkManifests } from '../spc/check.ts';
import type { Finding } from '../spc/finding.ts';
import type { KubeApi } from './api.ts';
import { listNoted } from './lists.ts';
import type { KubeObject } from './objects.ts';
import { apiVersionOf, pathOfType, type ResourceType } from './resource-types.ts';

/** The type of SecretProviderClasses. */
export const CLASS_TYPE: ResourceType = {
  group: 'secrets-store.csi.x-k8s.io',
  version: 'v1',
  kind: 'SecretProviderClass',
  plural: 'secretproviderclasses',
  names: ['secretproviderclass', 'secretproviderclasses', 'spc'],
  namespaced: true,
};

/**
 * Returns the classes of a namespace, or of all if it is empty, with their kind, which items of a list need not name.
 * Throws: the errors of `KubeApi`; ERR_NOT_FOUND with the next step if the cluster does not know the type.
 */
export async function readClasses(api: KubeApi, namespace: string, notes: string[]): Promise<readonly KubeObject[]> {
  const path = pathOfType(CLASS_TYPE, namespace);
  const items = await listNoted(api, path, { what: 'SecretProviderClasses', notes }).catch((error: unknown) => {
    throw withoutDriver(error);
  });
  const { kind } = CLASS_TYPE;
  return items.map((one) => ({ ...one, apiVersion: apiVersionOf(CLASS_TYPE), kind }));
}

function withoutDriver(error: unknown): unknown {
  if (!(error instanceof ProviderError) || error.code !== 'ERR_NOT_FOUND') return error;
  const reason = 'the cluster has no resource SecretProviderClass; install the Secrets Store CSI driver';
  return new ProviderError('ERR_NOT_FOUND', `${error.message}: ${reason}`);
}

/** Returns what the parser of the provider finds in a class. */
export async function checkClass(object: object, check: CheckContext): Promise<readonly Finding[]> {
  const { findings, manifests } = await checkManifests(JSON.stringify(object), check);
  return [...findings, ...manifests.flatMap((one) => one.findings)];
}

/** Returns the message of a finding, with its field if it does not name it: there is no line to point at. */
export function withField({ path, message }: Finding): string {
  return path === '' || message.includes(path) ? message : `${message} (${path})`;
}
