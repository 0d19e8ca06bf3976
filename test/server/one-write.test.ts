import { connect } from 'node:http2';
import { connect as connectSocket, Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import type { MountHandler } from '../../src/mount/handler.ts';
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { type Frame, framesOf, type } from '../support/http2.ts';
import { RawClient } from '../support/http2-client.ts';
import { call, grpcClient, mountRequest, testServer } from '../support/server.ts';

/** The data that accepted sockets wrote, one entry per write. */
let writes: Buffer[] = [];

type Writev = (this: Socket, chunks: { chunk: Buffer }[], done: () => void) => void;
const written = Reflect.get(Socket.prototype, '_writev') as Writev;
const writtenOne = Reflect.get(Socket.prototype, '_write') as (this: Socket, chunk: Buffer, ...rest: unknown[]) => void;
const accepted = (socket: Socket) => Reflect.get(socket, 'server') instanceof Object;

beforeAll(() => {
  Reflect.set(Socket.prototype, '_writev', function (this: Socket, chunks: { chunk: Buffer }[], done: () => void) {
    if (accepted(this)) writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    written.call(this, chunks, done);
  });
  Reflect.set(Socket.prototype, '_write', function (this: Socket, chunk: Buffer, ...rest: unknown[]) {
    if (accepted(this)) writes.push(Buffer.from(chunk));
    writtenOne.call(this, chunk, ...rest);
  });
});
afterAll(() => {
  Reflect.set(Socket.prototype, '_writev', written);
  Reflect.set(Socket.prototype, '_write', writtenOne);
});
beforeEach(() => {
  writes = [];
});

/**
 * Answers `bytes:N` with N bytes, `late:N` with N bytes after a delay, and anything else with an error that quotes it.
 */
const answering: MountHandler = async ({ attributes }) => {
  const [kind, amount = '0'] = attributes.split(':');
  if (kind === 'late') await new Promise((resolve) => setImmediate(resolve));
  if (kind !== 'bytes' && kind !== 'late') throw new ProviderError('ERR_VAULT', `no ${attributes}`);
  const files = [{ path: 'file', mode: 0o644, contents: Buffer.alloc(Number(amount), 'x') }];
  return { files, objectVersions: [] };
};

const request = (attributes: string) => csiDriverProvider.Mount.requestSerialize({ ...mountRequest, attributes });

/** Returns, for each stream, its frames in each write that has any. */
function writesByStream(): ReadonlyMap<number, readonly Frame[][]> {
  const streams = new Map<number, Frame[][]>();
  for (const write of writes) {
    const byStream = new Map<number, Frame[]>();
    for (const found of framesOf(write)) {
      if (found.streamId > 0) byStream.set(found.streamId, [...(byStream.get(found.streamId) ?? []), found]);
    }
    for (const [streamId, frames] of byStream) streams.set(streamId, [...(streams.get(streamId) ?? []), frames]);
  }
  return streams;
}

const kindsOf = (frames: readonly Frame[]) => frames.map(({ kind }) => kind);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('an answer leaves by one write', () => {
  test.each([0, 1, 200, 16_370, 16_384, 30_000, 50_000, 65_500])('of %i bytes', async (bytes) => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path);
    const streamId = client.call('Mount', request(`bytes:${bytes}`));
    await client.until(() => client.answered(streamId));
    const [frames = [], ...others] = writesByStream().get(streamId) ?? [];
    expect(others).toEqual([]);
    expect([kindsOf(frames).at(0), kindsOf(frames).at(-1)]).toEqual([type.headers, type.headers]);
    expect(
      frames.reduce((sum, { kind, payload }) => sum + (kind === type.data ? payload.length : 0), 0),
    ).toBeGreaterThan(bytes);
  });

  test.each([10, 6000])('that is an error about %i characters', async (length) => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path);
    const streamId = client.call('Mount', request('x'.repeat(length)));
    await client.until(() => client.answered(streamId));
    expect(writesByStream().get(streamId)?.map(kindsOf)).toEqual([[type.headers]]);
  });

  test('a thousand of all kinds and sizes, a hundred at once, over one connection', async () => {
    // The server waits for a window update for a limited time, which a busy machine may need for one.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path);
    const kinds = [
      'bytes:10',
      'late:3000',
      'failure',
      'bytes:20000',
      'late:48000',
      'bytes:60000',
      'late:0',
      'bytes:500',
    ];
    const streams: number[] = [];
    for (const round of range(10)) {
      const started = range(100).map((i) => client.call('Mount', request(kinds[(round + i) % kinds.length] ?? '')));
      streams.push(...started);
      await client.until(() => client.answered(...started));
    }
    const byStream = writesByStream();
    expect(streams.filter((streamId) => byStream.get(streamId)?.length !== 1)).toEqual([]);
    const answers = writes.filter((write) => framesOf(write).some(({ streamId }) => streamId > 0));
    expect(answers.length).toBeLessThanOrEqual(1000);
  });

  test.each([4096, 0])('and is understood by a client whose header table has %i bytes', async (headerTableSize) => {
    const { path } = await testServer({ mount: answering });
    const session = connect('http://localhost', {
      createConnection: () => connectSocket(path),
      settings: { headerTableSize },
    });
    onTestFinished(() => session.destroy());
    const sizes = range(60).map((i) => (i % 3 === 0 ? 30_000 : i * 10));
    const statuses = await Promise.all(
      sizes.map(
        (bytes) =>
          new Promise((resolve, reject) => {
            const headers = {
              ':method': 'POST',
              ':path': '/v1alpha1.CSIDriverProvider/Mount',
              'content-type': 'application/grpc',
            };
            const stream = session.request(headers).once('error', reject).resume();
            stream.once('trailers', (trailers) => resolve(trailers['grpc-status']));
            const body = request(`late:${bytes}`);
            const head = Buffer.alloc(5);
            head.writeUInt32BE(body.length, 1);
            stream.end(Buffer.concat([head, body]));
          }),
      ),
    );
    expect(statuses).toEqual(sizes.map(() => '0'));
  });
});

