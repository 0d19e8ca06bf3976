/**
 * Writes objects to a cluster: by server-side apply, or by a JSON patch where the API server cannot merge lists. Shows
 * before what the server would make of them. `kubectl akv connect` calls it. Explains conflicts.
 */

import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import { ProviderError } from '../base/errors.ts';
import { isJsonObject } from '../base/json.ts';
import type { KubeApi } from './api.ts';
import { type KubeObject, textAt } from './objects.ts';
import { pathOfObject, type ResourceType } from './resource-types.ts';

/** One object to write. */
export type Write = {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
  /** The object in the cluster; undefined if there is none. */
  readonly live: KubeObject | undefined;
  /** The field manager. */
  readonly manager: string;
} & (
  | { readonly how: 'apply'; readonly body: KubeObject }
  /** A JSON patch (RFC 6902). */
  | { readonly how: 'patch'; readonly body: readonly object[] }
);

/** How objects are written. */
export interface WriteOptions {
  readonly dryRun: boolean;
  /** Takes fields of other managers over. */
  readonly forceConflicts: boolean;
}

/**
 * Writes an object and returns what the server made of it. With `dryRun` nothing is kept.
 * Throws: the errors of `KubeApi`; a conflict names the other manager and what to do.
 */
export async function writeObject(
  api: KubeApi,
  write: Write,
  { dryRun, forceConflicts }: WriteOptions,
): Promise<KubeObject> {
  const isApply = write.how === 'apply';
  const query = new URLSearchParams({
    fieldManager: write.manager,
    ...(dryRun ? { dryRun: 'All' } : {}),
    ...(isApply && forceConflicts ? { force: 'true' } : {}),
  });
  const path = `${pathOfObject(write.type, write.namespace, write.name)}?${query}`;
  // JSON is YAML, the form that the API server takes for an apply.
  const type = isApply ? 'application/apply-patch+yaml' : 'application/json-patch+json';
  try {
    return await api.json({ path, method: 'PATCH', body: { type, text: JSON.stringify(write.body) } });
  } catch (error) {
    if (!(error instanceof ProviderError) || error.details.httpStatus !== 409) throw error;
    const remedy = isApply
      ? 'change it where that manager has it (a chart, a Git repository), for example by akv-csi render --into; or take the field over with --force-conflicts, until that manager writes it again'
      : 'it was changed at the same time; run the command again';
    throw new ProviderError(error.code, `${error.message}; ${remedy}`, { details: error.details });
  }
}

/** Fields that the server fills in, and that differ for no reason of this program. */
const SERVER_FIELDS: readonly string[] = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp'];

/** Returns the difference that a write makes, as kubectl diff prints it; empty if there is none. */
export function diffOf({ type, namespace, name, live }: Write, merged: KubeObject): string {
  const file = `${type.group === '' ? type.version : `${type.group}.${type.version}`}.${type.kind}.${namespace}.${name}`;
  const [before, after] = [live === undefined ? '' : textOf(live, type), textOf(merged, type)];
  return before === after
    ? ''
    : createTwoFilesPatch(`LIVE/${file}`, `MERGED/${file}`, before, after, '', '', { context: 3 });
}

function textOf(object: KubeObject, { kind }: ResourceType): string {
  const { status: _, metadata, kind: __, apiVersion, ...rest } = object;
  const entries = Object.entries(isJsonObject(metadata) ? metadata : {});
  const own = Object.fromEntries(entries.filter(([name]) => !SERVER_FIELDS.includes(name)));
  const version = textAt(object, 'apiVersion') === '' ? {} : { apiVersion };
  return stringify(
    { ...version, kind, metadata: own, ...rest },
    { lineWidth: 0, sortMapEntries: true, aliasDuplicateObjects: false },
  );
}
