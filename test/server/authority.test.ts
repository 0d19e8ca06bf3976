import { connect, createServer, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket, createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authorityPin } from '../../src/server/authority.ts';
import { pinConnection } from '../../src/server/connection.ts';
import { FrameWalk } from '../../src/server/frames.ts';
import { AuthorityRewriter, replacementFor } from '../../src/server/hpack.ts';
import {
  callBlock,
  field,
  flag,
  frame,
  framesOf,
  huffman,
  literal,
  message,
  opening,
  PREFACE,
  raw,
  type,
  versionCall,
} from '../support/http2.ts';
import { rounds } from '../support/rounds.ts';
import { rawConnection, temporaryDirectory, testServer } from '../support/server.ts';

const SOCKET_PATH = '/var/run/secrets-store-csi-providers/azure.sock';
const PINNED = 'localhost......................................';

const byIndex = (representation: number, value: Buffer) => Buffer.concat([Buffer.of(representation | 1), value]);

describe('a header block', () => {
  test.each([
    ['literal with indexing', byIndex(literal.indexed, raw(SOCKET_PATH)), byIndex(literal.indexed, raw(PINNED))],
    ['literal without indexing', byIndex(literal.plain, raw(SOCKET_PATH)), byIndex(literal.plain, raw(PINNED))],
    ['literal never indexed', byIndex(literal.never, raw(SOCKET_PATH)), byIndex(literal.never, raw(PINNED))],
    ['name spelt out', field(literal.indexed, ':authority', SOCKET_PATH), field(literal.indexed, ':authority', PINNED)],
    [
      'name spelt out in Huffman code',
      Buffer.concat([Buffer.of(literal.plain), huffman('b83b5339ec327d7f'), raw(SOCKET_PATH)]),
      Buffer.concat([Buffer.of(literal.plain), huffman('b83b5339ec327d7f'), raw(PINNED)]),
    ],
    ['short value', byIndex(literal.plain, raw('/a')), byIndex(literal.plain, raw('lo'))],
    ['empty value', byIndex(literal.plain, raw('')), byIndex(literal.plain, raw(''))],
    [
      'long value',
      byIndex(literal.plain, raw(`/${'x'.repeat(399)}`)),
      byIndex(literal.plain, raw('localhost'.padEnd(400, '.'))),
    ],
    ['localhost already', byIndex(literal.indexed, raw('localhost')), byIndex(literal.indexed, raw('localhost'))],
  ])('keeps representation and length of the authority: %s', (_name, authority, expected) => {
    const rewritten = new AuthorityRewriter().rewrite(callBlock('Mount', authority));
    expect(rewritten).toEqual(callBlock('Mount', expected));
  });

  test('keeps the decoded length of a Huffman coded authority', () => {
    // www.example.com, RFC 7541 appendix C.4.1
    const block = Buffer.concat([Buffer.of(0x82, 0x86, 0x84, 0x41), huffman('f1e3c2e5f23a6ba0ab90f4ff')]);
    expect(new AuthorityRewriter().rewrite(block)).toEqual(
      Buffer.concat([Buffer.of(0x82, 0x86, 0x84, 0x41), raw('localhost......')]),
    );
  });

  test('finds a name that refers to the dynamic table, however far down it is', () => {
    const rewriter = new AuthorityRewriter();
    rewriter.rewrite(byIndex(literal.indexed, raw(SOCKET_PATH)));
    rewriter.rewrite(field(literal.indexed, 'x-first', '1'));
    rewriter.rewrite(field(literal.indexed, 'x-second', '2'));
    const other = Buffer.concat([Buffer.of(0x0f, 62 - 15), raw('/x')]);
    const authority = Buffer.concat([Buffer.of(0x0f, 64 - 15), raw('/x')]);
    expect(rewriter.rewrite(other)).toEqual(other);
    expect(rewriter.rewrite(authority)).toEqual(Buffer.concat([Buffer.of(0x0f, 64 - 15), raw('lo')]));
  });

  test.each([
    ['indexed fields only', Buffer.of(0x82, 0x86, 0x84, 0xbe)],
    ['a table size update', Buffer.of(0x3f, 0xe1, 0x1f, 0x82)],
    ['a header that is named like it', field(literal.plain, 'authority', '/x')],
    ['nothing', Buffer.alloc(0)],
  ])('without an authority passes as it is: %s', (_name, block) => {
    expect(new AuthorityRewriter().rewrite(block)).toBe(block);
  });

  test.each([
    ['a string longer than the block', Buffer.concat([Buffer.of(0x01), raw('localhost').subarray(0, 5)])],
    ['an integer that does not end', Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)],
    ['an integer cut off', Buffer.of(0xff)],
    ['a name cut off', Buffer.of(0x40)],
    ['Huffman padding that is not ones', Buffer.concat([Buffer.of(0x01), huffman('f1e3c2e5f23a6ba0ab90f4fe')])],
    ['Huffman padding of a whole octet', Buffer.concat([Buffer.of(0x01), huffman('f1e3c2e5f23a6ba0ab90f4ffff')])],
    ['the end-of-string symbol inside a string', Buffer.concat([Buffer.of(0x01), huffman('fffffffffc')])],
  ])('that is not HPACK is said to be none: %s', (_name, block) => {
    expect(new AuthorityRewriter().rewrite(block)).toBeUndefined();
  });
});

