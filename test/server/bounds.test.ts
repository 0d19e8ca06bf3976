import { EventEmitter, once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MountHandler } from '../../src/mount/handler.ts';
import { ConnectionLimit, type ConnectionUse } from '../../src/server/connection-limit.ts';
import { RequestBudget } from '../../src/server/requests.ts';
import { callBlock, flag, frame, literal, raw, type } from '../support/http2.ts';
import { RawClient } from '../support/http2-client.ts';
import { call, grpcClient, mount, mountRequest, rawConnection, testServer, version } from '../support/server.ts';

const MiB = 1024 * 1024;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('unfinished requests', () => {
  /** Returns connections that record when they are closed. */
  function connections(maxBytes: number, names: readonly string[]) {
    const budget = new RequestBudget(maxBytes);
    const cut: string[] = [];
    const all = names.map((name) => budget.connection(() => cut.push(name)));
    return { budget, cut, all };
  }

  test('cost the connection that holds most, once they are more than there is room for', () => {
    const { all, cut } = connections(100_000, ['a', 'b', 'c']);
    const [a, b, c] = all;
    a?.open(1);
    b?.open(1);
    c?.open(1);
    a?.receive(1, 20_000);
    b?.receive(1, 50_000);
    expect(cut).toEqual([]);
    c?.receive(1, 10_000);
    expect(cut).toEqual(['b']);
    a?.receive(1, 30_000);
    expect(cut).toEqual(['b']);
  });

  test.each<[string, (budget: RequestBudget, held: ReturnType<RequestBudget['connection']>) => void]>([
    ['are complete', (_budget, held) => held.end(1)],
    ['belong to a connection that is gone', (budget, held) => budget.forget(held)],
  ])('hold nothing once they %s', (_name, finish) => {
    const { budget, all, cut } = connections(100_000, ['a', 'b']);
    const [a, b] = all;
    a?.open(1);
    a?.receive(1, 80_000);
    if (a !== undefined) finish(budget, a);
    b?.open(1);
    b?.receive(1, 90_000);
    expect(cut).toEqual([]);
    b?.receive(1, 10_000);
    expect(cut).toEqual(['b']);
  });

  test('count by themselves, however small', () => {
    const { all, cut } = connections(100_000, ['a']);
    for (const i of range(12)) all[0]?.open(2 * i + 1);
    expect(cut).toEqual([]);
    all[0]?.open(25);
    expect(cut).toEqual(['a']);
  });

  test('are not counted for streams that were never opened, or are over', () => {
    const { all, cut } = connections(100_000, ['a']);
    all[0]?.receive(1, 200_000);
    all[0]?.open(1);
    all[0]?.end(1);
    all[0]?.receive(1, 200_000);
    expect([cut, all[0]?.bytes]).toEqual([[], 0]);
  });

  test('of 4 MB each are held up to 16 MiB, and do not keep others out', async () => {
    const { path } = await testServer();
    const sessions: ClientHttp2Session[] = [];
    let closed = 0;
    for (const _ of range(7)) {
      const session = connect('http://localhost', { createConnection: () => connectSocket(path) });
      onTestFinished(() => session.destroy());
      session.on('error', () => {});
      session.once('close', () => closed++);
      sessions.push(session);
      await half(session, 4 * MiB - 1000);
    }
    expect(closed).toBeGreaterThanOrEqual(3);
    expect(sessions.filter((session) => !session.closed && !session.destroyed).length).toBeLessThanOrEqual(4);
    expect((await version(grpcClient(`unix:${path}`))).version).toBe('v1alpha1');
  });

  test('of a driver are far from that: a hundred Mounts of 100 KB at once', async () => {
    const { path } = await testServer({
      mount: async ({ attributes }) => ({
        files: [],
        objectVersions: [{ id: String(attributes.length), version: '1' }],
      }),
    });
    const client = grpcClient(`unix:${path}`);
    const answers = await Promise.all(
      range(100).map(() =>
        call<{ objectVersion: { id: string }[] }>(client, 'Mount', {
          ...mountRequest,
          attributes: 'x'.repeat(100_000),
        }),
      ),
    );
    expect(answers.every(({ objectVersion }) => objectVersion[0]?.id === '100000')).toBe(true);
  });
});

