/**
 * Starts `akv-csi serve` as a child process and stops it. `run.ts` calls it.
 * It reports the last lines of the log if the provider does not start.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { abortable } from '../../base/abort.ts';
import { ProviderError } from '../../base/errors.ts';
import type { Emulator } from '../../emulator/emulator.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5000;
const LOG_TAIL_LINES = 12;

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
export interface ProviderProcess {
  readonly child: ChildProcess;
  readonly endpoint: string;
  /** Custom cloud environment file. */
  readonly cloudFile: string;
  /** Root certificate of the emulator. */
  readonly caFile: string;
  /** Returns everything that the provider has printed. */
  log(): string;
  /** Returns the last lines that the provider has printed. */
  logTail(): string;
  /** Stops the provider by a signal, and kills it if it does not end. Returns the exit code; null if it was killed. */
  stop(): Promise<number | null>;
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
  const child = spawn(
    process.execPath,
    [program, 'serve', '--endpoint', endpoint, ...ports, '--cloud-name', 'AzureStackCloud', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing else of this environment is passed on: proxies and AZURE_* variables are meant for the real Azure.
      env: { PATH: process.env.PATH, AZURE_ENVIRONMENT_FILEPATH: cloudFile, SSL_CERT_FILE: caFile, ...env },
    },
  );
  const lastResort = () => void child.kill('SIGKILL');
  // Before the listener that removes the directory, in which this process writes.
  process.prependOnceListener('exit', lastResort);
  child.once('exit', () => process.off('exit', lastResort));

  const log = recordLog(child);
  const logTail = () => log().trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  const stop = () => stopChild(child);
  try {
    await abortable(serving(child, log), AbortSignal.timeout(START_TIMEOUT_MS));
  } catch (error) {
    await stop();
    throw new ProviderError('ERR_INTERNAL', `the provider did not start; its log ends with:\n${logTail()}`, {
      cause: error,
    });
  }
  return { child, endpoint, cloudFile, caFile, log, logTail, stop };
}

function recordLog(child: ChildProcess): () => string {
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  }
  return () => chunks.join('');
}

/** Resolves when the provider logs that it serves. */
function serving(child: ChildProcess, log: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`it ended with ${signal ?? code}`)));
    child.stdout?.on('data', () => {
      if (/\bServing\b/.test(log())) resolve();
    });
  });
}

async function stopChild(child: ChildProcess): Promise<number | null> {
  if (child.pid === undefined) return null;
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
  return child.exitCode;
}