describe('a conversation', () => {
  const authority = byIndex(literal.indexed, raw(SOCKET_PATH));
  const block = callBlock('Version', authority);
  const priority = Buffer.of(0, 0, 0, 0, 15);
  const conversation = Buffer.concat([
    opening,
    versionCall(1, authority),
    frame(
      type.headers,
      flag.endHeaders | flag.padded | flag.priority,
      3,
      Buffer.concat([Buffer.of(7), priority, block, Buffer.alloc(7)]),
    ),
    message(3),
    frame(type.headers, 0, 5, block.subarray(0, 10)),
    frame(type.continuation, 0, 5, block.subarray(10, 60)),
    frame(type.continuation, flag.endHeaders, 5, block.subarray(60)),
    message(5),
    versionCall(7, Buffer.of(0xbe)),
  ]);
  const pinned = callBlock('Version', byIndex(literal.indexed, raw(PINNED))).toString('latin1');

  const through = (chunks: Buffer[]) => {
    const pin = new FrameWalk(PREFACE.length, authorityPin());
    return Buffer.concat(chunks.flatMap((chunk) => pin.walk(chunk)));
  };

  test('comes out with every authority replaced and all else unchanged', () => {
    const out = framesOf(through([conversation]).subarray(PREFACE.length));
    const headers = out.filter(({ kind }) => kind === type.headers);
    expect(headers.map(({ flags, streamId }) => [streamId, flags])).toEqual([
      [1, flag.endHeaders],
      [3, flag.endHeaders | flag.priority],
      [5, flag.endHeaders],
      [7, flag.endHeaders],
    ]);
    expect(headers.map(({ payload }) => payload.toString('latin1'))).toEqual([
      pinned,
      priority.toString('latin1') + pinned,
      pinned,
      callBlock('Version', Buffer.of(0xbe)).toString('latin1'),
    ]);
    const others = (frames: ReturnType<typeof framesOf>) =>
      frames.filter(({ kind }) => kind !== type.headers && kind !== type.continuation);
    expect(others(out)).toEqual(others(framesOf(conversation.subarray(PREFACE.length))));
  });

  test('comes out the same wherever it is cut', () => {
    const whole = through([conversation]);
    for (let cut = 1; cut < conversation.length; cut++) {
      expect(through([conversation.subarray(0, cut), conversation.subarray(cut)])).toEqual(whole);
    }
    expect(through([...conversation].map((octet) => Buffer.of(octet)))).toEqual(whole);
  });

  test('is answered by the server wherever it is cut', async () => {
    const { path } = await testServer();
    const calls = Buffer.concat([opening, versionCall(1, authority), versionCall(3, Buffer.of(0xbe))]);
    for (let cut = 1; cut < calls.length; cut++) {
      const socket = await rawConnection(path);
      const answers = answersOf(socket, 2);
      socket.write(calls.subarray(0, cut), () => setImmediate(() => socket.write(calls.subarray(cut))));
      expect(await answers).toBe(2);
      socket.destroy();
    }
  });

  test('is answered by the server when it comes one byte at a time', async () => {
    const { path } = await testServer();
    const socket = await rawConnection(path);
    socket.setNoDelay(true);
    const answers = answersOf(socket, 4);
    for (const octet of conversation) {
      await new Promise<void>((resolve) => socket.write(Buffer.of(octet), () => resolve()));
    }
    expect(await answers).toBe(4);
  });

  test.each([
    ['CONTINUATION without HEADERS', frame(type.continuation, flag.endHeaders, 1, block)],
    [
      'CONTINUATION of another stream',
      Buffer.concat([frame(type.headers, 0, 1, block), frame(type.continuation, flag.endHeaders, 3)]),
    ],
    ['DATA inside a header block', Buffer.concat([frame(type.headers, 0, 1, block), frame(type.data, 0, 1)])],
    ['padding longer than the frame', frame(type.headers, flag.endHeaders | flag.padded, 1, Buffer.of(9, 0x82))],
    ['a frame over the size limit', frame(type.headers, flag.endHeaders, 1, Buffer.alloc(16_385))],
    [
      'a block that never ends',
      Buffer.concat([
        frame(type.headers, 0, 1, block),
        ...Array.from({ length: 20 }, () => frame(type.continuation, 0, 1)),
      ]),
    ],
    ['a block that is not HPACK', frame(type.headers, flag.endHeaders, 1, Buffer.of(0xff, 0xff))],
  ])('that breaks the protocol is handed on untouched: %s', (_name, broken) => {
    const input = Buffer.concat([opening, broken, versionCall(9, authority)]);
    expect(through([input])).toEqual(input);
  });
});

