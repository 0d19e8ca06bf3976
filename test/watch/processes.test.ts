import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { findProcesses, requireHandled, sendSignal, signalByName } from '../../src/watch/processes.ts';
import { scratch } from '../support/process.ts';

/** The lines of /proc/PID/status that are read, and the other files. */
interface Process {
  readonly name: string;
  readonly parent?: number;
  readonly uid?: number;
  readonly state?: string;
  readonly handles?: string;
  readonly command?: readonly string[];
  readonly exe?: string;
}

let proc: string;
beforeEach(() => {
  proc = scratch();
});

function put(pid: number, { name, parent = 1, uid = 0, state = 'S (sleeping)', handles, command, exe }: Process): void {
  mkdirSync(join(proc, String(pid)));
  const lines = [`Name:\t${name}`, 'Umask:\t0022', `State:\t${state}`, `Pid:\t${pid}`, `PPid:\t${parent}`];
  lines.push(`Uid:\t${uid}\t0\t0\t0`, ...(handles === undefined ? [] : [`SigIgn:\t0`, `SigCgt:\t${handles}`]));
  writeFileSync(join(proc, String(pid), 'status'), `${lines.join('\n')}\n`);
  writeFileSync(join(proc, String(pid), 'cmdline'), (command ?? [name]).map((word) => `${word}\0`).join(''));
  if (exe !== undefined) symlinkSync(exe, join(proc, String(pid), 'exe'));
}

const pidsOf = async (name: string) => (await findProcesses(name, proc)).found.map(({ pid }) => pid).sort();

describe('a process has a name', () => {
  it.each<[string, Process, string, boolean]>([
    ['that the kernel gives it', { name: 'mosquitto' }, 'mosquitto', true],
    [
      'of which the kernel keeps 15 characters',
      { name: 'a-very-long-pro', command: ['x'] },
      'a-very-long-program',
      true,
    ],
    ['of its program', { name: 'main', exe: '/usr/sbin/mosquitto' }, 'mosquitto', true],
    ['of its program, as a path', { name: 'main', exe: '/usr/sbin/mosquitto' }, '/usr/sbin/mosquitto', true],
    ['of another path', { name: 'main', exe: '/usr/sbin/mosquitto' }, '/sbin/mosquitto', false],
    ['of the first word of its command line', { name: 'python3', command: ['/opt/app', '-v'] }, 'app', true],
    ['of another word of it', { name: 'sh', command: ['sh', 'mosquitto'] }, 'mosquitto', false],
    [
      'with a title in place of its command line',
      { name: 'nginx', command: ['nginx: master process nginx'] },
      'nginx',
      true,
    ],
    ['that contains it', { name: 'mosquitto_sub' }, 'mosquitto', false],
    ['after its end', { name: 'mosquitto', state: 'Z (zombie)' }, 'mosquitto', false],
  ])('%s', async (_name, process, name, has) => {
    put(7, process);
    expect(await pidsOf(name)).toEqual(has ? [7] : []);
  });

  it('and this process is never found', async () => {
    put(process.pid, { name: 'node' });
    put(8, { name: 'node' });
    expect(await pidsOf('node')).toEqual([8]);
  });

  it('whatever else there is in /proc', async () => {
    writeFileSync(join(proc, '12'), '');
    mkdirSync(join(proc, '13'));
    mkdirSync(join(proc, 'self'));
    put(7, { name: 'a' });
    writeFileSync(join(proc, '7', 'cmdline'), Buffer.alloc(100_000, 'x'));
    expect(await pidsOf('a')).toEqual([7]);
  });
});

