/** A baseline in a process of its own: `baseline-process.mjs sequential|limit`. */
import { answerCalls } from './ipc.ts';
import { readAtTheLimit } from './limit.ts';
import { readSequentially } from './sequential.ts';
import type { Pod } from './world.ts';

/** Where a baseline finds the emulator. */
export interface AzureAddress {
  readonly caPem: string;
  readonly authorityHost: string;
  readonly vaultUrl: string;
}

/** A way to mount: takes the address once, then reads all objects of each pod. */
export type Reader = (address: AzureAddress) => (pod: Pod) => Promise<void>;

const READERS: Readonly<Record<string, Reader>> = { sequential: readSequentially, limit: readAtTheLimit };

let mount: ((pod: Pod) => Promise<void>) | undefined;

const methods = {
  connect(address: AzureAddress) {
    mount = READERS[process.argv[2] ?? '']?.(address);
  },
  mount: (pod: Pod) => mount?.(pod),
};

/** What a baseline's process can be asked. */
export type BaselineMethods = typeof methods;

answerCalls(methods);
