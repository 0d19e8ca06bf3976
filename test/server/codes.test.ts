import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import type { Logger } from '../../src/base/log.ts';
import type { MountCall, MountHandler } from '../../src/mount/handler.ts';
import type { CallEnd } from '../../src/server/guard.ts';
import type { MountedFile } from '../../src/wire/contract.ts';
import {
  call,
  failure,
  grpcClient,
  mount,
  mountRequest,
  oneFile,
  silentMeter,
  testServer,
  version,
} from '../support/server.ts';

const MOUNT = '/v1alpha1.CSIDriverProvider/Mount';
const FORBIDDEN: readonly number[] = [
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.UNAVAILABLE,
];
const never: MountHandler = () => new Promise(() => {});

interface Ending {
  readonly grpcStatus: number | undefined;
  readonly message: string;
}

/** Sends one request with Node's HTTP/2 client, which sends the headers unchanged and has no deadline. */
function request(path: string, headers: Record<string, string | string[]>, body: Buffer | 'open'): Promise<Ending> {
  const session = connect('http://localhost', { createConnection: () => connectSocket(path) });
  onTestFinished(() => session.destroy());
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': MOUNT,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let ending: Record<string, unknown> = {};
    const read = (found: Record<string, unknown>) => {
      if (found['grpc-status'] !== undefined) ending = found;
    };
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('error', () => {});
    const ended = () => {
      const code = ending['grpc-status'];
      resolve({
        grpcStatus: code === undefined ? undefined : Number(code),
        message: decodeURIComponent(String(ending['grpc-message'] ?? '')),
      });
    };
    stream.once('end', ended);
    stream.once('close', ended);
    stream.resume();
    if (body !== 'open') stream.end(body);
  });
}

