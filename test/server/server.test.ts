import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import type { MountHandler, MountInput } from '../../src/mount/handler.ts';
import { startServer } from '../../src/server/server.ts';
import { callBlock, flag, frame, framesOf, literal, opening, raw, type } from '../support/http2.ts';
import {
  call,
  failure,
  grpcClient,
  mount,
  mountRequest,
  oneFile,
  rawConnection,
  silentMeter,
  temporaryDirectory,
  testServer,
  version,
} from '../support/server.ts';

describe('a provider', () => {
  test.each([
    ['of driver v1.6 (localhost)', {}],
    ['of drivers up to v1.5.6 (the socket path)', { 'grpc.default_authority': '/var/run/azure.sock' }],
    ['of nobody in particular', { 'grpc.default_authority': 'azure:50051' }],
  ])('answers a client with the authority %s', async (_name, options) => {
    const inputs: MountInput[] = [];
    const { path } = await testServer({
      mount: (input, context) => {
        inputs.push(input);
        return oneFile(input, context);
      },
    });
    const client = grpcClient(`unix:${path}`, options);
    expect(await version(client)).toEqual({
      version: 'v1alpha1',
      runtimeName: 'secrets-store-csi-driver-provider-azure',
      runtimeVersion: 'v1.2.3',
    });
    for (let i = 0; i < 3; i++) {
      const { files, objectVersion } = await mount(client);
      expect(files).toEqual([{ path: 'db-password', mode: 0o644, contents: Buffer.from('hunter2') }]);
      expect(objectVersion).toEqual([{ id: 'secret/db-password', version: 'v1' }]);
    }
    expect(inputs[2]).toEqual({ attributes: '{}', secrets: 'null', permission: '420', targetPath: '/mnt' });
  });

  test('answers many Mounts at once over one connection', async () => {
    const { path } = await testServer({
      mount: async ({ attributes }) => ({
        files: [{ path: attributes, mode: 0o600, contents: Buffer.alloc(50_000, attributes) }],
        objectVersions: [{ id: attributes, version: '1' }],
      }),
    });
    const client = grpcClient(`unix:${path}`, { 'grpc.default_authority': path });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        call<{ files: { path: string }[] }>(client, 'Mount', { ...mountRequest, attributes: `${i}` }),
      ),
    );
    expect(answers.map(({ files }) => files[0]?.path)).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`));
  });

  test('answers over TCP', async () => {
    const server = await startServer({
      endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      mount: oneFile,
      version: '1.2.3',
      log: silentLogger,
      meter: silentMeter,
    });
    onTestFinished(() => server.stop());
    const { endpoint } = server;
    expect(endpoint.kind).toBe('tcp');
    const port = endpoint.kind === 'tcp' ? endpoint.port : 0;
    expect((await version(grpcClient(`127.0.0.1:${port}`))).version).toBe('v1alpha1');
  });

  test.each(['', 'anything', 'v1alpha1.CSIDriverProvider'])('is SERVING as %j', async (service) => {
    const { path } = await testServer();
    expect(await call(grpcClient(`unix:${path}`), 'Check', { service })).toEqual({ status: 'SERVING' });
  });

  test('does not list or watch health', async () => {
    const { path } = await testServer();
    const client = grpcClient(`unix:${path}`);
    const list = await failure(call(client, 'List', {}));
    expect([list.code, list.details]).toEqual([status.UNIMPLEMENTED, 'List is not supported']);
    const watch = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      () => Buffer.alloc(0),
      (bytes) => bytes,
      {},
    );
    const error = await new Promise<{ code: number; details: string }>((resolve) => {
      watch.on('error', (thrown: Error & { code: number; details: string }) => resolve(thrown));
      watch.resume();
    });
    expect([error.code, error.details]).toEqual([status.UNIMPLEMENTED, 'Watch is not supported']);
  });

  test('does not know other methods', async () => {
    const { path } = await testServer();
    const unknown = new Promise((resolve) => {
      const identity = (bytes: Buffer) => bytes;
      const client = grpcClient(`unix:${path}`);
      client.makeUnaryRequest('/v1alpha1.CSIDriverProvider/Unmount', identity, identity, Buffer.alloc(0), (error) =>
        resolve(error?.code),
      );
    });
    expect(await unknown).toBe(status.UNIMPLEMENTED);
  });
});

describe('stopping', () => {
  test('lets a Mount finish, closes every connection and removes the socket', async () => {
    const { mount: slow, started, finish } = held();
    const server = await testServer({ mount: slow, drainMs: 20_000 });
    const answer = mount(grpcClient(`unix:${server.path}`));
    await started;
    expect(server.inFlight()).toBe(1);
    const stopped = server.stop();
    expect(existsSync(server.path)).toBe(false);
    finish();
    await stopped;
    expect((await answer).files).toHaveLength(1);
    expect(server.inFlight()).toBe(0);
  });

  test('tells clients at once to go elsewhere, and to lose nothing by it', async () => {
    const { mount: slow, started, finish } = held();
    const server = await testServer({ mount: slow, drainMs: 20_000 });
    const session = connect('http://localhost', { createConnection: () => connectSocket(server.path) });
    const headers = {
      ':method': 'POST',
      ':path': '/v1alpha1.CSIDriverProvider/Mount',
      'content-type': 'application/grpc',
    };
    const stream = session.request(headers);
    stream.end(Buffer.alloc(5));
    await started;
    const goaway = new Promise<unknown[]>((resolve) => session.once('goaway', (...args) => resolve(args)));
    const stopped = server.stop();
    const [code, lastStreamId] = await goaway;
    expect([code, lastStreamId]).toEqual([0, 1]);
    const trailers = new Promise((resolve) => stream.once('trailers', resolve));
    stream.resume();
    finish();
    expect(await trailers).toMatchObject({ 'grpc-status': '0' });
    await stopped;
  });

  test('ends a Mount that outlasts the bound with a final code', async () => {
    const { mount: slow, started } = held();
    const server = await testServer({ mount: slow, drainMs: 50 });
    const answer = failure(mount(grpcClient(`unix:${server.path}`)));
    await started;
    await server.stop();
    const error = await answer;
    expect([error.code, error.details]).toEqual([
      status.UNKNOWN,
      'The provider is stopping; the next attempt is answered by its successor',
    ]);
  });

  test('ends a request whose rest does not come with a final code', async () => {
    const server = await testServer({ drainMs: 50 });
    const session = connect('http://localhost', { createConnection: () => connectSocket(server.path) });
    const headers = {
      ':method': 'POST',
      ':path': '/v1alpha1.CSIDriverProvider/Mount',
      'content-type': 'application/grpc',
    };
    const stream = session.request(headers);
    stream.write(Buffer.alloc(3));
    stream.on('error', () => {});
    const ending = new Promise((resolve) => stream.once('response', resolve));
    await once(session, 'connect');
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    await server.stop();
    expect(await ending).toMatchObject({ 'grpc-status': '2' });
  });

  test.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    ['sent the preface only', (socket) => socket.write(opening)],
    ['never reads', (socket) => socket.pause()],
    [
      'is in the middle of a header block',
      (socket) => {
        const authority = Buffer.concat([Buffer.of(literal.plain | 1), raw('/x')]);
        const block = callBlock('Mount', authority);
        socket.write(Buffer.concat([opening, frame(type.headers, 0, 1, block.subarray(0, 9))]));
      },
    ],
  ])('does not wait for a connection that %s', async (_name, behave) => {
    const server = await testServer({ drainMs: 20_000 });
    const socket = await rawConnection(server.path);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    behave(socket);
    await server.stop();
    socket.resume();
    await closed;
  });

  test('does not wait for ever for a client that stops reading a large answer', async () => {
    const contents = Buffer.alloc(3_000_000);
    const server = await testServer({
      mount: async () => ({ files: [{ path: 'a', mode: 0, contents }], objectVersions: [] }),
    });
    const socket = await rawConnection(server.path);
    const window = Buffer.of(0, 4, 0x3f, 0xff, 0xff, 0xff);
    const authority = Buffer.concat([Buffer.of(literal.plain | 1), raw('/x')]);
    socket.write(
      Buffer.concat([
        opening,
        frame(type.settings, 0, 0, window),
        frame(type.headers, flag.endHeaders, 1, callBlock('Mount', authority)),
        frame(type.data, flag.endStream, 1, Buffer.alloc(5)),
      ]),
    );
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        if (framesOf(chunk).some(({ kind }) => kind === type.data) || chunk.length > 1000) {
          socket.pause();
          resolve();
        }
      });
    });
    await server.stop();
    expect(server.inFlight()).toBe(0);
  });

  test('can be asked for twice', async () => {
    const server = await testServer();
    await Promise.all([server.stop(), server.stop()]);
    expect(existsSync(server.path)).toBe(false);
  });
});

describe('a successor', () => {
  test('takes over the path without a gap and keeps it when the predecessor is gone', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const first = await testServer({ path });
    let takingOver = true;
    let reached = 0;
    const knocking = (async () => {
      while (takingOver) {
        (await rawConnection(path)).destroy();
        reached++;
      }
    })();
    const old = grpcClient(`unix:${path}`);
    await mount(old);
    for (let generation = 0; generation < 5; generation++) {
      await testServer({ path });
    }
    await first.stop();
    expect(existsSync(path)).toBe(true);
    expect((await version(old)).version).toBe('v1alpha1');
    takingOver = false;
    await knocking;
    expect(reached).toBeGreaterThan(5);
  });
});

/** Returns a handler that waits until `finish` is called. */
function held(): { mount: MountHandler; started: Promise<void>; finish: () => void } {
  let start = () => {};
  let finish = () => {};
  const started = new Promise<void>((resolve) => {
    start = resolve;
  });
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const mount: MountHandler = async (input, context) => {
    start();
    await finished;
    return oneFile(input, context);
  };
  return { mount, started, finish };
}
