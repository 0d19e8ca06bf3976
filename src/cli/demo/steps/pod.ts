/**
 * The step of the demo in which a Deployment of mosquitto gets its volumes and the container that watches them, as
 * `render --into` writes them. `run.ts` calls it.
 */

import { parseAllDocuments } from 'yaml';
import { ProviderError } from '../../../base/errors.ts';
import { isJsonObject } from '../../../base/json.ts';
import { readManifests, type SecretProviderClass } from '../../../driver/manifests.ts';
import { MOUNT, WATCH, WATCHER } from '../../../render/into/annotations.ts';
import { applyChanges, type Change } from '../../../render/into/changes.ts';
import { classOfManifest, classOfVolume, type KnownClass } from '../../../render/into/classes.ts';
import { listAt, textAt, valueAt } from '../../../render/into/data.ts';
import { mountInto } from '../../../render/into/mount-into.ts';
import { workloadOf } from '../../../render/into/workload.ts';
import { DEFAULT_MOUNT_PATH } from '../../../render/mount-path.ts';
import type { RenderedVolume } from '../../../render/volume.ts';
import { withLanguages } from '../../../spc/languages.ts';
import { MOSQUITTO } from '../fixtures.ts';
import type { DemoSetup } from '../parts.ts';

/** The pod of mosquitto, with all that it asks for. */
export interface MosquittoPod {
  readonly passwords: SecretProviderClass;
  /** The file of the ConfigMap. */
  readonly configuration: string;
  /** The path in the container of each SecretProviderClass. */
  readonly paths: ReadonlyMap<string, string>;
}

/** Gives the Deployment what it asks for, and shows it. */
export async function fillPod({ screen }: DemoSetup, rendered: readonly RenderedVolume[]): Promise<MosquittoPod> {
  screen.step('A Deployment of mosquitto asks for volumes, and for a signal when they change');
  const manifests = parseAllDocuments(MOSQUITTO.text).map((document): unknown => document.toJS());
  const deployment = manifests.find((one) => textAt(one, ['kind']) === 'Deployment');
  const known = await withLanguages(() => manifests.map(classOfManifest));
  const classes = [...rendered.map(classOfVolume), ...known.filter((one): one is KnownClass => one !== undefined)];
  const { changes, mistakes } = mountInto(deployment, { classes, mountPath: DEFAULT_MOUNT_PATH });
  const pod = workloadOf(applyChanges(deployment, changes));
  if (mistakes.length > 0 || pod === undefined) throw new ProviderError('ERR_INTERNAL', mistakes.join('\n'));
  const wishes = [MOUNT, WATCH].map((name) => [name, pod.annotations[name]?.trim().replaceAll('\n', ', ')]);
  for (const [name, text] of wishes) screen.line(`${name}: ${text}`);
  screen.line();
  for (const change of changes) screen.ok(describe(change));
  const containers = listAt(pod.spec, ['containers']);
  const watcher = containers.find((one) => textAt(one, ['name']) === WATCHER);
  const watchArgs = listAt(watcher, ['args']).map(String);
  screen.line(`     ${['akv-csi', 'watch', ...watchArgs].join(' ')}`);
  screen.line();
  screen.note('"akv-csi render --into FILE..." prints the manifests with these changes; kubectl apply takes them');
  const [passwords] = readManifests(MOSQUITTO.text, MOSQUITTO.name).classes;
  if (passwords === undefined) throw new ProviderError('ERR_INTERNAL', 'there is no class of passwords');
  const configuration = manifests.map((one) => textAt(one, ['data', 'mosquitto.conf'])).join('');
  const mounts = listAt(watcher, ['volumeMounts']);
  const paths = new Map(mounts.map((mount) => [textAt(mount, ['name']), textAt(mount, ['mountPath'])]));
  return { passwords, configuration, paths };
}

/** Returns a line about a change of the pod. */
function describe({ path, value }: Change): string {
  const [place, of] = [path.at(-1), path.at(-2)];
  const values = Array.isArray(value) ? value : [value];
  const names = values.map((one) => textAt(one, ['name']));
  if (place === 'volumes' || of === 'volumes') return `volume ${names.join(', ')}`;
  if (place === 'volumeMounts' || of === 'volumeMounts')
    return `mount at ${values.map((one) => textAt(one, ['mountPath'])).join(', ')}`;
  if (!isJsonObject(value)) return `${place}: ${value}`;
  return `container ${names.join()}, user ${valueAt(value, ['securityContext', 'runAsUser'])}`;
}