describe('an answer that is larger than the window of its client', () => {
  test('leaves its headers with the first of its data and its status with the last, one answer at a time', async () => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path);
    const large = range(5).map(() => client.call('Mount', request('bytes:200000')));
    await client.until(() => client.answered(...large));
    for (const streamId of large) {
      const parts = writesByStream().get(streamId) ?? [];
      expect(parts.length).toBeGreaterThan(1);
      expect(kindsOf(parts[0] ?? []).slice(0, 2)).toEqual([type.headers, type.data]);
      expect(kindsOf(parts.at(-1) ?? []).slice(-2)).toEqual([type.data, type.headers]);
    }
    const order = client.frames.filter(({ streamId }) => large.includes(streamId)).map(({ streamId }) => streamId);
    expect(order.filter((streamId, i) => streamId !== order[i - 1])).toHaveLength(large.length);
  });

  test('goes on as the client makes room, byte by byte too, and lets small ones pass', async () => {
    const { path } = await testServer({ mount: answering });
    const tiny = Buffer.of(0, 4, 0, 0, 0, 100);
    const client = await RawClient.connect(path, { credits: false, settings: tiny });
    const large = client.call('Mount', request('bytes:200'));
    await client.until(() => client.frames.some(({ streamId }) => streamId === large));
    const small = client.call('Mount', request('bytes:10'));
    await client.until(() => client.answered(small));
    expect(client.answered(large)).toBe(false);
    const data = () => client.frames.filter(({ kind, streamId }) => kind === type.data && streamId === large);
    for (let left = 1; !client.answered(large); left++) {
      const before = data().length;
      client.grant(large, 1);
      await client.until(() => data().length > before);
      expect(left).toBeLessThan(300);
    }
    expect(data()[0]?.payload).toHaveLength(100);
    expect(data().reduce((sum, { payload }) => sum + payload.length, 0)).toBeGreaterThan(200);
  });

  test('is whole, and unharmed by others', async () => {
    const { path } = await testServer({ mount: answering });
    const client = grpcClient(`unix:${path}`);
    const sizes = range(60).map((i) => [10, 33_000, 64_000, 500_000][i % 4] ?? 0);
    const answers = await Promise.all(
      sizes.map((bytes) =>
        call<{ files: { contents: Buffer }[] }>(client, 'Mount', { ...mountRequest, attributes: `late:${bytes}` }),
      ),
    );
    expect(answers.map(({ files }) => files[0]?.contents.length)).toEqual(sizes);
    expect(answers.every(({ files }) => files[0]?.contents.every((octet) => octet === 120))).toBe(true);
  });
});

