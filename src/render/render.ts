/**
 * Turns `keyVault` fields of broker resources into SecretProviderClasses, volumes and mounts. Called by the command
 * `render`. Each source is searched, each field prepared, and then all fields are named together.
 */

import { oneOf, quote } from '../base/words.ts';
import { type Found, type FoundKeyVault, findKeyVaults, type Source } from './find.ts';
import { assignFrom } from './from.ts';
import { DEFAULT_MOUNT_PATH, mountPathNames, mountPathOf } from './mount-path.ts';
import { assignNames, type NameParts } from './names.ts';
import { type Prepared, type PrepareOptions, prepare, takesFileName } from './prepare.ts';
import type { Remark } from './remark.ts';
import { labelRemark, originOf, remarksOf } from './remarks.ts';
import { secretObjectsOf } from './secret-objects.ts';
import { csiVolume, mountOf, type RenderedVolume } from './volume.ts';

/** Options of {@link render}. */
export interface RenderOptions extends PrepareOptions {
  /** Adds `secretObjects`, so that the driver also creates Kubernetes Secrets. */
  readonly syncSecrets?: boolean;
  /** The name of the provider in the SecretProviderClasses. Default: {@link DEFAULT_PROVIDER}. */
  readonly provider?: string;
  /** The template of the mount paths; see mount-path.ts. Default: {@link DEFAULT_MOUNT_PATH}. */
  readonly mountPath?: string;
}

/** The name under which the official provider runs, and this one without an option. */
const DEFAULT_PROVIDER = 'azure';

/** The result for all sources: volumes in the order of the text, and remarks. */
export interface Rendering {
  readonly volumes: readonly RenderedVolume[];
  readonly remarks: readonly Remark[];
  /** Mistakes in the options: keys of `fileNames` that name nothing. */
  readonly mistakes: readonly string[];
}

/**
 * Turns every `keyVault` object of the sources into a SecretProviderClass with its volume. Names depend on the contents
 * of the sources, and not on their order.
 */
export function render(sources: readonly Source[], options: RenderOptions = {}): Rendering {
  return renderFound(
    sources.map((source) => findKeyVaults(source)),
    options,
  );
}

/** Turns the objects that were found in each source into SecretProviderClasses with their volumes; see {@link render}. */
export function renderFound(scans: readonly Found[], options: RenderOptions): Rendering {
  const prepared = scans.flatMap(({ found }) => found.map((one) => prepare(one, options)));
  const parts = prepared.map(namePartsOf);
  const [names, origins] = [assignNames(parts), assignFrom(parts)];
  const volumes = prepared.map((one, index) =>
    volumeOf(one, { name: names[index] ?? '', from: isNamed(one.found) ? (origins[index] ?? '') : '', ...options }),
  );
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
  return { volumes, remarks: bySource.flat(), mistakes: unusedNames(prepared, options) };
}

/** Returns a mistake for each file name that was given for no field. */
function unusedNames(prepared: readonly Prepared[], { fileNames = new Map() }: RenderOptions): readonly string[] {
  const used = new Set(prepared.map(({ namedBy }) => namedBy));
  const roles = prepared.flatMap(({ place: { role }, field: { names } }) =>
    takesFileName(role, names) ? [role.name] : [],
  );
  const known =
    roles.length === 0 ? 'no field has a secret that becomes one file' : `there are: ${oneOf([...new Set(roles)])}`;
  const unused = [...fileNames.keys()].filter((key) => !used.has(key));
  return unused.map((key) => `--file-name ${quote(key)} names no field with a secret that becomes one file; ${known}`);
}

/** True for a resource that an item can name. An ARM resource has a slash in its name. */
function isNamed({ resource: { kind, name, isArm } }: FoundKeyVault): boolean {
  return kind !== '' && name !== '' && isArm !== true;
}

interface VolumeOptions extends RenderOptions {
  readonly name: string;
  readonly from: string;
}

function volumeOf(prepared: Prepared, options: VolumeOptions): RenderedVolume {
  const { name, from, syncSecrets = false, provider = DEFAULT_PROVIDER, mountPath = DEFAULT_MOUNT_PATH } = options;
  const { found, place, text, siblings, field } = prepared;
  const secretName = field.identity.kind === 'service-principal' ? field.identity.secretName : '';
  return {
    name,
    namespace: found.resource.namespace,
    found,
    role: place.role,
    identity: field.identity.kind,
    origin: originOf(found),
    from,
    provider,
    parameters: { keyVault: text, ...siblings },
    secretObjects: syncSecrets ? secretObjectsOf(name, field) : [],
    volume: csiVolume(name, secretName),
    volumeMount: mountOf(name, mountPathOf(mountPath, mountPathNames(name, from))),
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
