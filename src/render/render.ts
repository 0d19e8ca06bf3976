/**
 * Turns `keyVault` fields of broker resources into SecretProviderClasses, volumes and mounts. Called by the command
 * `render`. Each source is searched, each field prepared, and then all fields are named together.
 */

import { findKeyVaults, type Source } from './find.ts';
import { assignNames, type NameParts } from './names.ts';
import { type Prepared, prepare } from './prepare.ts';
import type { Remark } from './remark.ts';
import { labelRemark, originOf, remarksOf } from './remarks.ts';
import { secretObjectsOf } from './secret-objects.ts';
import type { RenderedVolume } from './volume.ts';

/** Options of {@link render}. */
export interface RenderOptions {
  /** Replaces placeholders such as `<AKV directory ID>` in `vault.directoryId`. */
  readonly directoryId?: string;
  /** Adds `secretObjects`, so that the driver also creates Kubernetes Secrets. */
  readonly syncSecrets?: boolean;
}

/** The result for all sources: volumes in the order of the text, and remarks. */
export interface Rendering {
  readonly volumes: readonly RenderedVolume[];
  readonly remarks: readonly Remark[];
}

/**
 * Turns every `keyVault` object of the sources into a SecretProviderClass with its volume. Names depend on the contents
 * of the sources, and not on their order.
 */
export function render(sources: readonly Source[], options: RenderOptions = {}): Rendering {
  const scans = sources.map(findKeyVaults);
  const prepared = scans.flatMap(({ found }) => found.map((one) => prepare(one, options.directoryId)));
  const names = assignNames(prepared.map(namePartsOf));
  const volumes = prepared.map((one, index) => volumeOf(one, names[index] ?? '', options));
  const labelled = new Set<string>();
  const remarks = prepared.map((one, index) => {
    const volume = volumes[index];
    return volume === undefined ? [] : [...remarksOf(one, volume), ...labelRemark(volume, one.found, labelled)];
  });
  let next = 0;
  const bySource = scans.map(({ found, remarks: own }) => {
    const end = next + found.length;
    const all = [...own, ...remarks.slice(next, end).flat()];
    next = end;
    return all;
  });
  return { volumes, remarks: bySource.flat() };
}

function volumeOf(prepared: Prepared, name: string, { syncSecrets = false }: RenderOptions): RenderedVolume {
  const { found, text, siblings, field } = prepared;
  const secretName = field.identity.kind === 'service-principal' ? field.identity.secretName : '';
  return {
    name,
    namespace: found.resource.namespace,
    origin: originOf(found),
    parameters: { keyVault: text, ...siblings },
    secretObjects: syncSecrets ? secretObjectsOf(name, field) : [],
    volume: {
      name,
      csi: {
        driver: 'secrets-store.csi.k8s.io',
        readOnly: true,
        volumeAttributes: { secretProviderClass: name },
        ...(secretName === '' ? {} : { nodePublishSecretRef: { name: secretName } }),
      },
    },
    volumeMount: { name, mountPath: `/mnt/secrets-store/${name}`, readOnly: true },
    files: field.files,
  };
}

function namePartsOf({ found, place: { role, above }, field }: Prepared): NameParts {
  const { resource, path, data } = found;
  const { kind, name, namespace } = resource;
  return {
    kind: kind || 'keyVault',
    name: name || (field.objectNames[0] ?? ''),
    role: role.name,
    positions: path.filter((element) => typeof element === 'number'),
    above,
    namespace,
    identity: JSON.stringify([namespace, kind, name, path, sorted(data)]),
  };
}

/** Returns the data with the keys of all maps sorted. */
function sorted(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(sorted);
  if (typeof data !== 'object' || data === null) return data;
  const entries = Object.entries(data).map(([key, value]): [string, unknown] => [key, sorted(value)]);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
