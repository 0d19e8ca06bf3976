import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import type { PinnedConnection } from '../../src/server/connection.ts';
import { stalledCheck } from '../../src/server/stalled.ts';
import { keptLog } from '../support/mount.ts';
import { eventually } from '../support/process.ts';
import { grpcClient, mount, testServer } from '../support/server.ts';

const never = new AbortController().signal;

interface Fake {
  unsentBytes: number;
  sentBytes: number;
  use: PinnedConnection['use'];
  destroyed: boolean;
  destroy(): void;
}

function connectionOf(parts: Partial<Fake>): Fake & PinnedConnection {
  const fake: Fake = {
    unsentBytes: 0,
    sentBytes: 0,
    use: 'busy',
    destroyed: false,
    destroy() {
      this.destroyed = true;
    },
    ...parts,
  };
  return fake as unknown as Fake & PinnedConnection;
}

async function crowded(): Promise<MemoryBudget> {
  const budget = new MemoryBudget(1000);
  await budget.open({ owner: 'a', held: 0, bytes: 900 }, never);
  void budget.open({ owner: 'a', held: 0, bytes: 900 }, never);
  return budget;
}

describe('a client that takes no answers', () => {
  test('is cut at the second check, if Mounts of others wait for memory', async () => {
    const [stuck, less, other] = [
      connectionOf({ unsentBytes: 500 }),
      connectionOf({ unsentBytes: 400 }),
      connectionOf({}),
    ];
    const { log, lines } = keptLog();
    const check = stalledCheck([stuck, less, other], await crowded(), log);
    check();
    expect(stuck.destroyed).toBe(false);
    check();
    expect([stuck, less, other].map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    expect(lines.map(({ fields }) => fields)).toEqual([{ unsentBytes: 500 }]);
  });

  test.each<[string, Partial<Fake>, Partial<Fake>]>([
    ['reads, however slowly', { sentBytes: 1 }, {}],
    ['is the only one with calls', {}, { use: 'idle' }],
    ['has nothing to take', { unsentBytes: 0 }, {}],
  ])('is kept if it %s', async (_why, change, others) => {
    const stuck = connectionOf({ unsentBytes: 500 });
    const check = stalledCheck([stuck, connectionOf(others)], await crowded(), silentLogger);
    check();
    Object.assign(stuck, change);
    check();
    expect(stuck.destroyed).toBe(false);
  });

  test('is kept while nobody waits for memory', () => {
    const stuck = connectionOf({ unsentBytes: 500 });
    const check = stalledCheck([stuck, connectionOf({})], new MemoryBudget(1000), silentLogger);
    check();
    check();
    expect(stuck.destroyed).toBe(false);
  });
});

describe('answers that the client does not take', () => {
  const length = 300_000;
  const files = () => [{ path: 'a', mode: 0o644, contents: Buffer.alloc(length) }];

  test('are charged until the client has gone, over all connections', async () => {
    const memory = new MemoryBudget(1e9);
    let released = 0;
    const { path } = await testServer({
      memory,
      mount: async () => ({
        files: files(),
        objectVersions: [],
        memory: { bytes: length, release: () => released++ },
      }),
    });
    const sockets = [connectSocket(path), connectSocket(path)];
    for (const socket of sockets) {
      onTestFinished(() => {
        socket.destroy();
      });
      await once(socket, 'connect');
      const session = connect('http://localhost', {
        createConnection: () => socket,
        settings: { initialWindowSize: 0 },
      });
      session.on('error', () => {});
      onTestFinished(() => session.destroy());
      for (let i = 0; i < 3; i++) {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/v1alpha1.CSIDriverProvider/Mount',
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.on('error', () => {});
        stream.end(Buffer.alloc(5));
      }
    }
    await eventually(() => released === 6);
    // Each answer has left the hands of gRPC; both connections hold three.
    expect(memory.figures.used).toBeGreaterThan(6 * length);
    sockets[0]?.destroy();
    await eventually(() => memory.figures.used < 4 * length);
    expect(memory.figures.used).toBeGreaterThan(3 * length);
    sockets[1]?.destroy();
    await eventually(() => memory.figures.used === 0);
  });

  test('cost nothing once they were read', async () => {
    const memory = new MemoryBudget(1e9);
    const { path } = await testServer({ memory, mount: async () => ({ files: files(), objectVersions: [] }) });
    const client = grpcClient(`unix:${path}`);
    for (let i = 0; i < 5; i++) await mount(client);
    await eventually(() => memory.figures.used === 0);
  });
});
