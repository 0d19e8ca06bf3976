import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Endpoint } from '../../src/server/endpoint.ts';
import { type Listener, openListener } from '../../src/server/listener.ts';
import { eventually } from '../support/process.ts';
import { rawConnection, temporaryDirectory } from '../support/server.ts';

/** Opens an endpoint. By default, it never checks its socket. */
async function opened(endpoint: Endpoint, greeting = 'hello', watchMs = 3_600_000): Promise<Listener> {
  const listener = await openListener({
    endpoint,
    log: silentLogger,
    onConnection: (socket) => socket.on('error', () => {}).end(greeting),
    lost() {},
    watchMs,
  });
  onTestFinished(() => listener.close(0));
  return listener;
}

const unix = (path: string): Endpoint => ({ kind: 'unix', path });

async function greetingOf(path: string): Promise<string> {
  const socket = await rawConnection(path);
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

/** Starts a process that listens at `path` and kills it, so that its file is left behind. */
async function killedListener(path: string): Promise<void> {
  const code = `require('node:net').createServer().listen(process.argv[1], () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', code, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(path)).toBe(true);
}

function refusal(endpoint: Endpoint): Promise<{ code: ErrorCode; message: string }> {
  return opened(endpoint).then(
    () => {
      throw new Error('it listens');
    },
    ({ code, message }) => ({ code, message }),
  );
}

describe('a Unix socket', () => {
  test('can be used by its owner only, for any umask', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const before = process.umask(0);
    onTestFinished(() => {
      process.umask(before);
    });
    await opened(unix(path));
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(0);
  });

  test('leaves nothing but its public name in the directory', async () => {
    const directory = temporaryDirectory();
    const listener = await opened(unix(join(directory, 'azure.sock')));
    expect(readdirSync(directory)).toEqual(['azure.sock']);
    await listener.close(0);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('replaces the file of a killed predecessor', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    await killedListener(path);
    await opened(unix(path));
    expect(await greetingOf(path)).toBe('hello');
  });

  test('replaces the file of a living predecessor, whose end leaves it alone', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const predecessor = await opened(unix(path), 'old');
    expect(await greetingOf(path)).toBe('old');
    await opened(unix(path), 'new');
    expect(await greetingOf(path)).toBe('new');
    await predecessor.close(0);
    expect(await greetingOf(path)).toBe('new');
  });

  test.each<[string, (successor: Listener) => Promise<void>]>([
    ['at its end', (successor) => successor.close(0)],
    ['when its process ends at once', async (successor) => successor.abandon()],
  ])('gives a living predecessor its file back %s: no connection is refused', async (_, end) => {
    const directory = temporaryDirectory();
    const path = join(directory, 'azure.sock');
    await opened(unix(path), 'old');
    const successor = await opened(unix(path), 'new');
    expect(await greetingOf(path)).toBe('new');
    let isOver = false;
    const ended = end(successor).finally(() => {
      isOver = true;
    });
    const greetings = new Set<string>();
    do greetings.add(await greetingOf(path));
    while (!isOver);
    await ended;
    expect(await greetingOf(path)).toBe('old');
    expect([...greetings].filter((greeting) => greeting !== 'new' && greeting !== 'old')).toEqual([]);
    expect(readdirSync(directory)).toEqual(['azure.sock']);
  });

  test('leaves nothing of a predecessor that has ended', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'azure.sock');
    const predecessor = await opened(unix(path), 'old');
    const successor = await opened(unix(path), 'new');
    expect(readdirSync(directory)).toHaveLength(2);
    await predecessor.close(0);
    await successor.close(0);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('is not left behind by a predecessor that ends at the same time', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'azure.sock');
    const predecessor = await opened(unix(path), 'old');
    const successor = await opened(unix(path), 'new');
    const ended = predecessor.close(0);
    // The predecessor has found that the file is not its own, and still listens.
    await setImmediate();
    successor.abandon();
    expect(existsSync(path)).toBe(true);
    await ended;
    expect(readdirSync(directory)).toEqual([]);
  });

  test('forgets a predecessor that ends', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'azure.sock');
    const predecessor = await opened(unix(path), 'old');
    await opened(unix(path), 'new', 1);
    await predecessor.close(0);
    await eventually(() => readdirSync(directory).join() === 'azure.sock');
    expect(await greetingOf(path)).toBe('new');
  });

  test('that is removed is bound again, and the predecessor is forgotten', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'azure.sock');
    await opened(unix(path), 'old');
    await opened(unix(path), 'new', 1);
    rmSync(path);
    await eventually(() => readdirSync(directory).join() === 'azure.sock');
    expect(await greetingOf(path)).toBe('new');
  });

  test('replaces the file of a living predecessor in another process', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const code = `
      const server = require('node:net').createServer((socket) => socket.on('error', () => {}).end('old'));
      server.listen(process.argv[1] + '.private', () => {
        require('node:fs').renameSync(process.argv[1] + '.private', process.argv[1]);
        console.log('up');
      });
      process.on('SIGTERM', () => server.close());`;
    const child = spawn(process.execPath, ['-e', code, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(await greetingOf(path)).toBe('old');
    await opened(unix(path), 'new');
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(await greetingOf(path)).toBe('new');
  });

  test('takes every connection made before it stopped', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const listener = await opened(unix(path));
    const greetings = Array.from({ length: 50 }, () => greetingOf(path));
    await listener.stopAccepting();
    expect(await Promise.all(greetings)).toEqual(Array.from({ length: 50 }, () => 'hello'));
  });

  test('replaces an empty file', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    writeFileSync(path, '');
    await opened(unix(path));
    expect(await greetingOf(path)).toBe('hello');
  });

  test('does not replace a file with content', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    writeFileSync(path, 'precious');
    const { code, message } = await refusal(unix(path));
    expect(code).toBe('ERR_USAGE');
    expect(message).toContain(`Cannot listen on ${path}: the file there is not a socket`);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test('does not replace a directory', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    mkdirSync(path);
    expect((await refusal(unix(path))).message).toContain('the file there is not a socket');
  });

  test('removes private names nobody listens on, and no others', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'azure.sock');
    const living = createServer().listen(`${path}.aaaaaa`);
    await once(living, 'listening');
    onTestFinished(() => {
      living.close();
    });
    await killedListener(`${path}.bbbbbb`);
    await killedListener(`${path}.cccccc`);
    await killedListener(`${path}.old`);
    writeFileSync(`${path}.dddddd`, '');
    const longAgo = new Date(Date.now() - 60_000);
    for (const name of ['aaaaaa', 'bbbbbb', 'dddddd', 'old']) utimesSync(`${path}.${name}`, longAgo, longAgo);
    await opened(unix(path));
    expect(readdirSync(directory).sort()).toEqual([
      'azure.sock',
      'azure.sock.aaaaaa',
      'azure.sock.cccccc',
      'azure.sock.dddddd',
      'azure.sock.old',
    ]);
  });

  test('says that its directory is missing, and does not create it', async () => {
    const directory = join(temporaryDirectory(), 'missing');
    const { code, message } = await refusal(unix(join(directory, 'azure.sock')));
    expect(code).toBe('ERR_USAGE');
    expect(message).toMatch(/^Cannot listen on .*missing\/azure.sock: ENOENT, the directory does not exist; mount/);
    expect(existsSync(directory)).toBe(false);
  });

  test('says that a part of its path is no directory', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    expect((await refusal(unix(join(file, 'azure.sock')))).message).toContain('ENOTDIR');
  });

  test('has room for its private name in 107 bytes, or says so', async () => {
    const directory = temporaryDirectory();
    const longest = join(directory, 'x'.repeat(100 - directory.length - 1));
    await opened(unix(longest));
    expect(await greetingOf(longest)).toBe('hello');
    const { message } = await refusal(unix(`${longest}é`));
    expect(message).toContain('the path has 102 bytes and may have 100');
  });
});

describe('a TCP port', () => {
  test('of 0 is chosen by the system', async () => {
    const { endpoint } = await opened({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    expect(endpoint).toMatchObject({ kind: 'tcp', host: '127.0.0.1', port: expect.any(Number) });
    expect(endpoint).not.toMatchObject({ port: 0 });
  });

  test('in use is named with the remedy', async () => {
    const { endpoint } = await opened({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    expect((await refusal(endpoint)).message).toMatch(
      /^Cannot listen on tcp:\/\/127\.0\.0\.1:\d+: EADDRINUSE, another process listens there; stop it or/,
    );
  });
});
