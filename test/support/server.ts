/**
 * Starts servers and clients of the gRPC contract, for tests of src/server/.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/log.ts';
import type { MemoryBudget } from '../../src/base/memory-budget.ts';
import type { Tracer } from '../../src/base/trace.ts';
import type { MountHandler } from '../../src/mount/handler.ts';
import type { CallMeter } from '../../src/server/guard.ts';
import { type RunningServer, startServer } from '../../src/server/server.ts';
import { csiDriverProvider, health, type MountResponse, type VersionResponse } from '../../src/wire/contract.ts';

export const silentMeter: CallMeter = { callStarted() {}, callEnded() {} };

/** Answers every Mount with one small file. */
export const oneFile: MountHandler = async () => ({
  files: [{ path: 'db-password', mode: 0o644, contents: Buffer.from('hunter2') }],
  objectVersions: [{ id: 'secret/db-password', version: 'v1' }],
});

/** Returns a directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'akv-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface TestServer extends RunningServer {
  readonly path: string;
}

/** Starts a server on a new Unix socket. It is stopped after the test. */
export async function testServer(
  options: {
    mount?: MountHandler;
    drainMs?: number;
    log?: Logger;
    meter?: CallMeter;
    path?: string;
    memory?: MemoryBudget;
    tracer?: Tracer;
  } = {},
): Promise<TestServer> {
  const path = options.path ?? join(temporaryDirectory(), 'azure.sock');
  const server = await startServer({
    endpoint: { kind: 'unix', path },
    mount: options.mount ?? oneFile,
    version: '1.2.3',
    log: options.log ?? silentLogger,
    meter: options.meter ?? silentMeter,
    drainMs: options.drainMs ?? 0,
    tracer: options.tracer,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
  });
  onTestFinished(() => server.stop());
  return { ...server, path };
}

/** Returns a grpc-js client. It is closed after the test. */
export function grpcClient(target: string, options: ChannelOptions = {}): Client {
  const client = new Client(target, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1, ...options });
  onTestFinished(() => client.close());
  return client;
}

export interface CallOptions {
  readonly deadline?: number;
  readonly metadata?: Record<string, string>;
  /** Called with the call when it has been made. */
  readonly started?: (call: { cancel(): void }) => void;
}

const methods: ServiceDefinition = { ...csiDriverProvider, ...health };

/** Makes one unary call. Rejects with the `ServiceError`. */
export function call<T>(client: Client, method: string, request: object, options: CallOptions = {}): Promise<T> {
  const definition = methods[method];
  if (definition === undefined) throw new Error(`no method ${method}`);
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  return new Promise((resolve, reject) => {
    const started = client.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      metadata,
      options.deadline === undefined ? {} : { deadline: options.deadline },
      (error, value) => (error ? reject(error) : resolve(value as T)),
    );
    options.started?.(started);
  });
}

export const mountRequest = {
  attributes: '{}',
  secrets: 'null',
  targetPath: '/mnt',
  permission: '420',
  currentObjectVersion: [],
};

export const mount = (client: Client, options?: CallOptions): Promise<MountResponse> =>
  call(client, 'Mount', mountRequest, options);

export const version = (client: Client, options?: CallOptions): Promise<VersionResponse> =>
  call(client, 'Version', { version: 'v1alpha1' }, options);

/** Returns the `ServiceError` with which a call fails. */
export async function failure(pending: Promise<unknown>): Promise<ServiceError> {
  return pending.then(
    () => {
      throw new Error('the call succeeded');
    },
    (error: ServiceError) => error,
  );
}

/** Returns a connected raw socket. It is destroyed after the test. */
export function rawConnection(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    onTestFinished(() => {
      socket.destroy();
    });
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
