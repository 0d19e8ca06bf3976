import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { rounds } from '../support/rounds.ts';
import { mountRequest } from '../support/server.ts';

const KILLS = rounds(4, 25);
const PUBLISHERS = 4;
const SIZES = [10, 700, 30_000, 4000, 17_000];

const directory = mkdtempSync(join(tmpdir(), 'akv-killed-'));
const program = join(directory, 'provider.cjs');

beforeAll(async () => {
  const root = join(import.meta.dirname, '../..');
  const { rawText }: { rawText: Plugin } = await import(join(root, 'scripts/raw-text.mjs'));
  await build({
    entryPoints: [join(import.meta.dirname, 'child-provider.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    plugins: [rawText],
    logLevel: 'error',
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Call {
  headers: boolean;
  status: boolean;
}

/** Calls Mount once. Resolves when its stream is closed for any reason. */
function mount(session: ClientHttp2Session, bytes: number, onHeaders: () => void): Promise<Call> {
  const call: Call = { headers: false, status: false };
  const body = csiDriverProvider.Mount.requestSerialize({ ...mountRequest, attributes: String(bytes) });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1alpha1.CSIDriverProvider/Mount',
      'content-type': 'application/grpc',
    });
    stream.on('error', () => {});
    stream.once('response', (headers) => {
      call.headers = true;
      call.status = headers['grpc-status'] !== undefined;
      onHeaders();
    });
    stream.once('trailers', () => {
      call.status = true;
    });
    stream.once('close', () => resolve(call));
    stream.resume();
    stream.end(Buffer.concat([head, body]));
  });
}

/** Calls Mount in several loops until the provider is killed, which happens when it has begun `answers` responses. */
async function callsUntilKilled(provider: ChildProcess, path: string, answers: number): Promise<readonly Call[]> {
  const session = connect('http://localhost', { createConnection: () => connectSocket(path) });
  session.on('error', () => {});
  const calls: Call[] = [];
  let begun = 0;
  const onHeaders = () => {
    begun++;
    if (begun === answers) provider.kill('SIGKILL');
  };
  const publish = async () => {
    while (!session.closed && !session.destroyed) {
      calls.push(await mount(session, SIZES[calls.length % SIZES.length] ?? 0, onHeaders));
    }
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, publish));
  return calls;
}

test(`no caller of a provider that is killed, ${KILLS} times, has seen the headers of an answer and not its status`, async () => {
  const half: number[] = [];
  let answered = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const path = join(directory, `${kill}.sock`);
    const provider = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [up] = await Promise.race([once(provider.stdout, 'data'), once(provider, 'exit')]);
    expect(String(up)).toBe('up\n');
    const calls = await callsUntilKilled(provider, path, 20 + 13 * kill);
    if (provider.exitCode === null && provider.signalCode === null) await once(provider, 'exit');
    answered += calls.filter(({ status }) => status).length;
    half.push(...calls.filter(({ headers, status }) => headers && !status).map(() => kill));
  }
  expect(half).toEqual([]);
  expect(answered).toBeGreaterThanOrEqual(KILLS * 20);
});
