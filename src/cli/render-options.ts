/**
 * The options of the command `render`: their help and their checks. Called by render.ts. Refuses values that no manifest
 * can hold.
 */

import { type Command, Option } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { isGuid } from '../base/guid.ts';
import type { RenderOptions } from '../render/render.ts';

/** The arguments of `render`. */
export interface RenderCommandOptions {
  readonly directoryId?: string;
  readonly syncSecrets?: boolean;
  readonly format: 'manifests' | 'volumes';
}

/** Adds the options of `render` to its command. */
export function addRenderOptions(command: Command): Command {
  return command
    .option('--directory-id <guid>', 'Microsoft Entra tenant ID that replaces placeholders such as <AKV directory ID>')
    .option(
      '--sync-secrets',
      'add secretObjects, so that a driver with syncSecret.enabled=true also creates Kubernetes Secrets',
    )
    .addOption(
      new Option('--format <format>', 'print manifests to apply, or only the volumes and volumeMounts for a pod')
        .choices(['manifests', 'volumes'])
        .default('manifests'),
    );
}

/**
 * Returns the options of {@link render} that the command line asks for.
 * Throws: ERR_USAGE, with the option, its value and the rule.
 */
export function renderOptionsOf({ directoryId, syncSecrets = false }: RenderCommandOptions): RenderOptions {
  if (directoryId !== undefined && !isGuid(directoryId)) {
    throw new ProviderError('ERR_USAGE', `--directory-id "${directoryId}" is not a GUID`);
  }
  return { syncSecrets, ...(directoryId === undefined ? {} : { directoryId }) };
}
