// Makes container images without a container engine, from programs of this machine: archives that containerd imports.
// node.ts gives them the names that charts and pods use, so that nothing is pulled. An image holds the programs with the
// libraries that they are linked with, and nothing else.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parse } from 'yaml';
import { driverProgram } from '../real-driver/driver.ts';
import { imageConfig } from '../support/dockerfile.ts';
import { distDirectory } from '../support/e2e.ts';
import { textOf } from '../support/markdown.ts';
import { run } from './process.ts';
import { clusterProgram } from './programs.ts';

/** An image. */
export interface Image {
  /** Repository and tag. */
  readonly name: string;
  readonly entrypoint: readonly string[];
  readonly env?: readonly string[];
  /** Programs of this machine, by their path in the image. */
  readonly programs: Readonly<Record<string, string>>;
  /** Directories of this machine, by their path in the image. */
  readonly directories?: Readonly<Record<string, string>>;
}

/** The image of this project, by the name that the documents give it. */
export const PROVIDER_IMAGE = `registry.example.com/akv-csi-provider:${appVersion()}`;
/** The image of pods, as in the documents. It sleeps if it gets no command. */
export const POD_IMAGE = 'docker.io/library/busybox:1.37';

const BUSYBOX = { '/bin/busybox': '/bin/busybox' };
const REGISTRY = 'registry.k8s.io';

/**
 * Returns all images. The driver's chart names the last three. Two of those are ours: its sidecars cannot be built from
 * Go modules.
 */
export function images(): readonly Image[] {
  return [
    { name: PROVIDER_IMAGE, ...imageConfig(), ...providerFiles() },
    { name: POD_IMAGE, entrypoint: ['/bin/sleep', 'infinity'], programs: BUSYBOX },
    {
      name: 'docker.io/library/eclipse-mosquitto:2',
      // The entry point of the real one runs its arguments, too.
      entrypoint: ['/bin/env'],
      programs: { ...BUSYBOX, '/usr/sbin/mosquitto': '/usr/sbin/mosquitto' },
    },
    {
      name: `${REGISTRY}/csi-secrets-store/driver:v1.6.0`,
      entrypoint: ['/secrets-store-csi'],
      programs: {
        '/secrets-store-csi': driverProgram('v1.6.0'),
        '/bin/mount': '/bin/mount',
        '/bin/umount': '/bin/umount',
      },
    },
    {
      name: `${REGISTRY}/sig-storage/csi-node-driver-registrar:v2.16.0`,
      entrypoint: ['/registrar', 'secrets-store.csi.k8s.io'],
      programs: { '/registrar': clusterProgram('registrar') },
    },
    {
      // Answers that the driver is alive, without asking it.
      name: `${REGISTRY}/sig-storage/livenessprobe:v2.18.0`,
      entrypoint: ['/bin/sh', '-c', 'mkdir /w && touch /w/healthz && exec httpd -f -p 9808 -h /w'],
      programs: BUSYBOX,
    },
  ];
}

function appVersion(): string {
  return (parse(textOf('charts/akv-csi-provider/Chart.yaml')) as { appVersion: string }).appVersion;
}

const providerFiles = () => ({
  programs: { '/nodejs/bin/node': process.execPath },
  directories: { '/app': distDirectory },
});

/** Writes an image as an archive (the format of `docker save`) in a directory of its own, and returns its path. */
export async function writeImage(image: Image, directory: string): Promise<string> {
  const files = join(directory, 'files');
  await copyPrograms(image.programs, files);
  for (const [path, from] of Object.entries(image.directories ?? {})) {
    cpSync(from, join(files, path), { recursive: true, filter: (name) => basename(name) !== 'lab.js' });
  }
  for (const name of ['tmp', 'etc']) mkdirSync(join(files, name), { recursive: true });
  const tar = (name: string, from: string, ...names: readonly string[]) =>
    run('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', from, '-cf', join(directory, name), ...names]);
  await tar('layer.tar', files, '.');
  rmSync(files, { recursive: true });
  const digest = createHash('sha256')
    .update(readFileSync(join(directory, 'layer.tar')))
    .digest('hex');
  const put = (name: string, value: unknown) => writeFileSync(join(directory, name), JSON.stringify(value));
  const env = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...(image.env ?? [])];
  put('config.json', {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: env, Entrypoint: image.entrypoint },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  });
  put('manifest.json', [{ Config: 'config.json', RepoTags: [image.name], Layers: ['layer.tar'] }]);
  await tar('image.tar', directory, 'manifest.json', 'config.json', 'layer.tar');
  return join(directory, 'image.tar');
}

/** Copies programs and their libraries into a directory, and links the commands of busybox. */
async function copyPrograms(programs: Image['programs'], files: string): Promise<void> {
  for (const [path, from] of Object.entries(programs)) {
    const put = (target: string, source: string) => {
      mkdirSync(dirname(join(files, target)), { recursive: true });
      cpSync(realpathSync(source), join(files, target));
    };
    put(path, from);
    for (const library of await librariesOf(from)) put(library, library);
    if (basename(path) !== 'busybox') continue;
    for (const name of (await run(from, ['--list'])).trim().split('\n')) {
      if (name !== 'busybox') symlinkSync('busybox', join(files, dirname(path), name));
    }
  }
}

/** Returns the paths of the libraries that a program is linked with. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const listed = await run('ldd', [program]).catch(() => '');
  return [...listed.matchAll(/^\t(?:\S+ => )?(\/\S+) \(0x/gm)].map(([, path = '']) => path);
}