describe("Node's own HTTP/2 client with any authority", () => {
  /** Sends each list of headers as one request of one connection. Returns the headers that the server received. */
  async function echoed(requests: readonly Record<string, string>[]): Promise<IncomingHttpHeaders[]> {
    const seen: IncomingHttpHeaders[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers);
      response.end();
    });
    const path = join(temporaryDirectory(), 's');
    const listener = createSocketServer((socket) => server.emit('connection', pinConnection(socket)));
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    const session = connect('http://localhost', { createConnection: () => connectSocket(path) });
    try {
      for (const headers of requests) {
        await new Promise<void>((resolve, reject) => {
          session.request(headers).once('error', reject).once('close', resolve).resume();
        });
      }
    } finally {
      session.destroy();
      listener.close();
    }
    return seen;
  }

  test('sees its other headers unchanged while the dynamic tables fill and evict', async () => {
    const name = fc.stringMatching(/^x-[a-z0-9]{1,12}$/);
    const value = fc.oneof(fc.stringMatching(/^[!-~]{0,40}$/), fc.stringMatching(/^[a-z]{200,700}$/));
    const authority = fc.oneof(
      fc.constant(SOCKET_PATH),
      fc.stringMatching(/^[ -~]{1,120}$/).map((text) => `/${text.trim()}`),
    );
    const request = fc.record({ authority, headers: fc.dictionary(name, value, { maxKeys: 8 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 25 }), async (requests) => {
        const sent = requests.map(({ authority, headers }) => ({ ...headers, ':path': '/p', ':authority': authority }));
        const seen = await echoed(sent);
        expect(seen).toHaveLength(sent.length);
        sent.forEach((headers, i) => {
          const expected = { ...headers, ':authority': replacementFor(headers[':authority'].length).toString() };
          expect(seen[i]).toMatchObject(expected);
        });
      }),
      { numRuns: rounds(20, 60) },
    );
  });
});

/**
 * Resolves with `count` when that number of responses to `Version` has arrived. Rejects if the connection ends first.
 */
function answersOf(socket: import('node:net').Socket, count: number): Promise<number> {
  let received = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const answers = framesOf(received).filter(
        ({ kind, payload }) => kind === type.data && payload.includes('v1alpha1'),
      );
      if (answers.length === count) resolve(count);
    });
    socket.once('close', () => reject(new Error(`the connection ended: ${received.toString('latin1')}`)));
  });
}
