/**
 * Assembles the image with crane, in a registry on this machine, from files that ./run has made. image.ci.test.ts calls it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, run, startDaemon } from '../cluster/process.ts';
import { imageConfig } from '../support/dockerfile.ts';

/** The directory with the files of the images, which ./run sets: `base/`, `src/dist/` and `another/directory/src/dist/`. */
export function imageFiles(): string | undefined {
  const { IMAGE_FILES } = process.env;
  if (!IMAGE_FILES) console.warn('skipped: the image is made by "npm run test:image" (as root, on Debian)');
  return IMAGE_FILES || undefined;
}

/** A registry of images on this machine. */
export interface Registry {
  /** Its name in the names of images. */
  readonly name: string;
  stop(): Promise<void>;
}

/** Starts a registry on a free port. */
export async function startRegistry(directory: string): Promise<Registry> {
  const daemon: Daemon = startDaemon(
    'crane',
    ['registry', 'serve', '--address', '127.0.0.1:0'],
    join(directory, 'registry'),
  );
  const port = () => /serving on port (\d+)/.exec(daemon.log())?.[1];
  await daemon.until(() => port() !== undefined);
  return { name: `127.0.0.1:${port()}`, stop: daemon.stop };
}

/** A layer as a tar whose bytes depend on names, modes, owners and contents of the files only. */
async function layerOf(files: string, to: string, path: string, numericOwners: boolean): Promise<string> {
  const owner = numericOwners ? [] : ['--owner=0', '--group=0'];
  const name = `s,^\\.,${path},`;
  const times = [
    '--sort=name',
    `--mtime=@${process.env.SOURCE_DATE_EPOCH ?? 0}`,
    '--format=ustar',
    '--hard-dereference',
  ];
  await run('tar', ['-C', files, ...times, '--numeric-owner', ...owner, `--transform=${name}`, '-cf', to, '.']);
  return to;
}

/** Pushes the base, as `gcr.io/distroless/nodejs24-debian13` is configured, and returns its name with its digest. */
export async function pushBase(registry: string, files: string, directory: string): Promise<string> {
  const layer = await layerOf(files, join(directory, 'base.tar'), '.', true);
  const name = `${registry}/base`;
  await run('crane', [
    'append',
    '--oci-empty-base',
    `--platform=${platform()}`,
    '--new_layer',
    layer,
    '--new_tag',
    name,
  ]);
  const env = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', CERTIFICATES].map(
    (one) => `--env=${one}`,
  );
  const config = ['--entrypoint=/nodejs/bin/node', '--user=0', '--workdir=/home', `--set-platform=${platform()}`];
  return (await run('crane', ['mutate', name, ...env, ...config, '--tag', name])).trim();
}

const CERTIFICATES = 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt';
const platform = () => `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;

/** Pushes the image of the Dockerfile with these files in /app, and returns its name with its digest. */
export async function pushImage(base: string, files: string, directory: string, name: string): Promise<string> {
  mkdirSync(directory);
  const layer = await layerOf(files, join(directory, 'app.tar'), 'app', false);
  await run('crane', ['append', '--base', base, '--new_layer', layer, '--new_tag', name]);
  const { entrypoint, env, labels } = imageConfig();
  const settings = [...env.map((one) => `--env=${one}`), ...labels.map((one) => `--label=${one}`)];
  const mutated = await run('crane', [
    'mutate',
    name,
    ...settings,
    `--entrypoint=${entrypoint.join(',')}`,
    '--tag',
    name,
  ]);
  return mutated.trim();
}
