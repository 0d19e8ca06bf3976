import { type AddressInfo, connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pinConnection } from '../../src/server/connection.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Returns a DATA frame of stream 1 whose payload repeats one octet. */
function frame(bytes: number, octet: number): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 1]);
  header.writeUIntBE(bytes, 0, 3);
  return Buffer.concat([header, Buffer.alloc(bytes, octet)]);
}

/** Returns the server's side of a connection over which the client sends `input`. */
async function receive(input: Buffer): Promise<Duplex> {
  const server = createServer();
  const accepted = new Promise<Duplex>((resolve) => {
    server.once('connection', (socket) => resolve(pinConnection(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  client.write(input);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  return accepted;
}

describe('the input of a connection', () => {
  const frames = Array.from({ length: 300 }, (_, i) => frame(1000, i % 256));
  const input = Buffer.concat([PREFACE, ...frames]);

  it('comes as it was sent, a bounded part of it in each turn of the event loop', async () => {
    const connection = await receive(input);
    let turn = 0;
    const count = () => {
      turn++;
      if (!connection.destroyed) setImmediate(count);
    };
    setImmediate(count);
    const chunks: Buffer[] = [];
    const byTurn = new Map<number, number>();
    await new Promise<void>((resolve) => {
      connection.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        byTurn.set(turn, (byTurn.get(turn) ?? 0) + chunk.length);
        if (chunks.reduce((sum, { length }) => sum + length, 0) === input.length) resolve();
      });
    });
    connection.destroy();
    expect(Buffer.concat(chunks).equals(input)).toBe(true);
    // A frame has a thousand bytes. The socket may receive new input in a turn that has already processed some.
    expect(Math.max(...byTurn.values())).toBeLessThanOrEqual(16 * 1024);
    expect(byTurn.size).toBeGreaterThan(6);
  });

  it('waits for a reader that is slow', async () => {
    const connection = await receive(input);
    await new Promise((resolve) => connection.once('readable', resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(connection.readableLength).toBeLessThan(input.length / 2);
    let received = 0;
    for await (const chunk of connection) {
      received += (chunk as Buffer).length;
      if (received === input.length) break;
    }
    expect(received).toBe(input.length);
  });

  it('ends where the connection is given up in between', async () => {
    const connection = await receive(input);
    await new Promise((resolve) => connection.once('data', resolve));
    connection.destroy();
    const late: unknown[] = [];
    connection.on('data', (chunk) => late.push(chunk));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(late).toEqual([]);
  });
});
