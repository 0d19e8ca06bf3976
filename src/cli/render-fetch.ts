/**
 * Reads the vaults for `render --fetch`: checks the objects of the classes, and gets the certificates of ConfigMaps.
 * Called by render.ts. Writes no file, and prints no value other than certificates.
 */

import { configMapOf, type WantedConfigMap } from '../render/more/config-maps.ts';
import type { Message } from '../render/remark.ts';
import type { RenderedVolume } from '../render/volume.ts';
import { ClassFetcher } from './check-fetch.ts';
import { CLOUD_DEFAULTS } from './cloud-options.ts';
import type { Io } from './io.ts';
import type { DirectMount } from './provider.ts';
import type { RenderMessages } from './render-messages.ts';
import type { RenderMoreOptions } from './render-more-options.ts';

/** The classes to check, the ConfigMaps to make, and the way to the vaults. */
export interface RenderFetch {
  readonly volumes: readonly RenderedVolume[];
  readonly configMaps: readonly WantedConfigMap[];
  readonly options: RenderMoreOptions;
  readonly messages: RenderMessages;
  readonly directMount: DirectMount;
}

/**
 * Reads the objects of all classes and ConfigMaps, one after another. Adds the findings to the messages. Returns the
 * ConfigMaps as data for the API server; those that could not be read are missing.
 * Throws: ERR_USAGE for credentials that cannot be read.
 */
export async function fetchRendered(
  { volumes, configMaps, options, messages, directMount }: RenderFetch,
  io: Io,
): Promise<readonly object[]> {
  const fetcher = new ClassFetcher({ options: { ...CLOUD_DEFAULTS, ...options }, directMount }, io);
  const read = async (
    place: Partial<Message>,
    about: string,
    spc: Pick<RenderedVolume, 'name' | 'namespace' | 'parameters'>,
  ) => {
    const manifests = { classes: [], secrets: [] };
    const { files, findings } = await fetcher.fetch({ spc: { ...spc, provider: '' }, manifests });
    for (const { severity, message } of findings) messages.add({ ...place, severity, message: `${about}: ${message}` });
    return files;
  };
  const objects: object[] = [];
  for (const volume of volumes) {
    const { source, line } = volume.found;
    await read({ source, line }, volume.origin, volume);
  }
  for (const wanted of configMaps) {
    const [file] = await read({}, `ConfigMap ${wanted.name}`, wanted);
    if (file !== undefined) objects.push(configMapOf(wanted, file.contents.toString('utf8')));
  }
  return objects;
}
