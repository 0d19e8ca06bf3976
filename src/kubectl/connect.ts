/**
 * Plans how a broker resource of a cluster is connected with a workload: the SecretProviderClasses of its `keyVault`
 * fields, and the volumes and mounts that the workload gets. `kubectl akv connect` calls it. It only reads. Refuses what
 * `render` refuses, and a class of the same name that was made from something else.
 */

import { stringify } from 'yaml';
import { ProviderError } from '../base/errors.ts';
import { quote } from '../base/words.ts';
import { DEFAULT_CONTAINER, FROM, WATCH } from '../render/into/annotations.ts';
import { applyChanges, jsonPatchOf } from '../render/into/changes.ts';
import { classOfManifest, classOfVolume, type KnownClass } from '../render/into/classes.ts';
import { listAt, type Path, valueAt } from '../render/into/data.ts';
import { type MountItem, parseItems } from '../render/into/items.ts';
import { mountInto, type Wish } from '../render/into/mount-into.ts';
import type { Surroundings } from '../render/into/resolve.ts';
import { type Workload, workloadOf } from '../render/into/workload.ts';
import { DEFAULT_MOUNT_PATH } from '../render/mount-path.ts';
import { type Rendering, type RenderOptions, render } from '../render/render.ts';
import { classOf } from '../render/volume.ts';
import type { CheckContext } from '../spc/check.ts';
import { withLanguages } from '../spc/languages.ts';
import type { KubeApi } from './api.ts';
import type { Write } from './apply.ts';
import { CLASS_TYPE, checkClass, readClasses } from './classes.ts';
import { at, type KubeObject, nameOf, objectsAt, textAt } from './objects.ts';
import { pathOfObject, type ResourceType, readTypes, typeNamed } from './resource-types.ts';

/** What is connected. */
export interface ConnectRequest {
  readonly namespace: string;
  /** One item, such as `BrokerListener/front` or `broker=BrokerListener/front/tls:/tls`; see items.ts. */
  readonly item: string;
  /** Such as `deploy/mosquitto`. */
  readonly workload: string;
  readonly options: RenderOptions;
  readonly check: CheckContext;
}

/** What has to be written, in this order. */
export interface ConnectPlan {
  /** The classes, then the workload. Objects that are as they have to be are left out. */
  readonly writes: readonly Write[];
  /** Nothing is written if there is one. */
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
  /** Names of the classes that the workload gets. */
  readonly classes: readonly string[];
  readonly workload: { readonly type: ResourceType; readonly name: string };
}

/** Groups of the API server's own workloads, whose lists it merges by name. */
const MERGED_GROUPS: readonly string[] = ['', 'apps', 'batch'];

/** Reads resource and workload, and plans. Throws: the errors of `KubeApi`; ERR_USAGE for names that mean nothing. */
export async function planConnect(api: KubeApi, request: ConnectRequest): Promise<ConnectPlan> {
  const { namespace } = request;
  const item = oneItem(request.item);
  const types = [CLASS_TYPE, ...(await readTypes(api))];
  const [kind = '', name = '', ...rest] = request.workload.split('/');
  if (name === '' || rest.length > 0)
    throw new ProviderError('ERR_USAGE', `${quote(request.workload)} is no workload; the form is deploy/NAME`);
  const [type, resourceType] = [typeNamed(kind, types), typeNamed(item.kind, types)];
  const notes: string[] = [];
  const existing = await readClasses(api, namespace, notes);
  const [live, resource] = await Promise.all([
    getObject(api, { type, namespace, name }),
    getObject(api, { type: resourceType, namespace, name: item.name }),
  ]);
  const rendering = await renderedOf(resource, resourceType, request.options);
  const named = { ...item, kind: resourceType.kind };
  const manager = managerOf(named);
  const classWrites = rendering.volumes.flatMap((volume): readonly Write[] => {
    const body = withNamespace(classOf(volume), namespace);
    const old = existing.find((one) => nameOf(one).name === volume.name);
    return [{ type: CLASS_TYPE, namespace, name: volume.name, live: old, how: 'apply', body, manager }];
  });
  const made = new Set(rendering.volumes.map((volume) => volume.name));
  const given = await surroundingsOf(
    { rendering, existing: existing.filter((one) => !made.has(nameOf(one).name)) },
    request,
  );
  const wish = { place: 'RESOURCE', text: textOfItem(named) };
  const planned = planWorkload({ live, type, namespace, given, wish, manager });
  const errors = rendering.remarks.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  const mistakes = [
    ...errors,
    ...rendering.mistakes,
    ...classWrites.flatMap(foreignClass),
    ...(errors.length > 0 ? [] : await mistakesOf(classWrites, request.check)),
    ...planned.mistakes,
  ];
  notes.push(...rendering.remarks.filter(({ severity }) => severity === 'note').map(({ message }) => message));
  return {
    writes: [...classWrites, ...planned.writes],
    mistakes,
    notes: [...notes, ...planned.notes, ...ownerNote(live)],
    classes: [...made],
    workload: { type, name },
  };
}

