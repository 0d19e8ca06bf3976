import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { builtProgram } from '../support/e2e.ts';
import { findMosquitto } from './mosquitto.ts';

const found = findMosquitto();

it.skipIf(found === undefined)(
  'akv-csi demo runs mosquitto, which gets a signal once, and leaves nothing behind',
  async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'akv-'));
    onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
    const env = { PATH: process.env.PATH, TMPDIR: scratch };
    const { stdout } = await promisify(execFile)(process.execPath, [builtProgram(), 'demo'], { env });
    expect(stdout).toContain(`mosquitto ${found}, process `);
    expect(stdout).toMatch(/^ +msg="Signal sent" signal=SIGHUP process=mosquitto pid=\d+$/m);
    expect(stdout).toMatch(/ok +a new connection gets the new certificate, [0-9A-F]+$/m);
    expect(stdout).toMatch(/ok +the earlier connection stays open/);
    expect(readdirSync(scratch)).toEqual([]);
    for (const [, pid] of stdout.matchAll(/(?:mosquitto \S+|akv-csi \w+), process (\d+)/g))
      expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
  },
);
