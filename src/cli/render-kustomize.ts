/**
 * Writes the Component of `render --format kustomize`. Called by render.ts. Refuses to overwrite files of others.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ProviderError } from '../base/errors.ts';
import { makeDirectory } from '../driver/make-directory.ts';
import type { Source } from '../render/find.ts';
import { readInputSource } from '../render/into/manifests.ts';
import type { PodOption } from '../render/into/pod-option.ts';
import { CLASSES_FILE, componentOf, HEADER } from '../render/more/kustomize.ts';
import type { RenderedVolume } from '../render/volume.ts';
import { withLanguages } from '../spc/languages.ts';
import { type Io, readBytes } from './io.ts';
import { RenderMessages } from './render-messages.ts';
import { podsOf, type RenderCommandOptions } from './render-options.ts';

/** The directory, and the workloads that the command line names. */
export interface ComponentOptions {
  readonly out: string;
  readonly pods: readonly PodOption[];
  readonly mountPath: string | undefined;
}

/** What is written. */
export interface ComponentParts extends ComponentOptions {
  readonly volumes: readonly RenderedVolume[];
  readonly sources: readonly Source[];
  /** The classes, and what is printed next to them. */
  readonly text: string;
}

/**
 * Returns the options of a Component; undefined for another format.
 * Throws: ERR_USAGE for options that do not fit the format.
 */
export function componentOptionsOf(options: RenderCommandOptions): ComponentOptions | undefined {
  const { format, out, mountPath } = options;
  if (format === 'kustomize') {
    if (out === undefined)
      throw new ProviderError('ERR_USAGE', '--format kustomize writes two files; name their directory with --out DIR');
    return { out, pods: podsOf(options), mountPath };
  }
  if (out !== undefined) throw new ProviderError('ERR_USAGE', '--out is for --format kustomize');
  if (options.pod !== undefined) throw new ProviderError('ERR_USAGE', '--pod needs --into or --format kustomize');
  return undefined;
}

/**
 * Writes the Component, and prints the names of its files. Returns the exit code: 1 after a mistake, with nothing written.
 * Throws: ERR_USAGE for a directory that cannot be written, or that holds such files of others.
 */
export async function writeComponent(parts: ComponentParts, io: Io): Promise<number> {
  const { out, sources, text } = parts;
  const manifests = sources.flatMap((source) => readInputSource(source).manifests.map(({ data }) => data));
  const component = await withLanguages(() => componentOf({ ...parts, manifests }));
  const messages = new RenderMessages(io.stderr);
  messages.add(...component.notes.map((message) => ({ severity: 'note', message }) as const));
  messages.include({ remarks: [], mistakes: component.mistakes });
  if (messages.hasErrors) return 1;
  const files = [
    { path: join(out, 'kustomization.yaml'), content: component.text },
    { path: join(out, CLASSES_FILE), content: HEADER + text },
  ];
  for (const { path } of files) await refuseForeign(path, io);
  try {
    await makeDirectory(out);
    for (const { path, content } of files) await writeFile(path, content);
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `cannot write to ${out}: ${messageOf(error)}`, { cause: error });
  }
  for (const { path } of files) io.stdout(`${path}\n`);
  return 0;
}

async function refuseForeign(path: string, io: Io): Promise<void> {
  const begin = await readBytes(path, io, { maxBytes: Buffer.byteLength(HEADER) }).catch(() => undefined);
  if (begin === undefined || begin.bytes.toString('utf8') === HEADER) return;
  throw new ProviderError('ERR_USAGE', `${path} was not made by this command; name another directory with --out`);
}
