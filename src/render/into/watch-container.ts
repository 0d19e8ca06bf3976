/**
 * Gives a pod the container that watches its volumes, as its annotation `akv-csi/watch` asks. Called by mount-into.ts, after
 * the pod has its volumes. Refuses pods where a signal could not reach the process.
 */

import { isJsonObject } from '../../base/json.ts';
import { quote } from '../../base/words.ts';
import { DRIVER } from '../volume.ts';
import { WATCH, WATCH_IMAGE, WATCHER } from './annotations.ts';
import type { Change } from './changes.ts';
import { type Data, isSame, listAt, textAt, valueAt } from './data.ts';
import type { Surroundings } from './resolve.ts';
import { parseTasks, type WatchTasks } from './watch-items.ts';
import type { Workload } from './workload.ts';

/** What a pod asks for, and how it gets it. Mistakes and notes are words that follow the name of the workload. */
export interface Watched {
  readonly asks: boolean;
  /** Paths are from the root of the manifest. */
  readonly changes: readonly Change[];
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
}

/** The program in the image of the provider. */
const COMMAND = ['/nodejs/bin/node', '/app/main.js', 'watch'];
const RESOURCES = { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '96Mi' } };
/** The user that only sends requests: it needs no right. */
const NOBODY = 65532;

/** A mistake, in words that follow the annotation. */
class WatchMistake extends Error {}

/** Returns the changes that give a pod the container. The pod has its volumes already. */
export function watchInto(workload: Workload, given: Surroundings): Watched {
  const annotation = workload.annotations[WATCH];
  const own = annotation === undefined ? [] : [{ place: `annotation ${WATCH}`, text: annotation }];
  const wishes = [...own, ...(given.watches ?? [])];
  const existing = placesOf(workload).find(({ container }) => textAt(container, ['name']) === WATCHER);
  if (wishes.length === 0) {
    const stays = `container ${WATCHER} stays, although there is no annotation ${WATCH}; remove it from the manifest`;
    return { asks: false, changes: [], mistakes: [], notes: existing === undefined ? [] : [stays] };
  }
  const { tasks, mistakes } = parseTasks(wishes.map(({ text }) => text).join('\n'));
  try {
    if (mistakes.length > 0) throw new WatchMistake(mistakes.join('; '));
    const changes = [
      ...shareChanges(workload, tasks),
      ...containerChanges(workload, existing, containerOf(workload, tasks, given)),
    ];
    return { asks: true, changes, mistakes: [], notes: notesOf(workload) };
  } catch (error) {
    if (!(error instanceof WatchMistake)) throw error;
    return {
      asks: true,
      changes: [],
      mistakes: [`${wishes.map(({ place }) => place).join(', ')}: ${error.message}`],
      notes: [],
    };
  }
}

/** A container of the pod and where it is. */
interface Place {
  readonly list: 'containers' | 'initContainers';
  readonly index: number;
  readonly container: unknown;
}

function placesOf({ spec }: Workload): readonly Place[] {
  return (['containers', 'initContainers'] as const).flatMap((list) =>
    listAt(spec, [list]).map((container, index) => ({ list, index, container })),
  );
}

/** A pod that ends by itself, as that of a Job: only an init container that restarts does not keep it from ending. */
function endsByItself({ spec }: Workload): boolean {
  return ['Never', 'OnFailure'].includes(textAt(spec, ['restartPolicy']));
}

/** Without shared processes the container sees only its own. */
function shareChanges({ path, spec }: Workload, { processes }: WatchTasks): readonly Change[] {
  const shared = String(valueAt(spec, ['shareProcessNamespace']) ?? '');
  if (processes.length === 0 || shared === 'true' || String(valueAt(spec, ['hostPID'])) === 'true') return [];
  if (shared === 'false')
    throw new WatchMistake('shareProcessNamespace is false, so that no signal reaches the process; remove it');
  return [{ op: 'add', path: [...path, 'spec', 'shareProcessNamespace'], value: true }];
}

function containerOf(workload: Workload, tasks: WatchTasks, { watchImage }: Surroundings): Data {
  const image = workload.annotations[WATCH_IMAGE] ?? watchImage ?? '';
  if (image === '' || /\s/.test(image))
    throw new WatchMistake(
      `name the image of the provider by the annotation ${WATCH_IMAGE} or the option --watch-image`,
    );
  const volumeMounts = mountsOf(workload);
  if (volumeMounts.length === 0) throw new WatchMistake(`no container mounts a whole volume of the driver ${DRIVER}`);
  const { signal, processes, method, urls } = tasks;
  return {
    name: WATCHER,
    image,
    command: COMMAND,
    args: [
      ...volumeMounts.map(({ mountPath }) => mountPath),
      ...processes.map((name) => `--process=${name}`),
      ...(processes.length === 0 ? [] : [`--signal=${signal}`]),
      ...urls.map((url) => `--url=${url}`),
      ...(urls.length === 0 ? [] : [`--method=${method}`]),
    ],
    ...(endsByItself(workload) ? { restartPolicy: 'Always' } : {}),
    securityContext: securityOf(workload, tasks),
    resources: RESOURCES,
    volumeMounts,
  };
}

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly: true;
}

/** Returns each whole volume of the driver once, at the path of the first container that mounts it. */
function mountsOf(workload: Workload): readonly Mount[] {
  const found = new Map<string, Mount>();
  const paths = new Set<string>();
  for (const { name, mountPath, subPath } of driverMounts(workload)) {
    if (found.has(name) || subPath) continue;
    const path = paths.has(mountPath) ? `/mnt/${WATCHER}/${name}` : mountPath;
    paths.add(path);
    found.set(name, { name, mountPath: path, readOnly: true });
  }
  return [...found.values()];
}

