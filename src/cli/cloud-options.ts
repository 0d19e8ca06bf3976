/**
 * The options of `check` and `mount` that name the cloud and the directory of custom cloud files.
 */

import type { Command } from 'commander';

/** Cloud of manifests that name none, and where files of custom clouds may lie. */
export interface CloudOptions {
  readonly cloudName: string;
  /** See `ServeOptions`. */
  readonly cloudFileDir?: string;
}

/** Values of options that are not given. */
export const CLOUD_DEFAULTS = { cloudName: 'AzurePublicCloud' } as const;

/** Adds `--cloud-name` and `--cloud-file-dir`; `when` says in their help when they count. */
export function addCloudOptions(command: Command, when = ''): Command {
  return command
    .option('--cloud-name <name>', `${when}cloud of manifests that name none`, CLOUD_DEFAULTS.cloudName)
    .option(
      '--cloud-file-dir <dir>',
      `${when}directory of the files that cloudEnvFileName may name (that of AZURE_ENVIRONMENT_FILEPATH)`,
    );
}
