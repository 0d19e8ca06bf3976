/**
 * Starts `akv-csi serve` as a child process and stops it. `run.ts` calls it.
 * It reports the last lines of the log if the provider does not start.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProviderError } from '../../base/errors.ts';
import type { Emulator } from '../../emulator/emulator.ts';
import { type Child, startChild } from './child.ts';

/** Parts and settings of {@link startProviderProcess}. */
export interface ProviderProcessOptions {
  /** `dist/main.js`. */
  readonly program: string;
  /** The directory for the socket, the cloud file and the CA file; its path must be short. */
  readonly directory: string;
  /** The emulator that the provider uses; the provider trusts its CA only. */
  readonly emulator: Pick<Emulator, 'cloudFile' | 'caPem'>;
  /** Further flags of `serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A provider in a separate process, as on a node. */
export interface ProviderProcess extends Omit<Child, 'process'> {
  readonly child: Child['process'];
  readonly endpoint: string;
  /** Custom cloud environment file. */
  readonly cloudFile: string;
  /** Root certificate of the emulator. */
  readonly caFile: string;
}

/**
 * Starts `akv-csi serve` and waits until it serves.
 * Throws: ERR_USAGE if there is no built program, ERR_INTERNAL with the end of its log if it does not start.
 */
export async function startProviderProcess(options: ProviderProcessOptions): Promise<ProviderProcess> {
  const { program, directory, emulator, args = [], env = {} } = options;
  if (!existsSync(program)) {
    throw new ProviderError('ERR_USAGE', `there is no ${program}; build it with "npm run build"`);
  }

  const inside = (name: string) => join(directory, name);
  const [socket, cloudFile, caFile] = [inside('azure.sock'), inside('cloud.json'), inside('azure-ca.pem')] as const;
  writeFileSync(cloudFile, emulator.cloudFile);
  writeFileSync(caFile, emulator.caPem);
  const endpoint = `unix://${socket}`;
  const ports = ['--healthz-port', '0', '--prometheus-port', '0'];
  const { process: child, ...rest } = await startChild({
    title: 'the provider',
    command: [
      process.execPath,
      ...[program, 'serve', '--endpoint', endpoint, ...ports, '--cloud-name', 'AzureStackCloud', ...args],
    ],
    // Nothing else of this environment is passed on: proxies and AZURE_* variables are meant for the real Azure.
    env: { PATH: process.env.PATH, AZURE_ENVIRONMENT_FILEPATH: cloudFile, SSL_CERT_FILE: caFile, ...env },
    ready: /\bServing\b/,
  });
  return { child, endpoint, cloudFile, caFile, ...rest };
}
