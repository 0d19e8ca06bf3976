/**
 * Makes the SecretSyncs of a class, from which the Secrets Store sync controller makes Kubernetes Secrets without a pod
 * that mounts the class. Called by `render --sync-controller`. Refuses classes that the controller cannot serve.
 */

import { quote } from '../../base/words.ts';
import type { RenderedVolume } from '../volume.ts';

/** Why the controller gets nothing with an identity. It sends the token of a ServiceAccount, and nothing else. */
const REFUSED: Readonly<Partial<Record<RenderedVolume['identity'], string>>> = {
  'service-principal':
    'uses a service principal; the sync controller sends the provider no Secret with credentials, as a pod does by nodePublishSecretRef',
  'managed-identity':
    'uses a managed identity; with the sync controller that is the identity of the node on which the controller runs, for all namespaces alike',
};
const REMEDY = 'give it credentials.workloadIdentity, or use --sync-secrets, with which the driver makes the Secret';

/** Returns the SecretSyncs of a class with `secretObjects`, as data for the API server. */
export function secretSyncsOf(rendered: RenderedVolume, serviceAccount: string): readonly object[] {
  const { name, namespace, secretObjects } = rendered;
  return secretObjects.map(({ secretName, type, data }) => ({
    apiVersion: 'secret-sync.x-k8s.io/v1alpha1',
    kind: 'SecretSync',
    // The controller gives the Secret the name of the SecretSync.
    metadata: { name: secretName, ...(namespace === '' ? {} : { namespace }) },
    spec: {
      serviceAccountName: serviceAccount,
      secretProviderClassName: name,
      secretObject: { type, data: data.map(({ key, objectName }) => ({ sourcePath: objectName, targetKey: key })) },
    },
  }));
}

/** Returns why the controller cannot serve a class, in words that follow its origin; undefined if it can. */
export function secretSyncProblem({ identity, secretObjects }: RenderedVolume): string | undefined {
  const refused = REFUSED[identity];
  if (refused !== undefined) return `${refused}; ${REMEDY}`;
  const paths = secretObjects.flatMap(({ data }) => data.map(({ objectName }) => objectName));
  const bad = paths.find((path) => !isSourcePath(path));
  if (bad === undefined) return undefined;
  const rule = 'letters, digits, and single "-", "_" and "." between them';
  return `gives the file ${quote(bad)}, which a SecretSync cannot name: its paths have ${rule}; give the file another name`;
}

/** The names that the pattern of `sourcePath` takes for certain; it has no directories. */
function isSourcePath(path: string): boolean {
  return (
    path.length <= 253 && path.split(/[-._]/).every((part) => /^[A-Za-z0-9]+$/.test(part)) && !/^.[-._]/.test(path)
  );
}