/** Returns the one item of a text. Throws: ERR_USAGE. */
function oneItem(text: string): MountItem {
  const { items, mistakes } = parseItems(text);
  const [item, ...others] = items;
  if (item !== undefined && others.length === 0 && mistakes.length === 0) return item;
  throw new ProviderError('ERR_USAGE', mistakes[0] ?? 'connect takes one item at a time');
}

/** Returns the text of an item. Its kind is no short name of kubectl any more. */
function textOfItem({ container, kind, name, role, mountPath }: MountItem): string {
  const start = container === undefined ? '' : `${container}=`;
  const end = mountPath === undefined ? '' : `:${mountPath}`;
  return `${start}${kind}/${name}${role === undefined ? '' : `/${role}`}${end}`;
}

/** Returns the object. Throws: ERR_NOT_FOUND with the next step. */
async function getObject(
  api: KubeApi,
  { type, namespace, name }: { readonly type: ResourceType; readonly namespace: string; readonly name: string },
): Promise<KubeObject> {
  try {
    return await api.json({ path: pathOfObject(type, namespace, name) });
  } catch (error) {
    if (!(error instanceof ProviderError) || error.code !== 'ERR_NOT_FOUND') throw error;
    const remedy = `kubectl get ${type.plural} -A shows where it is; choose its namespace with -n`;
    throw new ProviderError(
      'ERR_NOT_FOUND',
      `there is no ${type.kind} ${quote(name)} in namespace ${namespace}; ${remedy}`,
    );
  }
}

/** Renders the `keyVault` fields of a resource. A SecretProviderClass is taken as it is. */
async function renderedOf(resource: KubeObject, type: ResourceType, options: RenderOptions): Promise<Rendering> {
  if (type.plural === CLASS_TYPE.plural) return { volumes: [], remarks: [], mistakes: [] };
  const { namespace, name } = nameOf(resource);
  const { spec } = resource;
  // Without what kubectl apply keeps in annotations, so that nothing but the spec is searched.
  const own = { apiVersion: resource.apiVersion, kind: type.kind, metadata: { name, namespace }, spec };
  const rendering = await withLanguages(() =>
    render([{ name: type.kind, text: stringify(own, { lineWidth: 0 }) }], options),
  );
  if (rendering.volumes.length > 0 || rendering.remarks.some(({ severity }) => severity === 'error')) return rendering;
  throw new ProviderError(
    'ERR_BAD_PARAMETERS',
    `${type.kind} ${name} has no keyVault field, so there is nothing to mount`,
  );
}

function withNamespace({ metadata, ...rest }: ReturnType<typeof classOf>, namespace: string): KubeObject {
  return { ...rest, metadata: { ...metadata, namespace } };
}

/** Returns what the provider would refuse in the classes, such as a placeholder of the documentation. */
async function mistakesOf(writes: readonly Write[], check: CheckContext): Promise<readonly string[]> {
  const mistakes = writes.map(async ({ name, body }) => {
    const errors = (await checkClass(body, check)).filter(({ severity }) => severity === 'error');
    return errors.map(({ message }) => `SecretProviderClass ${name}: ${message}`);
  });
  return (await Promise.all(mistakes)).flat();
}

/** Returns a mistake if a class of this name exists that was made from something else. */
function foreignClass({ name, live, body }: Write): readonly string[] {
  if (live === undefined) return [];
  const [theirs, ours] = [live, body].map((one) => textAt(one, 'metadata', 'annotations', FROM));
  if (theirs === ours) return [];
  const whose = theirs === '' ? 'not made by this program' : `made from ${theirs}`;
  return [`SecretProviderClass ${name} exists and is ${whose}; delete it, or connect it: SecretProviderClass/${name}`];
}

