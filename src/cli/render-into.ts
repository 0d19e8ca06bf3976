/**
 * Runs `render --into`: in a pipe, as a Helm post-renderer, and as a KRM function of kustomize or kpt. Called by
 * render.ts. Prints nothing after a mistake, except a ResourceList with its results.
 */

import { ProviderError } from '../base/errors.ts';
import { filterInputs } from '../render/into/filter.ts';
import { type FunctionOptions, functionOptions } from '../render/into/krm.ts';
import { type InputSource, readInputSource } from '../render/into/manifests.ts';
import { withLanguages } from '../spc/languages.ts';
import { type Io, MAX_INPUT_BYTES, readInputs } from './io.ts';
import { RenderMessages } from './render-messages.ts';
import { intoOptionsOf, type RenderCommandOptions } from './render-options.ts';

/**
 * Filters the files as one stream; without files, standard input. Returns the exit code: 1 after a mistake.
 * Throws: ERR_USAGE.
 */
export async function runInto(files: readonly string[], options: RenderCommandOptions, io: Io): Promise<number> {
  // A wrong command line is refused before standard input is read.
  intoOptionsOf(options);
  const { resources: names = [] } = options;
  const count = { size: 0 };
  const inputs = await readSources(files.length === 0 ? ['-'] : files, io, count);
  const resources = await readSources(names, io, count);
  const wanted = { ...intoOptionsOf({ ...options, ...configured(inputs) }), resources };
  const filtered = await withLanguages(() => filterInputs(inputs, wanted));
  const messages = new RenderMessages(io.stderr);
  messages.include(filtered);
  if (filtered.text !== undefined) io.stdout(filtered.text);
  return messages.hasErrors ? 1 : 0;
}

/** Reads files and adds their sizes to `count`. Throws: ERR_USAGE, also if the count is above the limit. */
async function readSources(files: readonly string[], io: Io, count: { size: number }): Promise<readonly InputSource[]> {
  const sources: InputSource[] = [];
  for await (const source of readInputs(files, io)) {
    count.size += Buffer.byteLength(source.text);
    if (count.size > MAX_INPUT_BYTES)
      throw new ProviderError('ERR_USAGE', `the files are larger than ${MAX_INPUT_BYTES} bytes together`);
    sources.push(readInputSource(source));
  }
  return sources;
}

/** Returns the options in the configuration of a KRM function. Throws: ERR_USAGE. */
function configured(inputs: readonly InputSource[]): Partial<RenderCommandOptions> {
  const [config] = inputs.flatMap(({ documents }) => documents.flatMap(({ functionConfig }) => functionConfig ?? []));
  if (config === undefined) return {};
  const { options, mistakes } = functionOptions(config);
  if (mistakes.length > 0) throw new ProviderError('ERR_USAGE', mistakes.join('; '));
  return commandOptionsOf(options);
}

function commandOptionsOf({
  syncSecrets,
  fileNames,
  pods,
  watches,
  ...texts
}: FunctionOptions): Partial<RenderCommandOptions> {
  return {
    ...texts,
    ...(syncSecrets === undefined ? {} : { syncSecrets: syncSecrets === 'true' }),
    ...(fileNames === undefined ? {} : { fileName: [fileNames].flat() }),
    ...(pods === undefined ? {} : { pod: [pods].flat() }),
    ...(watches === undefined ? {} : { watch: [watches].flat() }),
  };
}
