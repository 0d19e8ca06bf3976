/**
 * Mounts the volumes of the demo as the CSI driver does, and shows their files. `run.ts` and the steps call it.
 */

import type { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { Secret } from '../../base/secret.ts';
import type { MountTarget } from '../../driver/client.ts';
import { type Published, publish } from '../../driver/publish.ts';
import { dayOf, validTo } from '../../pki/certificate.ts';
import { issuerOf, subjectOf } from '../../pki/names.ts';
import type { RenderedVolume } from '../../render/volume.ts';
import {
  certificatesIn,
  checkKeyPair,
  describeKeyPair,
  keyPairFilesAmong,
  type MountedKeyPair,
} from './certificates.ts';
import { NODE_PUBLISH_SECRET } from './fixtures.ts';
import { parsePasswords } from './passwords.ts';
import type { Screen } from './screen.ts';

/** A volume of a SecretProviderClass: one that `render` made, or one that was written by hand. */
export type PodVolume = Pick<RenderedVolume, 'name' | 'namespace' | 'parameters' | 'volume'>;

/** A volume as the driver has written it. */
export interface MountedVolume<V extends PodVolume = PodVolume> {
  readonly rendered: V;
  readonly targetDir: string;
  readonly published: Published;
}

const POD_UID = '00000000-0000-4000-8000-000000000000';
const MOUNT_TIMEOUT_MS = 30_000;
const DAY_MS = 86_400_000;
const SHOWN_VERSION_LENGTH = 10;

/** Mounts the volume as the driver does: makes one Mount, checks its answer and writes the files. */
export async function mountVolume<V extends PodVolume>(
  target: MountTarget,
  rendered: V,
  targetDir: string,
): Promise<MountedVolume<V>> {
  const { name, namespace, parameters, volume } = rendered;
  const published = await publish(target, {
    parameters,
    volumeAttributes: volume.csi.volumeAttributes,
    pod: { name: `demo-${name}`, namespace, uid: POD_UID, serviceAccount: 'default' },
    nodePublishSecret: Object.fromEntries(
      Object.entries(NODE_PUBLISH_SECRET).map(([key, value]) => [key, new Secret(value)]),
    ),
    targetDir,
    deadlineMs: MOUNT_TIMEOUT_MS,
  });
  return { rendered, targetDir, published };
}

/** Shows the contents of the volume and checks that they are usable. Returns the key pair, if there is one. */
export async function showVolume(
  { rendered, targetDir, published }: MountedVolume,
  screen: Screen,
  root: X509Certificate,
): Promise<MountedKeyPair | undefined> {
  const names = published.files.map(({ path }) => path);
  screen.subject(rendered.name);
  screen.note(`${targetDir}/`);
  const rows = published.files.map(async ({ path }, i) => {
    const { mode, size } = await stat(join(targetDir, path));
    const source = published.sources[i];
    const version = source === undefined ? '' : shortVersion(source.version);
    return [path, (mode & 0o777).toString(8).padStart(4, '0'), String(size), source?.id ?? '', version];
  });
  screen.table([['FILE', 'MODE', 'BYTES', 'OBJECT', 'VERSION'], ...(await Promise.all(rows))]);
  const now = systemClock.wall();
  const certificates = await Promise.all(names.map((name) => certificateRows(targetDir, name, now)));
  if (certificates.flat().length > 0) {
    screen.table([['IN FILE', 'CERTIFICATE', 'ISSUER', 'EXPIRES'], ...certificates.flat()]);
  }
  if (names.includes('passwords.toml')) await showUsers(targetDir, screen);
  const files = keyPairFilesAmong(names);
  if (files === undefined) return undefined;
  const pair = await checkKeyPair(targetDir, files, { root, now });
  const { key, chain } = describeKeyPair(pair);
  screen.ok(key);
  screen.ok(chain);
  for (const { reason, message } of pair.findings) screen.warn(`${reason}: ${message}`);
  return pair;
}

/** Returns the beginning of a version, such as `3f2a9c1b04…`, which is enough to tell versions apart. */
export function shortVersion(version: string): string {
  return version.length <= SHOWN_VERSION_LENGTH ? version : `${version.slice(0, SHOWN_VERSION_LENGTH)}…`;
}

async function certificateRows(directory: string, name: string, now: number): Promise<readonly (readonly string[])[]> {
  const certificates = await certificatesIn(join(directory, name));
  return certificates.map((certificate, i) => {
    const expires = validTo(certificate);
    const days = Math.floor((expires - now) / DAY_MS);
    return [
      i === 0 ? name : '',
      subjectOf(certificate),
      issuerOf(certificate),
      `${dayOf(expires)} (${days < 0 ? 'expired' : `in ${days} days`})`,
    ];
  });
}

async function showUsers(directory: string, screen: Screen): Promise<void> {
  const users = parsePasswords(await readFile(join(directory, 'passwords.toml'), 'utf8'));
  const described = [...users].map(([name, { password }]) => `${name} (${password.iterations} iterations of PBKDF2)`);
  screen.ok(`password database: ${described.join(', ')}`);
}