function framed(body: Buffer, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

const empty = framed(Buffer.alloc(0));
const huge = Buffer.alloc(5 * 1024 * 1024);
const lying = Buffer.from('00ffffffff00', 'hex');

describe('a Mount never ends with a code the kubelet waits on', () => {
  test.each<[string, Record<string, string>, Buffer | 'open', number, string]>([
    ['a deadline of a nanosecond', { 'grpc-timeout': '1n' }, empty, status.UNKNOWN, 'deadline passed'],
    ['a deadline of nothing', { 'grpc-timeout': '0n' }, empty, status.UNKNOWN, 'deadline passed'],
    ['a deadline of a millisecond', { 'grpc-timeout': '1m' }, empty, status.UNKNOWN, 'deadline passed'],
    ['a deadline before the request is there', { 'grpc-timeout': '20m' }, 'open', status.UNKNOWN, 'deadline passed'],
    ['a deadline too long to count', { 'grpc-timeout': '99999999H' }, empty, status.UNKNOWN, ''],
    ['a deadline that is none', { 'grpc-timeout': 'soon' }, empty, status.INTERNAL, 'grpc-timeout'],
    ['a request over 4 MiB', {}, framed(huge), status.FAILED_PRECONDITION, '4 MiB'],
    ['a request that claims 4 GiB', {}, lying, status.FAILED_PRECONDITION, '4 MiB'],
    ['a gzip bomb', { 'grpc-encoding': 'gzip' }, framed(gzipSync(huge), 1), status.FAILED_PRECONDITION, '4 MiB'],
    ['gzip that is none', { 'grpc-encoding': 'gzip' }, framed(Buffer.from('no'), 1), status.INTERNAL, 'decompress'],
    [
      'deflate cut off',
      { 'grpc-encoding': 'deflate' },
      framed(deflateSync('abc').subarray(0, 4), 1),
      status.INTERNAL,
      '',
    ],
    ['an unknown encoding', { 'grpc-encoding': 'br' }, framed(Buffer.from('x'), 1), status.UNIMPLEMENTED, 'br'],
    ['a request that is not protobuf', {}, framed(Buffer.from('0affff', 'hex')), status.INTERNAL, 'deserializing'],
    ['two requests', {}, Buffer.concat([empty, empty]), status.UNIMPLEMENTED, ''],
    ['no request', {}, Buffer.alloc(0), status.UNIMPLEMENTED, ''],
    ['half a request', {}, empty.subarray(0, 3), status.UNIMPLEMENTED, ''],
  ])('%s', async (_name, headers, body, code, text) => {
    const { path } = await testServer({ mount: headers['grpc-timeout'] === '99999999H' ? oneFile : never });
    const { grpcStatus, message } = await request(path, headers, body);
    expect(FORBIDDEN).not.toContain(grpcStatus);
    if (headers['grpc-timeout'] !== '99999999H') expect(grpcStatus).toBe(code);
    expect(message).toContain(text);
    const after = await version(grpcClient(`unix:${path}`));
    expect(after.version).toBe('v1alpha1');
  });

  test('more header fields than Node takes', async () => {
    const { path } = await testServer();
    const metadata = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'v']));
    const error = await failure(mount(grpcClient(`unix:${path}`), { metadata }));
    expect(error.code).toBe(status.INTERNAL);
  });

  test('headers of any size', async () => {
    const { path } = await testServer();
    for (const length of [1000, 20_000, 66_000, 100_000, 300_000]) {
      const client = grpcClient(`unix:${path}`);
      const outcome = await mount(client, { metadata: { big: '~'.repeat(length) } }).then(
        () => status.OK,
        ({ code }) => code,
      );
      expect(FORBIDDEN).not.toContain(outcome);
    }
  });

  test.each<[string, MountHandler, number, string]>([
    [
      'a ProviderError',
      async () => {
        throw new ProviderError('ERR_FORBIDDEN', 'Cannot read secret "a":\n403 – grant a role');
      },
      status.PERMISSION_DENIED,
      'Cannot read secret "a":\n403 – grant a role',
    ],
    [
      'a ProviderError thrown before there is a promise',
      () => {
        throw new ProviderError('ERR_BAD_REQUEST', 'no attributes');
      },
      status.INVALID_ARGUMENT,
      'no attributes',
    ],
    [
      'an error that claims a gRPC code',
      async () => {
        throw Object.assign(new Error('reset'), { code: status.UNAVAILABLE, details: 'reset' });
      },
      status.INTERNAL,
      'defect',
    ],
    ['a rejection that is no error', () => Promise.reject(undefined), status.INTERNAL, 'defect'],
    [
      'half a surrogate pair in the message',
      async () => {
        throw new ProviderError('ERR_VAULT', 'bad \ud800 text');
      },
      status.UNKNOWN,
      'bad \ufffd text',
    ],
    [
      'an answer that cannot be encoded',
      async () => ({ files: [null as unknown as MountedFile], objectVersions: [] }),
      status.INTERNAL,
      '',
    ],
    [
      'an answer over 4 MiB',
      async () => ({ files: [{ path: 'a', mode: 420, contents: huge }], objectVersions: [] }),
      status.FAILED_PRECONDITION,
      '4 MiB',
    ],
  ])('%s of the handler', async (_name, handler, code, text) => {
    const { path } = await testServer({ mount: handler });
    const client = grpcClient(`unix:${path}`);
    const error = await failure(mount(client));
    expect(error.code).toBe(code);
    expect(error.details).toContain(text);
    expect((await version(client)).version).toBe('v1alpha1');
  });

  test('an answer of 4 MiB exactly is let through', async () => {
    const length = 4 * 1024 * 1024 - 14;
    const { path } = await testServer({
      mount: async () => ({ files: [{ path: '', mode: 0, contents: Buffer.alloc(length) }], objectVersions: [] }),
    });
    const { files } = await mount(grpcClient(`unix:${path}`));
    expect(files[0]?.contents.length).toBe(length);
  });
});

