/**
 * Makes the objects that `render` prints next to the classes: Deployments that hold Secrets, SecretSyncs, and broker
 * resources with `secretName`. Called by the command. Refuses what cannot work, with the place of the field.
 */

import type { Source } from '../find.ts';
import type { Remark } from '../remark.ts';
import type { RenderedVolume } from '../volume.ts';
import { type HolderOptions, holderOf } from './holder.ts';
import { withSecretNames } from './secret-names.ts';
import { secretSyncProblem, secretSyncsOf } from './secret-sync.ts';

/** What is printed next to the classes. */
export interface MoreOptions {
  /** Adds a Deployment for each class. */
  readonly holder?: HolderOptions;
  /** Adds SecretSyncs, which use this ServiceAccount. The classes then have no `secretObjects`. */
  readonly syncServiceAccount?: string;
  /** Adds the broker resources, with `secretName` in place of `keyVault`. */
  readonly secretNames?: boolean;
}

/** The result: the classes to print, and what comes after them. */
export interface More {
  readonly volumes: readonly RenderedVolume[];
  readonly objects: readonly object[];
  /** Documents as text, each ending in a line break. */
  readonly documents: readonly string[];
  readonly remarks: readonly Remark[];
}

/** Makes them. `volumes` are rendered with `secretObjects` if {@link needsSecrets}. */
export function moreOf(sources: readonly Source[], volumes: readonly RenderedVolume[], options: MoreOptions): More {
  const { holder, syncServiceAccount, secretNames = false } = options;
  const named = secretNames ? withSecretNames(sources, volumes) : { documents: [], mistakes: [] };
  const isSynced = syncServiceAccount !== undefined;
  return {
    volumes: isSynced ? volumes.map((one) => ({ ...one, secretObjects: [] })) : volumes,
    objects: volumes.flatMap((one) => [
      ...(holder === undefined ? [] : [holderOf(one, holder)]),
      ...(isSynced ? secretSyncsOf(one, syncServiceAccount) : []),
    ]),
    documents: named.documents,
    remarks: [
      ...named.mistakes.map(({ rendered, problem }) => remark('error', rendered, problem)),
      ...volumes.flatMap((one) => remarksOn(one, options)),
    ],
  };
}

function remarksOn(rendered: RenderedVolume, options: MoreOptions): readonly Remark[] {
  const { holder, syncServiceAccount, secretNames = false } = options;
  if (syncServiceAccount !== undefined) {
    const problem = secretSyncProblem(rendered);
    return problem === undefined ? [] : [remark('error', rendered, problem)];
  }
  if (holder === undefined) return secretNames ? [remark('note', rendered, UNHELD)] : [];
  const needsAccount = rendered.identity === 'workload-identity' && holder.serviceAccount === undefined;
  return needsAccount ? [remark('note', rendered, HOLDER_ACCOUNT)] : [];
}

/** Returns true if the classes have to be rendered with `secretObjects`. */
export function needsSecrets({ holder, syncServiceAccount, secretNames = false }: MoreOptions): boolean {
  return holder !== undefined || syncServiceAccount !== undefined || secretNames;
}

const HOLDER_ACCOUNT =
  'the pod of the holder logs in with the ServiceAccount "default" of its namespace; --account-name names another one';
const UNHELD =
  'the driver makes the Secret while a pod mounts the class, and deletes it after the last one; --holder adds a Deployment that mounts it';

function remark(severity: Remark['severity'], { found, origin }: RenderedVolume, problem: string): Remark {
  return { severity, source: found.source, line: found.line, message: `${origin}: ${problem}` };
}
