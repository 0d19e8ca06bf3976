/** Holds that temporary files and processes of a run do not outlive it, also if the run is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { removeDeadRuns, runName } from '../support/run-directory.ts';
import { temporaryDirectory } from '../support/server.ts';

it('the temporary directory of a test is the one of its run', () => {
  expect(basename(tmpdir())).toBe(runName(process.ppid));
});

it('the processes and files of a run that was killed are removed by the next run, and those of a living run stay', async () => {
  const parent = temporaryDirectory();
  const ended = spawn('true');
  await once(ended, 'exit');
  const dead = ['1', '2'].map((start) => join(parent, `akv-test-${ended.pid}-${start}`));
  const alive = join(parent, runName(process.pid));
  for (const directory of [...dead, alive]) mkdirSync(join(directory, 'files'), { recursive: true });
  const forever = ['-e', 'setInterval(() => {}, 1000)'];
  const env = { PATH: process.env.PATH };
  const byArgument = spawn(process.execPath, [...forever, join(`${dead[0]}`, 'azure.sock')], { env });
  const byEnvironment = spawn(process.execPath, forever, { env: { ...env, TMPDIR: dead[1] } });
  const ends = [byArgument, byEnvironment].map((child) => once(child, 'exit'));
  await Promise.all([byArgument, byEnvironment].map((child) => once(child, 'spawn')));
  removeDeadRuns(parent);
  expect(await Promise.all(ends)).toEqual([
    [null, 'SIGKILL'],
    [null, 'SIGKILL'],
  ]);
  expect([...dead, alive].map((directory) => existsSync(directory))).toEqual([false, false, true]);
});
