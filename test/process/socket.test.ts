import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { eventually, type Provider, scratch, serve, start } from '../support/process.ts';
import { FULL } from '../support/rounds.ts';
import { grpcClient, version } from '../support/server.ts';

const OK = [200, 'ok'];
const TAKEN = /Another process took the socket/g;
const GONE = /The socket file was removed/g;

const healthy = (provider: Provider) => eventually(async () => (await provider.health())[0] === 200);
const ousted = (provider: Provider) => eventually(async () => (await provider.health())[0] === 503);
/** The log line for a socket that no process listens on any more. */
const DEAD = /No process listens on the socket any more/g;

const inode = (path: string) => lstatSync(path).ino;
const warnings = (provider: Provider, pattern: RegExp) => provider.output('stderr').match(pattern)?.length ?? 0;
const answerAt = async (path: string) => (await version(grpcClient(`unix:${path}`))).runtimeVersion;

/** Starts a provider of another program, which removes the socket file and listens, as the official provider does. */
async function foreignServer(path: string): Promise<{ kill(): void }> {
  const server = new Server();
  const answer = { version: 'v1alpha1', runtimeName: 'another-provider', runtimeVersion: 'v1.8.2' };
  server.addService(csiDriverProvider, {
    Version: (_: unknown, respond: (error: null, value: object) => void) => respond(null, answer),
    Mount: (_: unknown, respond: (error: object) => void) => respond({ code: 12 }),
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  const kill = () => server.forceShutdown();
  onTestFinished(kill);
  return { kill };
}

async function runningProvider(path: string): Promise<{ kill(): unknown }> {
  const provider = await serve(path);
  return { kill: () => provider.stop('SIGKILL') };
}

/** Leaves a socket file without a process, as a kill does. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.bound`, resolve));
  renameSync(`${path}.bound`, path);
  await new Promise((resolve) => server.close(resolve));
}

describe('a provider whose socket is removed', () => {
  it('binds it again, says so once and counts it', async () => {
    const directory = scratch();
    const path = join(directory, 'a.sock');
    const provider = await serve(path);
    rmSync(path);
    await eventually(() => existsSync(path));
    expect(await provider.health()).toEqual(OK);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(await provider.metric('akv_csi_socket_lost_total')).toBe(1);
    rmSync(path);
    await eventually(() => existsSync(path));
    expect(await provider.metric('akv_csi_socket_lost_total')).toBe(2);
    expect(warnings(provider, GONE)).toBe(2);
    expect(readdirSync(directory)).toEqual(['a.sock']);
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    expect(readdirSync(directory)).toEqual([]);
  });
});

/** Returns the first row, or all of them in full rounds. */
const chosen = <Row>(rows: readonly Row[]) => (FULL ? rows : rows.slice(0, 1));

/**
 * Makes a file under another name and moves it to the path of the socket in one step, between two checks of the path.
 */
type Place = (name: string, path: string) => void | Promise<void>;

const REPLACEABLE: readonly (readonly [string, Place])[] = [
  ['a socket that was left behind', leaveSocket],
  ['an empty file', (name) => writeFileSync(name, '')],
];
const NOT_OURS_TO_REMOVE: readonly (readonly [string, Place])[] = [
  ['a symbolic link that leads nowhere', (name, path) => symlinkSync(`${path}.nowhere`, name)],
  ['a symbolic link to itself', (name, path) => symlinkSync(path, name)],
  ['a file with content', (name) => writeFileSync(name, 'kept')],
];

async function replace(path: string, place: Place): Promise<void> {
  await place(`${path}.new`, path);
  renameSync(`${path}.new`, path);
}

describe('a provider whose socket is replaced by a file on which no process listens', () => {
  it.each(chosen(REPLACEABLE))('%s: it binds the socket again and says so once', async (_, place) => {
    const directory = scratch();
    const path = join(directory, 'a.sock');
    const provider = await serve(path);
    await replace(path, place);
    await provider.until(/Listening again/);
    expect(await provider.health()).toEqual(OK);
    expect(await provider.metric('akv_csi_socket_lost_total')).toBe(1);
    expect([DEAD, TAKEN].map((pattern) => warnings(provider, pattern))).toEqual([1, 0]);
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each(chosen(NOT_OURS_TO_REMOVE))(
    '%s: it says what to remove, and binds the socket when that is done',
    async (_, place) => {
      const path = join(scratch(), 'a.sock');
      const provider = await serve(path);
      await replace(path, place);
      await provider.until(/cannot be bound again.*the file there is not a socket; remove it/);
      expect((await provider.health())[0]).toBe(503);
      expect([DEAD, TAKEN].map((pattern) => warnings(provider, pattern))).toEqual([1, 0]);
      rmSync(path);
      await healthy(provider);
      expect(await provider.metric('akv_csi_socket_lost_total')).toBe(1);
    },
  );
});

describe('two providers with one socket', () => {
  async function both() {
    const directory = scratch();
    const path = join(directory, 'a.sock');
    const older = await serve(path);
    const younger = await serve(path);
    await younger.until(/Replaced the socket of a provider that runs/);
    await older.until(TAKEN);
    expect(await older.health()).toEqual([503, expect.stringMatching(/^another process answers on .*azure v/)]);
    expect(await younger.health()).toEqual(OK);
    return { directory, path, older, younger };
  }

  it.each([
    ['ends', 'SIGTERM', 1],
    // The next start removes the second name of the older one's socket.
    ['is killed', 'SIGKILL', 2],
  ] as const)('the younger one %s: the older one serves again', async (_, signal, files) => {
    const { directory, older, younger } = await both();
    await younger.stop(signal);
    await healthy(older);
    expect(await older.metric('akv_csi_socket_lost_total')).toBe(1);
    expect(warnings(older, TAKEN)).toBe(1);
    expect(readdirSync(directory)).toHaveLength(files);
  });

  it('the younger one ends: no connection is refused, and the older one says that it has the socket again', async () => {
    const { path, older, younger } = await both();
    let isOver = false;
    const ended = younger.stop().finally(() => {
      isOver = true;
    });
    const refused: unknown[] = [];
    while (!isOver) {
      const socket = connect(path);
      // EAGAIN: a process listens, and its queue is full because it had no turn of a busy machine.
      await once(socket, 'connect').catch((error) => error.code === 'EAGAIN' || refused.push(error));
      socket.destroy();
    }
    await ended;
    expect(refused).toEqual([]);
    await older.until(/The socket is that of this process again/);
    // The connections above may still fill its queue.
    await healthy(older);
  });

  it('the older one ends: the younger one keeps the socket', async () => {
    const { path, older, younger } = await both();
    const before = inode(path);
    expect(await older.stop()).toEqual({ code: 0, signal: null });
    expect(inode(path)).toBe(before);
    expect(await younger.health()).toEqual(OK);
    expect(await younger.metric('akv_csi_socket_lost_total')).toBe(0);
  });

  it.skipIf(!FULL)('they do not take it from each other', async () => {
    const { path, older, younger } = await both();
    const before = inode(path);
    // Wait for three checks of the path.
    const start = Date.now();
    await eventually(() => Date.now() - start > 3000);
    expect(inode(path)).toBe(before);
    expect(warnings(older, TAKEN)).toBe(1);
    expect(younger.output('stderr')).toBe('');
  });

  it.skipIf(!FULL)('of three, one serves when the youngest is killed', async () => {
    const { path, older, younger } = await both();
    const youngest = await serve(path);
    await ousted(younger);
    await youngest.stop('SIGKILL');
    await eventually(async () => {
      const found = await Promise.all([older.health(), younger.health()]);
      return found.filter(([status]) => status === 200).length === 1;
    });
  });

  it.each(['healthPort', 'metricsPort'] as const)(
    'the younger one cannot have its %s: it changes nothing',
    async (port) => {
      const directory = scratch();
      const path = join(directory, 'a.sock');
      const older = await serve(path);
      const before = inode(path);
      const ports = { healthPort: 0, metricsPort: 0, [port]: older[port] };
      const flags = [`--healthz-port=${ports.healthPort}`, `--prometheus-port=${ports.metricsPort}`];
      const younger = start(['serve', '--endpoint', `unix://${path}`, ...flags]);
      expect(await younger.ended).toEqual({ code: 2, signal: null });
      expect(younger.output('stderr')).toContain(`Cannot listen on port ${older[port]}`);
      expect(inode(path)).toBe(before);
      expect(await older.health()).toEqual(OK);
      expect(readdirSync(directory)).toEqual(['a.sock']);
    },
  );
});

describe('a provider and another program', () => {
  it.each<[string, (path: string) => Promise<{ kill(): unknown }>, RegExp]>([
    ['another program', foreignServer, /runtimeName=another-provider runtimeVersion=v1\.8\.2/],
    ['this program', runningProvider, /runtimeName=\S+ runtimeVersion=v/],
  ])('replaces its socket, and says whose it was: %s', async (_, begin, name) => {
    const path = join(scratch(), 'a.sock');
    let said = '';
    // The other process has two seconds to answer, which a busy machine may need for something else.
    for (let other: { kill(): unknown } = { kill() {} }; !said.includes('runtimeVersion='); ) {
      await other.kill();
      other = await begin(path);
      const provider = await serve(path);
      said = provider.output('stdout');
      await provider.stop();
    }
    expect(said).toMatch(new RegExp(`Replaced the socket of a provider that runs" ${name.source}`));
  });

  it('gives its socket back at the end', async () => {
    const directory = scratch();
    const path = join(directory, 'a.sock');
    await foreignServer(path);
    const provider = await serve(path);
    expect(await answerAt(path)).not.toBe('v1.8.2');
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    expect(await answerAt(path)).toBe('v1.8.2');
    expect(readdirSync(directory)).toEqual(['a.sock']);
  });

  it('keeps the socket of the other provider if it cannot start', async () => {
    const directory = scratch();
    const path = join(directory, 'a.sock');
    const busy = await serve(join(directory, 'b.sock'));
    await foreignServer(path);
    const ports = ['--healthz-port=0', `--prometheus-port=${busy.metricsPort}`];
    expect(await start(['serve', '--endpoint', `unix://${path}`, ...ports]).ended).toEqual({ code: 2, signal: null });
    expect(await answerAt(path)).toBe('v1.8.2');
  });

  it('says who took the socket, and takes it back when nobody listens any more', async () => {
    const path = join(scratch(), 'a.sock');
    const provider = await serve(path);
    // The other process is named if it answers within two seconds, which it may fail to do on a busy machine.
    const isNamed = () =>
      /took the socket.* runtimeName=another-provider runtimeVersion=v1\.8\.2\n/.test(provider.output('stderr'));
    let losses = 0;
    do {
      losses++;
      const { kill } = await foreignServer(path);
      await eventually(() => warnings(provider, TAKEN) === losses);
      await eventually(async () => (await provider.health()).join(' ').includes('(another-provider v1.8.2)'));
      kill();
      await healthy(provider);
    } while (!isNamed());
    expect(await answerAt(path)).not.toBe('v1.8.2');
    expect(await provider.metric('akv_csi_socket_lost_total')).toBe(losses);
  });
});