describe('connections', () => {
  class Connection extends EventEmitter {
    use: ConnectionUse;
    cut = false;
    constructor(use: ConnectionUse) {
      super();
      this.use = use;
    }
    destroy(): void {
      this.cut = true;
    }
  }

  test.each<[string, 'refuseNewest' | 'cutOldest', readonly ConnectionUse[], number]>([
    ['the oldest that asked for nothing', 'refuseNewest', ['busy', 'idle', 'unused', 'unused'], 2],
    ['the oldest that was answered', 'refuseNewest', ['busy', 'idle', 'idle', 'busy'], 1],
    ['the newcomer where all are busy', 'refuseNewest', ['busy', 'busy', 'busy', 'busy'], 4],
    ['the oldest where all are busy', 'cutOldest', ['busy', 'busy', 'busy', 'busy'], 0],
  ])('in excess cost %s', (_name, whenAllBusy, uses, expected) => {
    const limit = new ConnectionLimit(uses.length, whenAllBusy);
    const all = [...uses, 'unused' as const].map((use) => new Connection(use));
    for (const connection of all) limit.admit(connection, () => connection.use);
    expect(all.map(({ cut }) => cut)).toEqual(all.map((_, i) => i === expected));
    expect(limit.size).toBe(uses.length);
  });

  test('that are gone make room', () => {
    const limit = new ConnectionLimit(2, 'cutOldest');
    const all = range(4).map(() => new Connection('busy'));
    for (const connection of all) {
      limit.admit(connection, () => connection.use);
      connection.emit('close');
    }
    expect([limit.size, all.some(({ cut }) => cut)]).toEqual([0, false]);
  });

  test('to the socket are 64 at most, and a driver in the middle of a Mount keeps its own', async () => {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const slow: MountHandler = async () => {
      await finished;
      return { files: [], objectVersions: [] };
    };
    let started = () => {};
    const begun = new Promise<void>((resolve) => {
      started = resolve;
    });
    const { path } = await testServer({ mount: slow, meter: { callStarted: () => started(), callEnded() {} } });
    const answer = mount(grpcClient(`unix:${path}`));
    await begun;
    const others = [];
    for (const _ of range(70)) others.push(await rawConnection(path));
    for (const socket of others) socket.resume();
    await Promise.all(others.slice(0, 7).map((socket) => socket.closed || once(socket, 'close')));
    expect(others.filter(({ closed, destroyed }) => !closed && !destroyed)).toHaveLength(63);
    finish();
    expect((await answer).files).toEqual([]);
  });

  test.each<[string, (streamId: number) => Buffer]>([
    ['floods of resets', (streamId) => frame(type.rstStream, 0, streamId, Buffer.of(0, 0, 0, 8))],
    ['header blocks inside others', (streamId) => frame(type.headers, 0, streamId, Buffer.alloc(16_384, 0x82))],
  ])('that break the protocol by %s are closed, and hold no file descriptor', async (_name, breaks) => {
    const { path } = await testServer();
    await version(grpcClient(`unix:${path}`));
    const before = readdirSync('/proc/self/fd').length;
    const client = await RawClient.connect(path);
    const authority = Buffer.concat([Buffer.of(literal.plain | 1), raw('/x')]);
    let over = false;
    void client.closed.then(() => {
      over = true;
    });
    for (let streamId = 1; !over; streamId += 2) {
      const headers = frame(type.headers, flag.endHeaders, streamId, callBlock('Mount', authority));
      client.send(headers, breaks(streamId));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
    expect((await version(grpcClient(`unix:${path}`))).version).toBe('v1alpha1');
  });
});

/** Sends this number of bytes of a Mount and no more. Resolves when they are sent or refused. */
function half(session: ClientHttp2Session, bytes: number): Promise<void> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/v1alpha1.CSIDriverProvider/Mount',
    'content-type': 'application/grpc',
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes + 1, 1);
  return new Promise((resolve) => {
    stream.on('error', () => resolve());
    stream.once('close', () => resolve());
    stream.write(Buffer.concat([head, Buffer.alloc(bytes)]), () => resolve());
  });
}

describe('calls that are given up as they begin', () => {
  test.each([1, 20, 400])('are forgotten: %i at a time', async (count) => {
    const calls = { started: 0, ended: 0 };
    const meter = { callStarted: () => void calls.started++, callEnded: () => void calls.ended++ };
    const { path } = await testServer({ meter });
    const client = await RawClient.connect(path);
    const authority = Buffer.concat([Buffer.of(literal.plain | 1), raw('localhost')]);
    const streams = range(count).map((i) => 2 * i + 1);
    client.send(
      ...streams.flatMap((streamId) => [
        frame(type.headers, flag.endHeaders, streamId, callBlock('Version', authority)),
        frame(type.rstStream, 0, streamId, Buffer.of(0, 0, 0, 8)),
      ]),
    );
    const probe = grpcClient(`unix:${path}`);
    await version(probe);
    client.close();
    await client.closed;
    await version(probe);
    await expect.poll(() => calls.started - calls.ended).toBe(0);
    expect(calls.ended).toBeGreaterThanOrEqual(2);
  });
});
