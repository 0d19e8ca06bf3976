/**
 * The options of `check` and `mount` that name the cloud and the directory of custom cloud files.
 */

import type { Command } from 'commander';

/** The cloud of manifests without `cloudName`, and the directory of custom cloud files. */
export interface CloudOptions {
  readonly cloudName: string;
  /** See `ServeOptions`. */
  readonly cloudFileDir?: string;
}

/** Values of options that are not given. */
export const CLOUD_DEFAULTS = { cloudName: 'AzurePublicCloud' } as const;

/** Adds `--cloud-name` and `--cloud-file-dir` to the current group of options. */
export function addCloudOptions(command: Command): Command {
  return command
    .option('--cloud-name <name>', 'cloud of manifests without cloudName', CLOUD_DEFAULTS.cloudName)
    .option(
      '--cloud-file-dir <dir>',
      'directory of the files that cloudEnvFileName may name (default: that of AZURE_ENVIRONMENT_FILEPATH)',
    );
}
