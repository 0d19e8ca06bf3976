import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { callBlock, flag, frame, literal, message, opening, raw, type, versionCall } from '../support/http2.ts';
import { numbers } from '../support/numbers.ts';
import { rounds } from '../support/rounds.ts';
import { grpcClient, oneFile, rawConnection, type TestServer, testServer, version } from '../support/server.ts';

const ROUNDS = rounds(100, 1000);
const unexpected = vi.fn();

beforeAll(() => {
  process.on('uncaughtException', unexpected);
  process.on('unhandledRejection', unexpected);
});

afterAll(() => {
  process.off('uncaughtException', unexpected);
  process.off('unhandledRejection', unexpected);
});

const authority = Buffer.concat([Buffer.of(literal.indexed | 1), raw('/var/run/azure.sock')]);
const mountCall = (streamId: number) =>
  Buffer.concat([
    frame(type.headers, flag.endHeaders, streamId, callBlock('Mount', Buffer.of(0xbe))),
    message(streamId, Buffer.from('0a027b7d12046e756c6c2203343230', 'hex')),
  ]);
const conversation = Buffer.concat([
  opening,
  versionCall(1, authority),
  mountCall(3),
  mountCall(5),
  versionCall(7, authority),
]);

const random = numbers(1);
const randomBytes = (length: number) => Buffer.from(Array.from({ length }, () => random(256)));

const KINDS: Record<string, () => Buffer> = {
  'random bytes': () => randomBytes(1 + random(300)),
  'random bytes behind the preface': () => Buffer.concat([opening, randomBytes(1 + random(300))]),
  'random frames': () =>
    Buffer.concat([
      opening,
      ...Array.from({ length: 1 + random(8) }, () =>
        frame(random(12), random(256), random(9), randomBytes(random(60))),
      ),
    ]),
  'random header blocks': () =>
    Buffer.concat([opening, frame(type.headers, flag.endHeaders, 1, randomBytes(1 + random(80))), message(1)]),
  'random request messages': () =>
    Buffer.concat([
      opening,
      frame(type.headers, flag.endHeaders, 1, callBlock('Mount', authority)),
      message(1, randomBytes(random(200))),
    ]),
  'a conversation with flipped bits': () => {
    const bytes = Buffer.from(conversation);
    for (let flips = 1 + random(6); flips > 0; flips--) {
      const at = 24 + random(bytes.length - 24);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at);
    }
    return bytes;
  },
  'a conversation cut off': () => conversation.subarray(0, random(conversation.length)),
  'a conversation with a piece missing': () => {
    const at = random(conversation.length);
    return Buffer.concat([conversation.subarray(0, at), conversation.subarray(at + 1 + random(40))]);
  },
  'streams reset in the middle': () => {
    const code = Buffer.of(0, 0, 0, random(14));
    const streamId = 1 + 2 * random(4);
    const reset = Buffer.concat([
      frame(type.headers, flag.endHeaders, 9, callBlock('Nothing', authority)),
      frame(type.rstStream, 0, 9, code),
    ]);
    return Buffer.concat([conversation, frame(type.rstStream, 0, streamId, code), reset]);
  },
  'strange method names': () => {
    const path = Buffer.concat([Buffer.of(0x04), raw(`/${randomBytes(random(40)).toString('latin1')}`)]);
    const block = Buffer.concat([
      Buffer.of(0x83, 0x86),
      path,
      authority,
      callBlock('Version', Buffer.alloc(0)).subarray(-50),
    ]);
    return Buffer.concat([opening, frame(type.headers, flag.endHeaders, 1, block), message(1)]);
  },
};

test.each(Object.entries(KINDS))(`survives ${ROUNDS} times %s`, async (_name, make) => {
  const server = await testServer();
  await inBatches(server, make);
  expect(unexpected.mock.calls).toEqual([]);
  expect((await version(grpcClient(`unix:${server.path}`))).version).toBe('v1alpha1');
  expect((await version(grpcClient(`unix:${server.path}`, { 'grpc.default_authority': server.path }))).version).toBe(
    'v1alpha1',
  );
  expect(server.inFlight()).toBe(0);
});

test('survives clients that vanish in the middle of an answer', async () => {
  const files = [{ path: 'a', mode: 420, contents: Buffer.alloc(1_000_000) }];
  const server = await testServer({ mount: async (...call) => ({ ...(await oneFile(...call)), files }) });
  for (let round = 0; round < ROUNDS / 5; round++) {
    const socket = await rawConnection(server.path);
    socket.write(conversation);
    await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    socket.destroy();
  }
  expect(unexpected.mock.calls).toEqual([]);
  expect((await version(grpcClient(`unix:${server.path}`))).version).toBe('v1alpha1');
});

async function inBatches(server: TestServer, make: () => Buffer): Promise<void> {
  for (let done = 0; done < ROUNDS; done += 50) {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => rawConnection(server.path)));
    await Promise.all(sockets.map((socket) => converse(socket, make())));
  }
}

/** Sends the bytes in pieces and ends in one of several ways. Resolves when the connection is closed. */
function converse(socket: Socket, bytes: Buffer): Promise<void> {
  const cut = random(bytes.length + 1);
  const leave = random(2) === 0 ? () => socket.destroy() : () => socket.end();
  const turns = random(6);
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    if (random(4) > 0) socket.resume();
    socket.write(bytes.subarray(0, cut));
    setImmediate(() => {
      if (socket.writable) socket.write(bytes.subarray(cut));
      afterTurns(turns, () => {
        socket.resume();
        leave();
      });
    });
  });
}

/** Calls `then` after some turns of the event loop, so that the server processes some of its input. */
function afterTurns(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(() => afterTurns(turns - 1, then));
}