describe('an answer waits for room in the window of its connection', () => {
  test('and leaves whole when there is some', async () => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path, { credits: false, pongs: false });
    const first = client.call('Mount', request('bytes:40000'));
    await client.until(() => client.answered(first));
    const second = client.call('Mount', request('bytes:40000'));
    client.grant(0, 10_000);
    await client.until(() => client.frames.some(({ kind }) => kind === type.ping));
    expect(client.frames.some(({ streamId }) => streamId === second)).toBe(false);
    client.grant(0, 30_100);
    await client.until(() => client.answered(second));
    expect(writesByStream().get(second)).toHaveLength(1);
  });

  test('and leaves in parts where the client, asked, makes none', async () => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path, { credits: false });
    const first = client.call('Mount', request('bytes:40000'));
    const second = client.call('Mount', request('bytes:40000'));
    await client.until(() => client.answered(first));
    client.grant(0, 10_000);
    await client.until(() => client.frames.some(({ streamId }) => streamId === second));
    expect(client.answered(second)).toBe(false);
    client.grant(0, 30_100);
    await client.until(() => client.answered(second));
    expect(writesByStream().get(second)).toHaveLength(2);
  });

  test('and is dropped when the client does not want it any more', async () => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path, { credits: false, pongs: false });
    const first = client.call('Mount', request('bytes:40000'));
    const second = client.call('Mount', request('bytes:40000'));
    await client.until(() => client.answered(first));
    client.grant(0, 10_000);
    await client.until(() => client.frames.some(({ kind }) => kind === type.ping));
    client.reset(second);
    const third = client.call('Mount', request('bytes:20000'));
    await client.until(() => client.answered(third));
    expect(client.frames.some(({ streamId }) => streamId === second)).toBe(false);
  });

  test('even when the provider stops, which waits for it', async () => {
    const server = await testServer({ mount: answering, drainMs: 20_000 });
    const client = await RawClient.connect(server.path, { credits: false, pongs: false });
    const first = client.call('Mount', request('bytes:40000'));
    const second = client.call('Mount', request('bytes:40000'));
    await client.until(() => client.answered(first));
    client.grant(0, 10_000);
    await client.until(() => client.frames.some(({ kind }) => kind === type.ping));
    let stopped = false;
    const stopping = server.stop().then(() => {
      stopped = true;
    });
    await client.until(() => client.frames.some(({ kind }) => kind === type.goaway));
    expect([stopped, client.answered(second)]).toEqual([false, false]);
    client.grant(0, 30_100);
    await client.until(() => client.answered(second));
    expect(writesByStream().get(second)).toHaveLength(1);
    await stopping;
    await client.closed;
  });

  test('which does not hold up what belongs to no answer', async () => {
    const { path } = await testServer({ mount: answering });
    const client = await RawClient.connect(path, { credits: false, pongs: false });
    const first = client.call('Mount', request('bytes:40000'));
    const second = client.call('Mount', request('bytes:40000'));
    await client.until(() => client.answered(first));
    client.grant(0, 10_000);
    await client.until(() => client.frames.some(({ kind }) => kind === type.ping));
    client.ping();
    await client.until(() => client.frames.some(({ kind, flags }) => kind === type.ping && flags === 1));
    expect(client.frames.some(({ streamId }) => streamId === second)).toBe(false);
  });
});