function driverMounts(workload: Workload) {
  const ours = new Set(
    listAt(workload.spec, ['volumes'])
      .filter((volume) => textAt(volume, ['csi', 'driver']) === DRIVER)
      .map((volume) => textAt(volume, ['name'])),
  );
  return placesOf(workload).flatMap(({ container, list }) => {
    if (textAt(container, ['name']) === WATCHER) return [];
    return listAt(container, ['volumeMounts']).flatMap((mount) => {
      const [name, mountPath] = [textAt(mount, ['name']), textAt(mount, ['mountPath'])];
      const subPath = textAt(mount, ['subPath']) !== '' || textAt(mount, ['subPathExpr']) !== '';
      return ours.has(name) && mountPath !== '' ? [{ container, list, name, mountPath, subPath }] : [];
    });
  });
}

/**
 * Returns the rights of the container. A process may signal those of the same user only. Where the user of the process
 * is not known, or is root and may change, the container is root with the one right to signal all.
 */
function securityOf(workload: Workload, { processes }: WatchTasks): Data {
  const rights = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const restricted = (runAsUser: number) => ({
    ...rights,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    runAsUser,
  });
  if (processes.length === 0) return restricted(NOBODY);
  const contexts = containersOf(workload).map((container) => [container, workload.spec]);
  const settings = (name: string) =>
    contexts.map((parts) => {
      const values = parts.map((part) => valueAt(part, ['securityContext', name]));
      return String(values.find((value) => value !== undefined) ?? '');
    });
  const users = [...new Set(settings('runAsUser'))];
  const [user = ''] = users;
  if (users.length === 1 && /^[1-9]\d{0,9}$/.test(user)) return restricted(Number(user));
  if (settings('runAsNonRoot').includes('true')) {
    throw new WatchMistake(
      users.length > 1
        ? `the containers have several users (${users.map((one) => one || 'that of the image').join(', ')}); give them one by securityContext.runAsUser`
        : 'runAsNonRoot is set, and no user; set securityContext.runAsUser to that of the process, so that it can be signalled',
    );
  }
  return { ...rights, capabilities: { drop: ['ALL'], add: ['KILL'] }, runAsNonRoot: false, runAsUser: 0 };
}

/** Returns the containers that mount volumes of the driver, without the init containers if there are others. */
function containersOf(workload: Workload): readonly unknown[] {
  const mounts = driverMounts(workload);
  const running = mounts.filter(({ list }) => list === 'containers');
  return [...new Set((running.length > 0 ? running : mounts).map(({ container }) => container))];
}

function containerChanges(workload: Workload, existing: Place | undefined, wanted: Data): readonly Change[] {
  const { path, spec } = workload;
  if (existing === undefined) {
    const list = endsByItself(workload) ? 'initContainers' : 'containers';
    const { length } = listAt(spec, [list]);
    if (length === 0) return [{ op: 'add', path: [...path, 'spec', list], value: [wanted] }];
    return [{ op: 'add', path: [...path, 'spec', list, length], value: wanted }];
  }
  const { container, list, index } = existing;
  if (!isSame(valueAt(container, ['command']), COMMAND))
    throw new WatchMistake(`the pod has another container with the name ${quote(WATCHER)}; rename that container`);
  const place = [...path, 'spec', list, index];
  return differencesOf(workload, container, wanted).map(([name, value]) => {
    const op = valueAt(container, [name]) === undefined ? 'add' : 'replace';
    return { op, path: [...place, name], value };
  });
}

/** Returns the fields of the container that is there which have to change. The others keep the types of their values. */
function differencesOf(workload: Workload, container: unknown, wanted: Data): readonly (readonly [string, unknown])[] {
  // Its resources may be set by hand, and the API server adds fields and mounts.
  const { resources, volumeMounts, ...fixed } = wanted;
  const different = Object.entries(fixed).filter(([name, value]) => !covers(valueAt(container, [name]), value));
  const mounts = listAt(container, ['volumeMounts']);
  const kept = mounts.filter((mount) => !isDriverVolume(workload, textAt(mount, ['name'])));
  const all = [...(Array.isArray(volumeMounts) ? volumeMounts : []), ...kept];
  const isMounted = mounts.length === all.length && all.every((mount) => mounts.some((one) => covers(one, mount)));
  return isMounted ? different : [...different, ['volumeMounts', all]];
}

function isDriverVolume({ spec }: Workload, name: string): boolean {
  const volume = listAt(spec, ['volumes']).find((one) => textAt(one, ['name']) === name);
  return textAt(volume, ['csi', 'driver']) === DRIVER;
}

/** Returns true if an existing value has everything of a wanted one. */
function covers(existing: unknown, wanted: unknown): boolean {
  if (!isJsonObject(wanted)) return isSame(existing, wanted);
  return Object.entries(wanted).every(([name, value]) => covers(valueAt(existing, [name]), value));
}

function notesOf(workload: Workload): readonly string[] {
  const parts = driverMounts(workload).filter(({ subPath }) => subPath);
  const fixed = parts.map(
    ({ container, name }) =>
      `container ${textAt(container, ['name'])} mounts a part of ${quote(name)} by subPath, which never changes; mount the whole volume`,
  );
  const native = endsByItself(workload)
    ? [`container ${WATCHER} needs Kubernetes 1.29 or later in a pod that ends by itself`]
    : [];
  return [...new Set([...fixed, ...native])];
}