describe('a process that is not there', () => {
  it('is an error that names those that are, and no threads of the kernel', async () => {
    put(1, { name: 'pause' });
    put(2, { name: 'kthreadd', command: [] });
    put(9, { name: 'mosquitto' });
    await expect(signalByName('mosquito', 'SIGHUP', proc)).rejects.toThrow(
      'there is no process "mosquito"; this container sees: mosquitto, pause',
    );
  });

  it('is an error that names shareProcessNamespace if no other is seen', async () => {
    put(process.pid, { name: 'node' });
    await expect(signalByName('mosquitto', 'SIGHUP', proc)).rejects.toThrow(
      'there is no process "mosquitto", and no other one that this container can see: set shareProcessNamespace: true in the pod',
    );
  });

  it('has a name that is printable in the error, and a short list', async () => {
    for (let pid = 100; pid < 200; pid++) put(pid, { name: `p${pid}` });
    const error = await signalByName('\u001b[31m', 'SIGHUP', proc).catch(String);
    expect(error).not.toContain('\u001b');
    expect(String(error).match(/p1\d\d/g)).toHaveLength(10);
  });
});

describe('a signal', () => {
  const one = (handled?: bigint) => ({ pid: 7, name: 'mosquitto', uid: 5, parent: 1, handled });

  it.each<[string, bigint | undefined, NodeJS.Signals, boolean]>([
    ['that it handles', 0b1n, 'SIGHUP', true],
    ['that it does not handle', 0b0n, 'SIGHUP', false],
    ['when it handles another', 0b10n, 'SIGHUP', false],
    ['that it handles, with a high number', 1n << 11n, 'SIGUSR2', true],
    ['that is to end it', 0n, 'SIGTERM', true],
    ['where the system does not tell', undefined, 'SIGHUP', true],
  ])('is sent to a process %s: %s %s -> %s', (_name, handled, signal, sent) => {
    const check = () => requireHandled(one(handled), signal);
    if (sent) expect(check).not.toThrow();
    else expect(check).toThrow(`mosquitto (process 7) does not handle ${signal}, which would end it`);
  });

  it.each([
    [
      'EPERM',
      /user \d+ may not signal a process of user 5: set securityContext.runAsUser .* to 5, or run it as user 0/,
    ],
    ['ESRCH', /the process has ended/],
  ])('that fails with %s is an error that says what to do', (code, message) => {
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error(code), { code });
    });
    onTestFinished(() => kill.mockRestore());
    expect(() => sendSignal(one(), 'SIGHUP')).toThrow(/^cannot send SIGHUP to mosquitto \(process 7\): /);
    expect(() => sendSignal(one(), 'SIGHUP')).toThrow(message);
  });

  it('reaches the parent of several processes of a name, and no process that does not handle it yet', async () => {
    const name = `akvp${process.pid}`;
    const directory = mkdtempSync(join(tmpdir(), 'akv-p-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    symlinkSync(process.execPath, join(directory, name));
    const code = `
      const wait = setInterval(() => {}, 1e6);
      process.on('message', () => process.once('SIGHUP', () => { console.log('reloaded'); }) && console.log('handles'));
      if (!process.env.CHILD) {
        const worker = require('node:child_process').spawn(process.argv0, ['-e', 'setInterval(() => {}, 1e6)'], { argv0: process.argv0 });
        process.on('exit', () => worker.kill('SIGKILL'));
        process.on('SIGTERM', () => process.exit());
        worker.once('spawn', () => console.log('started'));
      }`;
    const parent = spawn(join(directory, name), ['-e', code], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    const printed = async (text: string) => {
      for (;;) if (String((await once(parent.stdout ?? parent, 'data'))[0]).includes(text)) return;
    };
    onTestFinished(async () => {
      parent.kill('SIGTERM');
      await once(parent, 'exit');
    });
    await printed('started');
    expect((await findProcesses(name)).found).toHaveLength(2);
    await expect(signalByName(name, 'SIGHUP')).rejects.toThrow('does not handle SIGHUP');
    const handles = printed('handles');
    parent.send('handle it');
    await handles;
    const reloaded = printed('reloaded');
    expect((await signalByName(name, 'SIGHUP')).map(({ pid }) => pid)).toEqual([parent.pid]);
    await reloaded;
  });
});
