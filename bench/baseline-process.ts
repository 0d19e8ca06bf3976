/** A baseline in a process of its own: `baseline-process.mjs sequential|limit`. */
import { answerCalls } from './ipc.ts';
import { readAtTheLimit } from './limit.ts';
import { readSequentially } from './sequential.ts';
import type { AzureAddress, Pod, Reader } from './world.ts';

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
