/**
 * The provider of the soak: a process that is measured while it serves. `soak.ts` starts and ends it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ProviderProcess, startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { connectProvider, type ProviderClient } from '../../src/driver/client.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { IMAGE_TUNABLES } from '../implementations.ts';
import { memoryOf } from '../linux.ts';
import { CACHE_TTL_MS } from './world.ts';

const SAMPLE_MS = 1_000;

/** The size of the process at one time. */
export interface Sample {
  readonly anonBytes: number;
  readonly files: number;
  readonly sockets: number;
  readonly threads: number;
  /** Timers that keep the process alive, and other active resources of Node. */
  readonly timers: number;
  readonly resources: number;
}

/** Options of {@link SoakProvider.start}. */
export interface SoakProviderOptions {
  /** `dist/main.js`. */
  readonly program: string;
  readonly directory: string;
  readonly emulator: Emulator;
  /** Further flags of `serve`. */
  readonly args: readonly string[];
}

/** A provider that is measured once a second. */
export class SoakProvider {
  readonly client: ProviderClient;
  readonly samples: Sample[] = [];
  readonly #process: ProviderProcess;
  readonly #countsFile: string;

  private constructor(started: ProviderProcess, countsFile: string) {
    this.#process = started;
    this.#countsFile = countsFile;
    this.client = connectProvider(started.endpoint);
  }

  static async start({ args, ...parts }: SoakProviderOptions): Promise<SoakProvider> {
    const { directory } = parts;
    mkdirSync(directory, { recursive: true });
    const countsFile = join(directory, 'resources.json');
    const hook = fileURLToPath(new URL('./soak-hook.mjs', import.meta.url));
    const started = await startProviderProcess({
      ...parts,
      args: [`--cache-ttl=${CACHE_TTL_MS}ms`, ...args],
      env: { NODE_OPTIONS: `--import ${hook}`, RESOURCES_FILE: countsFile, GLIBC_TUNABLES: IMAGE_TUNABLES },
    });
    return new SoakProvider(started, countsFile);
  }

  /** Measures once a second until the signal aborts. */
  async sample(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => {});
      this.samples.push(this.measure());
    }
  }

  measure(): Sample {
    const pid = this.#process.child.pid ?? 0;
    const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
    return {
      anonBytes: memoryOf(pid, 'RssAnon'),
      files: targets.length,
      sockets: targets.filter((target) => target.startsWith('socket:')).length,
      threads: readdirSync(`/proc/${pid}/task`).length,
      ...this.#resources(),
    };
  }

  /** Lines of the log that tell of a defect. */
  defects(): readonly string[] {
    return this.#process
      .log()
      .split('\n')
      .filter((line) => /Defect|defect|level=fatal/.test(line));
  }

  /** Ends the process. Returns how it ended. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<string> {
    const { child } = this.#process;
    const early = child.exitCode ?? child.signalCode;
    this.client.close();
    if (early !== null) return `ended early: ${early}`;
    if (signal === 'SIGKILL') child.kill(signal);
    const code = await this.#process.stop();
    return signal === 'SIGTERM' && code !== 0 ? `exit code ${code} after SIGTERM` : 'as told';
  }

  #resources(): Pick<Sample, 'timers' | 'resources'> {
    const text = existsSync(this.#countsFile) ? readFileSync(this.#countsFile, 'utf8') : '{}';
    const { timers = 0, resources = 0 } = JSON.parse(text) as Partial<Sample>;
    return { timers, resources };
  }
}
