/** Runs a baseline in a separate process: `baseline-process.mjs sequential|limit`. `implementations.ts` starts it. */
import { answerCalls } from './ipc.ts';
import { readDirectly } from './limit.ts';
import { readSequentially } from './sequential.ts';
import type { AzureAddress, Pod, Reader } from './world.ts';

const READERS: Readonly<Record<string, Reader>> = { sequential: readSequentially, limit: readDirectly };

let mount: ((pod: Pod) => Promise<void>) | undefined;

const methods = {
  connect(address: AzureAddress) {
    mount = READERS[process.argv[2] ?? '']?.(address);
  },
  mount: (pod: Pod) => mount?.(pod),
};

/** The methods that the process of a baseline offers. */
export type BaselineMethods = typeof methods;

answerCalls(methods);