describe('a Mount', () => {
  test('carries our own error code in a trailer', async () => {
    const { path } = await testServer({
      mount: async () => {
        throw new ProviderError('ERR_THROTTLED', 'slow down');
      },
    });
    const error = await failure(mount(grpcClient(`unix:${path}`)));
    expect(error.metadata.get('akv-csi-error')).toEqual(['ERR_THROTTLED']);
  });

  test('keeps the text of an unexpected error out of answer and log, and its place in the log', async () => {
    const lines: string[] = [];
    const line = (message: string, fields?: object) => lines.push(message + JSON.stringify(fields));
    const log: Logger = { error: line, warn: line, info: line, detail: line, debug: line, with: () => log };
    const { path } = await testServer({ log, mount: async () => JSON.parse('hunter2') });
    const error = await failure(mount(grpcClient(`unix:${path}`)));
    expect(error.details).not.toContain('hunter2');
    expect(lines.join('\n')).not.toContain('hunter2');
    expect(lines.join('\n')).toContain('codes.test.ts');
  });

  test('is given the deadline of its caller', async () => {
    const calls: MountCall[] = [];
    const { path } = await testServer({
      mount: (input, context) => {
        calls.push(context);
        return oneFile(input, context);
      },
    });
    const client = grpcClient(`unix:${path}`);
    await mount(client);
    await mount(client, { deadline: Date.now() + 60_000 });
    expect(calls[0]?.timeoutMs).toBe(Number.POSITIVE_INFINITY);
    expect(calls[1]?.timeoutMs).toBeGreaterThan(0);
    expect(calls[1]?.timeoutMs).toBeLessThanOrEqual(60_000);
  });

  test('is aborted when its caller cancels', async () => {
    const { path, aborted, started } = await abortable();
    const client = grpcClient(`unix:${path}`);
    const outcome = failure(mount(client, { started: (pending) => void started.then(() => pending.cancel()) }));
    await aborted;
    expect((await outcome).code).toBe(status.CANCELLED);
  });

  test('is aborted when its caller goes away', async () => {
    const { path, aborted, started } = await abortable();
    const session = connect('http://localhost', { createConnection: () => connectSocket(path) });
    session.on('error', () => {});
    const headers = { ':method': 'POST', ':path': MOUNT, 'content-type': 'application/grpc', te: 'trailers' };
    session
      .request(headers)
      .on('error', () => {})
      .end(empty);
    await started;
    session.destroy();
    await aborted;
  });

  test('is aborted when its deadline passes, and the caller gets a final code', async () => {
    const { path, aborted } = await abortable();
    const ending = await request(path, { 'grpc-timeout': '50m' }, empty);
    await aborted;
    expect(ending.grpcStatus).toBe(status.UNKNOWN);
  });

  test('that was answered is not aborted afterwards', async () => {
    const signals: AbortSignal[] = [];
    const { path } = await testServer({
      mount: (input, context) => {
        signals.push(context.signal);
        return oneFile(input, context);
      },
    });
    const client = grpcClient(`unix:${path}`);
    await mount(client);
    await mount(client);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  test('is metered with its codes', async () => {
    const ends: CallEnd[] = [];
    const { path } = await testServer({
      meter: { ...silentMeter, callEnded: (end) => ends.push(end) },
      mount: async ({ attributes }) => {
        if (attributes === '{}') throw new ProviderError('ERR_NOT_FOUND', 'none');
        return { files: [], objectVersions: [] };
      },
    });
    const client = grpcClient(`unix:${path}`);
    await failure(mount(client));
    await call(client, 'Mount', { ...mountRequest, attributes: '{"a":"b"}' });
    await version(client);
    expect(ends.map(({ method, code, errorCode }) => [method, code, errorCode])).toEqual([
      [MOUNT, 'NotFound', 'ERR_NOT_FOUND'],
      [MOUNT, 'OK', ''],
      ['/v1alpha1.CSIDriverProvider/Version', 'OK', ''],
    ]);
    expect(ends.every(({ seconds }) => seconds >= 0)).toBe(true);
  });
});

/** Starts a server whose Mounts wait until they are aborted. */
async function abortable() {
  let abort = () => {};
  let start = () => {};
  const aborted = new Promise<void>((resolve) => {
    abort = resolve;
  });
  const started = new Promise<void>((resolve) => {
    start = resolve;
  });
  const { path } = await testServer({
    mount: (_input, { signal }) =>
      new Promise((_resolve, reject) => {
        start();
        signal.addEventListener('abort', () => {
          abort();
          reject(new ProviderError('ERR_CANCELLED', 'cancelled'));
        });
      }),
  });
  return { path, aborted, started };
}
