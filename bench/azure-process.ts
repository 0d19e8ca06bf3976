/**
 * Runs the emulator in a separate process, so that it does not use the event loop of a measured process. `azure.ts`
 * starts it.
 */
import { type Emulator, type EmulatorOptions, startEmulator } from '../src/emulator/emulator.ts';
import type { Fault } from '../src/emulator/host/faults.ts';
import { answerCalls } from './ipc.ts';

let running: Emulator | undefined;

function emulator(): Emulator {
  if (running === undefined) throw new Error('the emulator is not started');
  return running;
}

const methods = {
  async start(options: EmulatorOptions) {
    running = await startEmulator(options);
    const { authorityHost, caPem, cloudFile, port } = running;
    return { authorityHost, caPem, cloudFile, port, vaultUrl: running.vaultUrl(running.vaults[0] ?? '') };
  },
  hostsLines: () => emulator().hostsLines(),
  clearRequests: () => emulator().requests.clear(),
  requests: () => [...emulator().requests],
  addFault: (fault: Fault) => emulator().faults.add(fault),
  clearFaults: () => emulator().faults.clear(),
};

/** The methods that the emulator's process offers. */
export type AzureMethods = typeof methods;

answerCalls(methods);
