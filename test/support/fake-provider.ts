/**
 * A provider with fixed responses, for tests of the driver.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type UntypedHandleCall } from '@grpc/grpc-js';
import { csiDriverProvider, type MountRequest, type MountResponse } from '../../src/wire/contract.ts';

/** A gRPC server with the two methods of the contract, on a socket in a new directory. */
export interface FakeProvider {
  readonly endpoint: string;
  readonly requests: MountRequest[];
  readonly deadlines: (Date | number)[];
  close(): void;
}

type Answer = MountResponse | { readonly code: number; readonly details: string } | 'never';

/** Starts a provider that answers the n-th Mount with the n-th response. The last response is repeated. */
export async function startProvider(answers: readonly Answer[]): Promise<FakeProvider> {
  const directory = mkdtempSync(join(tmpdir(), 'akv-provider-'));
  const endpoint = `unix://${join(directory, 'azure.sock')}`;
  const requests: MountRequest[] = [];
  const deadlines: (Date | number)[] = [];
  const server = new Server();
  const implementation: Record<string, UntypedHandleCall> = {
    Version: (_call: unknown, callback: (error: null, response: object) => void) =>
      callback(null, { version: 'v1alpha1', runtimeName: 'fake', runtimeVersion: 'v9' }),
    Mount: (
      call: { request: MountRequest; getDeadline(): Date | number },
      callback: (error: object | null, response?: object) => void,
    ) => {
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push(call.request);
      deadlines.push(call.getDeadline());
      if (answer === undefined || answer === 'never') return;
      if ('code' in answer) callback(answer);
      else callback(null, answer);
    },
  };
  server.addService(csiDriverProvider, implementation);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(endpoint, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  return {
    endpoint,
    requests,
    deadlines,
    close() {
      server.forceShutdown();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Returns a response with one file for each path. */
export function answerWith(files: Readonly<Record<string, string>>, version = '1'): MountResponse {
  return {
    objectVersion: Object.keys(files).map((path) => ({ id: `secret/${path}`, version })),
    files: Object.entries(files).map(([path, contents]) => ({ path, mode: 0o644, contents: Buffer.from(contents) })),
  };
}
