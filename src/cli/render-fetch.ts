/**
 * Reads the vaults for `render --fetch`: checks the objects of the classes, and gets the certificates of ConfigMaps.
 * Called by render.ts. Writes no file, and prints no value other than certificates.
 */

import { printable } from '../base/printable.ts';
import { configMapOf, type WantedConfigMap } from '../render/more/config-maps.ts';
import type { RenderedVolume } from '../render/volume.ts';
import { ClassFetcher } from './check-fetch.ts';
import { CLOUD_DEFAULTS } from './cloud-options.ts';
import type { Io } from './io.ts';
import type { DirectMount } from './provider.ts';
import type { RenderMoreOptions } from './render-more-options.ts';

/** The classes to check, the ConfigMaps to make, and the way to the vaults. */
export interface RenderFetch {
  readonly volumes: readonly RenderedVolume[];
  readonly configMaps: readonly WantedConfigMap[];
  readonly options: RenderMoreOptions;
  readonly directMount: DirectMount;
}

/**
 * Reads the objects of all classes and ConfigMaps, one after another. Prints findings to stderr, as
 * `file:line: severity: message`. Returns the ConfigMaps as data for the API server; undefined if there is an error.
 * Throws: ERR_USAGE for credentials that cannot be read.
 */
export async function fetchRendered(
  { volumes, configMaps, options, directMount }: RenderFetch,
  io: Io,
): Promise<readonly object[] | undefined> {
  let hasErrors = false;
  const fetcher = new ClassFetcher({ options: { ...CLOUD_DEFAULTS, ...options }, directMount }, io);
  const read = async (place: string, about: string, spc: Pick<RenderedVolume, 'name' | 'namespace' | 'parameters'>) => {
    const manifests = { classes: [], secrets: [] };
    const { files, findings } = await fetcher.fetch({ spc: { ...spc, provider: '' }, manifests });
    for (const { severity, message } of findings) io.stderr(`${place}: ${severity}: ${about}: ${printable(message)}\n`);
    hasErrors ||= findings.some(({ severity }) => severity === 'error');
    return files;
  };
  const objects: object[] = [];
  for (const volume of volumes) await read(`${volume.found.source}:${volume.found.line}`, volume.origin, volume);
  for (const wanted of configMaps) {
    const [file] = await read('--config-maps', `ConfigMap ${wanted.name}`, wanted);
    if (file !== undefined) objects.push(configMapOf(wanted, file.contents.toString('utf8')));
  }
  return hasErrors ? undefined : objects;
}
