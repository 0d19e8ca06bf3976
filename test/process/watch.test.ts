import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeVolume } from '../../src/driver/atomic-writer.ts';
import { eventually, scratch, start } from '../support/process.ts';

const write = (directory: string, text: string) =>
  writeVolume(directory, [{ path: 'tls.crt', mode: 0o644, contents: Buffer.from(text) }]);
const NOW = ['--settle', '0'];

/** A program that prints each signal, and ends with 7 at SIGTERM. */
const PROGRAM = `
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT', 'SIGWINCH'])
    process.on(signal, () => console.log('program got ' + signal));
  process.on('SIGTERM', () => process.exit(7));
  setInterval(() => {}, 1e6);
  console.log('program runs with', process.argv.slice(1).join());`;

async function volume(): Promise<string> {
  const directory = join(scratch(), 'v');
  await write(directory, '1');
  return directory;
}

describe('akv-csi watch around a program', () => {
  it('starts it, sends it SIGHUP once for each change, passes signals on, and ends with its exit code', async () => {
    const directory = await volume();
    const watch = start(['watch', directory, ...NOW, '--', process.execPath, '-e', PROGRAM, '--', '-x', '--once']);
    await watch.until(/program runs with -x,--once/);
    for (const times of [1, 2]) {
      await write(directory, `new ${times}`);
      await eventually(() => watch.output('stdout').match(/program got SIGHUP/g)?.length === times);
    }
    expect(watch.output('stdout').match(/msg="Signal sent" signal=SIGHUP/g)).toHaveLength(2);
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT', 'SIGWINCH'] as const) {
      watch.child.kill(signal);
      await watch.until(new RegExp(`program got ${signal}`));
    }
    expect(await watch.stop()).toEqual({ code: 7, signal: null });
  });

  it('does not send a signal that would end it, and sends it once the program handles it', async () => {
    const directory = await volume();
    const ready = join(directory, '..', 'ready');
    const program = `while [ ! -e ${ready} ]; do sleep 0.05; done; trap 'echo program got HUP; exit 3' HUP; while :; do sleep 0.05; done`;
    const watch = start(['watch', directory, ...NOW, '--initial', '--', 'sh', '-c', program]);
    await watch.until(/Reload failed.* does not handle SIGHUP/);
    writeFileSync(ready, '');
    expect(await watch.ended).toEqual({ code: 3, signal: null });
    expect(watch.output('stdout')).toContain('program got HUP');
  });

  it.each([
    ['exit 5', 5],
    ['kill -KILL $$', 137],
  ])('ends as the program ends: %s', async (command, code) => {
    const watch = start(['watch', await volume(), '--', 'sh', '-c', command]);
    expect(await watch.ended).toEqual({ code, signal: null });
  });

  it.each([
    ['is not there', 'no-such-program', 127, /cannot start no-such-program: there is no such program in this image/],
    ['may not be run', '/etc/passwd', 126, /cannot start \/etc\/passwd: EACCES/],
  ])('says that the program %s', async (_name, program, code, message) => {
    const watch = start(['watch', await volume(), '--', program]);
    expect(await watch.ended).toEqual({ code, signal: null });
    expect(watch.output('stderr')).toMatch(message);
  });

  it('goes on with the program when nothing reads the log', async () => {
    const directory = await volume();
    const file = join(directory, '..', 'out');
    const program = `trap 'echo got >> ${file}; exit 4' HUP; echo on > ${file}; while :; do sleep 0.05; done`;
    const watch = start(['watch', directory, ...NOW, '--', 'sh', '-c', program], { stdout: 'reader gone' });
    await eventually(() => {
      try {
        return readFileSync(file, 'utf8') === 'on\n';
      } catch {
        return false;
      }
    });
    await write(directory, '2');
    expect(await watch.ended).toEqual({ code: 4, signal: null });
  });
});

describe('akv-csi watch beside a program', () => {
  it('waits for a volume that is not there yet, calls a URL until it answers with success, and ends', async () => {
    const directory = join(scratch(), 'later');
    let calls = 0;
    const server = createServer((_request, response) => response.writeHead(calls++ === 0 ? 500 : 200).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reload`;
    const watch = start(['watch', directory, ...NOW, '--url', url, '--once', '--log-format-json']);
    await watch.until(/there is no such directory yet/);
    await write(directory, '1');
    expect(await watch.ended).toEqual({ code: 0, signal: null });
    expect(calls).toBe(2);
    const lines = (watch.output('stdout') + watch.output('stderr')).trim().split('\n');
    // It may also see the directory before the first files are in it.
    expect([...new Set(lines.map((line) => JSON.parse(line).msg))].sort()).toEqual([
      'Files changed',
      'Reload failed',
      'Request succeeded',
      'Waiting for the volume',
    ]);
  });

  it('does it at the start with --initial, and ends with 1 when --once is given up', async () => {
    const args = ['--initial', '--once', '--retries', '0', '--run', 'echo it runs; exit 3'];
    const watch = start(['watch', await volume(), ...args]);
    expect(await watch.ended).toEqual({ code: 1, signal: null });
    expect(watch.output('stdout')).toContain('it runs');
    expect(watch.output('stderr')).toMatch(/Reload given up until the next change.*it ended with 3/);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)('ends with 0 at %s', async (signal) => {
    const watch = start(['watch', await volume(), '--process', 'x']);
    await watch.until(/msg=Watching/);
    watch.child.kill('SIGUSR1');
    watch.child.kill('SIGUSR2');
    expect(await watch.stop(signal)).toEqual({ code: 0, signal: null });
  });
});
