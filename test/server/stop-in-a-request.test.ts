// Stops a server while requests arrive and answers leave. The client sends the rest of a request, or reads the rest of
// an answer, after it was told to go elsewhere.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { callBlock, flag, frame, literal, message, raw, type } from '../support/http2.ts';
import { RawClient } from '../support/http2-client.ts';
import { mountRequest, silentMeter, testServer } from '../support/server.ts';

const authority = Buffer.concat([Buffer.of(literal.plain | 1), raw('localhost')]);
const headers = frame(type.headers, flag.endHeaders, 1, callBlock('Mount', authority));
const request = Buffer.concat([headers, message(1)]);

/** Starts a server and a client, and lets `send` write. Stops the server when this number of calls has started. */
async function stopAfter(calls: number, send: (client: RawClient) => void, rest: Buffer = Buffer.alloc(0)) {
  let started = 0;
  let reach = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const callStarted = () => {
    started++;
    if (started === calls) reach();
  };
  const server = await testServer({ drainMs: 20_000, meter: { ...silentMeter, callStarted } });
  const client = await RawClient.connect(server.path);
  client.ping();
  await client.until(() => client.frames.some(({ kind, flags }) => kind === type.ping && flags === flag.ack));
  send(client);
  if (calls > 0) await reached;
  else await setImmediate();
  const stopped = server.stop();
  const goaway = () => client.frames.find(({ kind }) => kind === type.goaway);
  await client.until(() => goaway() !== undefined);
  client.send(rest);
  await Promise.all([stopped, client.closed]);
  return {
    /** The last stream whose call the server takes. A client sends the calls of later streams to the successor. */
    taken: goaway()?.payload.readUInt32BE(0) ?? Number.NaN,
    answer: (id: number) => client.frames.filter(({ streamId }) => streamId === id).map(({ kind }) => kind),
  };
}

function initialWindow(bytes: number): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(4);
  setting.writeUInt32BE(bytes, 2);
  return setting;
}

/** The frames of an answer. A status without a message is an error. */
const ANSWER = [type.headers, type.data, type.headers];

describe('a stop loses no call that it takes', () => {
  test('in the middle of a request, after each octet', { timeout: 60_000 }, async () => {
    for (let octets = 0; octets <= request.length; octets++) {
      const calls = octets < headers.length ? 0 : 1;
      const send = (client: RawClient) => client.send(request.subarray(0, octets));
      const { taken, answer } = await stopAfter(calls, send, request.subarray(octets));
      expect({ octets, answer: answer(1) }).toEqual({ octets, answer: taken === 0 ? [] : ANSWER });
      expect(taken).toBeGreaterThanOrEqual(calls);
    }
  });

  test.each([1, 5, 20])('in the middle of a hundred requests, after %i', async (calls) => {
    const attributes = 'x'.repeat(1000);
    const request = csiDriverProvider.Mount.requestSerialize({ ...mountRequest, attributes });
    const streams: number[] = [];
    const { taken, answer } = await stopAfter(calls, (client) => {
      for (let i = 0; i < 100; i++) streams.push(client.call('Mount', request));
    });
    for (const id of streams) expect({ id, answer: answer(id) }).toEqual({ id, answer: id <= taken ? ANSWER : [] });
    expect(taken).toBeGreaterThanOrEqual(2 * calls - 1);
  });

  const BYTES = 1_000_000;
  const WIDE = 2 ** 30;

  test.each([
    ['that reads nothing', { window: WIDE, pause: true }],
    ['that grants no window', { window: 20_000, pause: false }],
  ])('to a client %s for most of the drain', async (_, { window, pause }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const files = [{ path: 'a', mode: 0o600, contents: Buffer.alloc(BYTES) }];
    const server = await testServer({ drainMs: 20_000, mount: async () => ({ files, objectVersions: [] }) });
    const client = await RawClient.connect(server.path, { settings: initialWindow(window), credits: false });
    client.grant(0, WIDE);
    const stream = client.call('Mount');
    const data = () =>
      client.frames.filter(({ kind }) => kind === type.data).reduce((sum, { payload }) => sum + payload.length, 0);
    await client.until(() => data() > 0);
    if (pause) client.pause();
    const stopped = server.stop();
    // Steps of less than any limit of the server, with turns of the event loop in between.
    for (let ms = 0; ms < 19_000; ms += 100) {
      await vi.advanceTimersByTimeAsync(100);
      await setImmediate();
    }
    expect(client.answered(stream)).toBe(false);
    client.resume();
    client.grant(stream, WIDE);
    await Promise.all([stopped, client.closed]);
    expect(client.answered(stream)).toBe(true);
    expect(data()).toBeGreaterThan(BYTES);
  });
});
