/**
 * The command `render`: prints SecretProviderClasses for the keyVault fields of resources. `program.ts` adds it.
 */

import { Command } from 'commander';
import { ProviderError } from '../base/errors.ts';
import type { Source } from '../render/find.ts';
import { configMapsOf } from '../render/more/config-maps.ts';
import { moreOf, needsSecrets } from '../render/more/more.ts';
import { printManifests, printPodParts } from '../render/print.ts';
import { render } from '../render/render.ts';
import { withLanguages } from '../spc/languages.ts';
import { exitCodeOf, type Io, processIo, readInputs } from './io.ts';
import { CREDENTIALS_HELP } from './mount-request.ts';
import type { DirectMount } from './provider.ts';
import { fetchRendered } from './render-fetch.ts';
import { runInto } from './render-into.ts';
import { type RenderResult, renderJson } from './render-json.ts';
import { componentOptionsOf, writeComponent } from './render-kustomize.ts';
import { RenderMessages } from './render-messages.ts';
import { addRenderMoreOptions, configMapWishesOf, moreOptionsOf } from './render-more-options.ts';
import { addRenderOptions, type RenderCommandOptions, renderOptionsOf } from './render-options.ts';

const HELP = `
Examples: akv-csi render --directory-id TENANT broker.yaml | kubectl apply -f -
          kubectl kustomize DIR | akv-csi render --into | kubectl apply -f -

With --fetch the objects are also read from their vaults, as check --fetch does. If one cannot be read, nothing is printed.
${CREDENTIALS_HELP}

Exit codes: 0 printed, 1 no keyVault field (without --into), or an error (then nothing is printed), 2 wrong command
line or unreadable file.`;

/** The parts of the program that `render` uses. */
export interface RenderCommandDeps {
  /** Reads the vaults for `--fetch`. */
  readonly directMount: DirectMount;
}

/** Makes the command `akv-csi render FILE…`. It prints manifests to stdout, and remarks to stderr. */
export function renderCommand(deps: RenderCommandDeps): Command {
  const command = new Command('render')
    .description('turn the keyVault fields of broker resources into SecretProviderClasses and volumes')
    .argument('[file...]', 'YAML files with any resources, or directories of them; - is standard input');
  return addRenderMoreOptions(addRenderOptions(command))
    .addHelpText('after', HELP)
    .action(async (files: string[], options: RenderCommandOptions) => {
      process.exitCode = await runRender(files, options, processIo, deps);
    });
}

/**
 * Renders the files. Returns the exit code: 1 if there is no `keyVault` field or an error in one, and then nothing is
 * printed; 2 for a file that cannot be read or an option with a value that it cannot have.
 */
export function runRender(
  files: readonly string[],
  options: RenderCommandOptions,
  io: Io,
  deps: RenderCommandDeps,
): Promise<number> {
  const wanted = options.json === true ? { ...options, format: 'json' as const } : options;
  return exitCodeOf(io, () =>
    options.into === true ? runInto(files, wanted, io) : printClasses(files, wanted, { io, ...deps }),
  );
}

async function printClasses(
  files: readonly string[],
  options: RenderCommandOptions,
  { io, ...deps }: RenderCommandDeps & { readonly io: Io },
): Promise<number> {
  const ofInto = (['resources', 'watch', 'watchImage'] as const).find((name) => options[name] !== undefined);
  if (ofInto !== undefined)
    throw new ProviderError('ERR_USAGE', `--${ofInto === 'watchImage' ? 'watch-image' : ofInto} needs --into`);
  const component = componentOptionsOf(options);
  if (files.length === 0) throw new ProviderError('ERR_USAGE', 'name at least one file; - is standard input');
  const isJson = options.format === 'json';
  const messages = new RenderMessages(isJson ? () => {} : io.stderr);
  const sources: Source[] = [];
  for await (const source of readInputs(files, io)) sources.push(source);
  const result = await resultOf(sources, options, { io, messages, ...deps });
  if (isJson) io.stdout(renderJson(result ?? NOTHING, messages.all));
  if (result === undefined) return 1;
  if (isJson) return 0;
  const { volumes, objects, documents } = result;
  const text = options.format === 'volumes' ? printPodParts(volumes) : printManifests(volumes, objects, documents);
  if (component !== undefined) return writeComponent({ ...component, volumes, sources, text }, io);
  io.stdout(text);
  return 0;
}

const NOTHING: RenderResult = { volumes: [], objects: [], documents: [] };

interface Rendering extends RenderCommandDeps {
  readonly io: Io;
  readonly messages: RenderMessages;
}

/** Renders the sources. Returns undefined after an error, which is among the messages. */
async function resultOf(
  sources: readonly Source[],
  options: RenderCommandOptions,
  { io, messages, directMount }: Rendering,
): Promise<RenderResult | undefined> {
  const more = moreOptionsOf(options);
  const wanted = { ...renderOptionsOf(options), ...(needsSecrets(more) ? { syncSecrets: true } : {}) };
  const wishes = configMapWishesOf(options);
  const rendered = await withLanguages(() => render(sources, wanted));
  const { volumes, objects, documents, remarks } = moreOf(sources, rendered.volumes, more);
  messages.include({ remarks: [...rendered.remarks, ...remarks], mistakes: rendered.mistakes });
  if (messages.hasErrors) return undefined;
  const { configMaps, mistakes } = configMapsOf(wishes, sources, volumes);
  messages.include({ remarks: [], mistakes: volumes.length === 0 ? [noField(sources)] : mistakes });
  if (messages.hasErrors) return undefined;
  const fetch = { volumes, configMaps, options, messages, directMount };
  const fetched = options.fetch ? await fetchRendered(fetch, io) : [];
  return messages.hasErrors ? undefined : { volumes, objects: [...objects, ...fetched], documents };
}

function noField(sources: readonly Source[]): string {
  return `there is no keyVault field in ${sources.map(({ name }) => name).join(', ')}`;
}