async function surroundingsOf(
  { rendering, existing }: { readonly rendering: Rendering; readonly existing: readonly KubeObject[] },
  { namespace, options }: ConnectRequest,
): Promise<Surroundings> {
  const known = await withLanguages(() => existing.map(classOfManifest));
  const classes = [
    ...rendering.volumes.map(classOfVolume),
    ...known.filter((one): one is KnownClass => one !== undefined),
  ];
  return { classes, mountPath: options.mountPath ?? DEFAULT_MOUNT_PATH, namespace, place: `in namespace ${namespace}` };
}

interface WorkloadParts {
  readonly live: KubeObject;
  readonly type: ResourceType;
  readonly namespace: string;
  readonly given: Surroundings;
  readonly wish: Wish;
  readonly manager: string;
}

function planWorkload(parts: WorkloadParts): Pick<ConnectPlan, 'writes' | 'mistakes' | 'notes'> {
  const { live, type, namespace, given, wish, manager } = parts;
  const { name } = nameOf(live);
  const manifest = { ...live, kind: type.kind };
  const { changes, mistakes, notes } = mountInto(manifest, given, [wish]);
  if (changes.length === 0 || mistakes.length > 0) return { writes: [], mistakes, notes };
  if (type.kind === 'Pod' && type.group === '') {
    const rule = 'the volumes of a pod cannot change; connect the workload that it belongs to, such as deploy/NAME';
    return { writes: [], mistakes: [`Pod ${name}: ${rule}`], notes };
  }
  const place = { type, namespace, name, live, manager };
  const workload = workloadOf(manifest);
  // The container that watches is of all items and volumes together, and not of one item.
  const watched = workload?.annotations[WATCH] !== undefined;
  if (MERGED_GROUPS.includes(type.group) && workload !== undefined && !watched) {
    const body = appliedOf({ ...parts, live: manifest }, workload);
    return { writes: [{ ...place, how: 'apply', body }], mistakes, notes };
  }
  const version = textAt(live, 'metadata', 'resourceVersion');
  const test = { op: 'test', path: '/metadata/resourceVersion', value: version };
  return { writes: [{ ...place, how: 'patch', body: [test, ...jsonPatchOf(changes)] }], mistakes, notes };
}

/** Returns the fields of a workload that the item alone asks for: what a server-side apply owns. */
function appliedOf({ live, given, wish }: WorkloadParts, { path, spec, annotations }: Workload): KubeObject {
  const skeletonOf = (list: string) => listAt(spec, [list]).map((one) => ({ name: valueAt(one, ['name']) }));
  const preferred = annotations[DEFAULT_CONTAINER];
  const pod = {
    metadata: { annotations: preferred === undefined ? {} : { [DEFAULT_CONTAINER]: preferred } },
    spec: { containers: skeletonOf('containers'), initContainers: skeletonOf('initContainers') },
  };
  const head = { apiVersion: live.apiVersion, kind: live.kind, metadata: nameOf(live) };
  const bare = nest(path, pod);
  const { changes } = mountInto({ ...head, ...bare }, given, [wish]);
  const filled = applyChanges(bare, changes);
  const withMounts = (list: string) => {
    const mounting = listAt(filled, [...path, 'spec', list]).filter((one) => at(one, 'volumeMounts') !== undefined);
    return mounting.length === 0 ? {} : { [list]: mounting };
  };
  const volumes = listAt(filled, [...path, 'spec', 'volumes']);
  return {
    ...head,
    ...nest(path, { spec: { volumes, ...withMounts('containers'), ...withMounts('initContainers') } }),
  };
}

function nest(path: Path, value: object): Readonly<Record<string, unknown>> {
  return path.reduceRight<object>((inner, name) => ({ [name]: inner }), value) as Readonly<Record<string, unknown>>;
}

/** Returns a note if something owns the workload, which would undo the change. */
function ownerNote(live: KubeObject): readonly string[] {
  const owner = objectsAt(live, 'metadata', 'ownerReferences').find((one) => at(one, 'controller') === true);
  if (owner === undefined) return [];
  const name = `${textAt(owner, 'kind')} ${textAt(owner, 'name')}`;
  return [`${name} owns this workload and may undo the change; connect ${name} if it is a workload`];
}

const MAX_MANAGER = 120;

/**
 * Returns the field manager: one for each resource and container, so that connecting a second resource does not take the
 * volumes of the first away.
 */
function managerOf({ container, kind, name, role }: MountItem): string {
  const parts = ['kubectl-akv', kind, name, role, container].filter((part) => part !== undefined);
  return parts.join('/').slice(0, MAX_MANAGER);
}
