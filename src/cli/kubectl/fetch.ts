/**
 * Reads the current versions of the objects of SecretProviderClasses from their vaults, for `kubectl akv status --fetch`.
 * Makes a Mount for each class in this process, with credentials of the command line, and writes nothing.
 */

import { messageOf, ProviderError } from '../../base/errors.ts';
import { isJsonObject } from '../../base/json.ts';
import type { KubeApi } from '../../kubectl/api.ts';
import type { ClassStatus, MountedObject } from '../../kubectl/class-status.ts';
import { CLASS_TYPE } from '../../kubectl/classes.ts';
import { at, textAt } from '../../kubectl/objects.ts';
import { pathOfObject } from '../../kubectl/resource-types.ts';
import type { StatusReport } from '../../kubectl/status.ts';
import { ClassFetcher } from '../check-fetch.ts';
import type { CloudOptions } from '../cloud-options.ts';
import type { Io } from '../io.ts';
import type { RequestOptions } from '../mount-request.ts';
import type { DirectMount } from '../provider.ts';

/** The parts of the program that the Mounts need. */
export interface FetchParts {
  readonly directMount: DirectMount;
  readonly options: CloudOptions & Partial<Omit<RequestOptions, 'namespace'>>;
  readonly api: KubeApi;
}

/**
 * Returns the report with the versions of the vaults as the current ones. A class that cannot be read keeps its versions,
 * and a note says why. Throws: ERR_USAGE for credentials that cannot be read.
 */
export async function fetchCurrent(report: StatusReport, parts: FetchParts, io: Io): Promise<StatusReport> {
  const notes = [...report.notes];
  const classes: ClassStatus[] = [];
  const fetcher = new ClassFetcher(parts, io);
  for (const one of report.classes) {
    if (!one.pods.some(({ mounted }) => mounted) || !one.exists) classes.push(one);
    else {
      const versions = await versionsOf(one, parts.api, fetcher);
      if (typeof versions === 'string') notes.push(versions);
      classes.push(typeof versions === 'string' ? one : withVersions(one, versions));
    }
  }
  return { classes, notes };
}

/** Returns the versions by the ids of their objects, or why they could not be read. */
async function versionsOf(
  { namespace, name }: ClassStatus,
  api: KubeApi,
  fetcher: ClassFetcher,
): Promise<ReadonlyMap<string, string> | string> {
  const failure = (message: string) => `${namespace}/${name} is not read from its vault: ${message}`;
  try {
    const object = await api.json({ path: pathOfObject(CLASS_TYPE, namespace, name) });
    const all = at(object, 'spec', 'parameters');
    const entries = Object.entries(isJsonObject(all) ? all : {});
    const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    const spc = {
      name,
      namespace,
      provider: textAt(object, 'spec', 'provider'),
      parameters: Object.fromEntries(texts),
    };
    const { objectVersions, findings } = await fetcher.fetch({
      spc,
      manifests: { classes: [spc], secrets: [] },
      namespace,
    });
    const error = findings.find(({ severity }) => severity === 'error');
    if (error !== undefined) return failure(error.message);
    return new Map(objectVersions.map(({ id, version }) => [id, version]));
  } catch (error) {
    if (!(error instanceof ProviderError) || error.code === 'ERR_USAGE') throw error;
    return failure(messageOf(error));
  }
}

function withVersions(one: ClassStatus, versions: ReadonlyMap<string, string>): ClassStatus {
  const read = (object: MountedObject): MountedObject => {
    const current = versions.get(object.id);
    return current === undefined ? object : { ...object, current, fetched: true };
  };
  return { ...one, pods: one.pods.map((pod) => ({ ...pod, objects: pod.objects.map(read) })) };
}
