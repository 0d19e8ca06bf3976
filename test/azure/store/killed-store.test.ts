/** Holds that a provider killed at any instant leaves whole entries: the newest or the one before, and none is refused. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { rounds } from '../../support/rounds.ts';
import { filesOf, newDirectory, newKey, openStore } from '../../support/store.ts';

const NAMES = 12;

test('a process that is killed while it writes loses nothing that was on the disk', async () => {
  const [directory, programs] = [newDirectory(), newDirectory()];
  const program = join(programs, 'child.cjs');
  const entryPoints = [join(import.meta.dirname, 'child-store.ts')];
  await build({ entryPoints, outfile: program, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' });
  const key = await newKey('node-1', Buffer.from('0123456789abcdefghijklmnopqrstuv'));
  for (let round = 0; round < rounds(6, 50); round++) {
    const child = spawn(process.execPath, [program, directory, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Another moment each time, counted in writes and then in turns of the event loop.
    let written = -1;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      written = Number(text.trim().split('\n').at(-1));
      if (written < 20 + 17 * (round % 7)) return;
      let turns = (round * 37) % 90;
      const wait = () => (turns-- > 0 ? setImmediate(wait) : child.kill('SIGKILL'));
      wait();
    });
    const [code, signal] = await once(child, 'exit');
    expect([code, signal]).toEqual([null, 'SIGKILL']);

    const { entries, failures, lines, store } = await openStore(directory, {
      keys: [key],
      limits: { entries: 100, bytes: 10_000_000, entryBytes: 500_000 },
      clock: { wall: () => Date.now(), steady: (await import('../../../src/base/clock.ts')).systemClock.steady },
    });
    await store.close();
    expect([failures, lines.filter((line) => line.startsWith('warn'))]).toEqual([[], []]);
    expect(filesOf(directory, 'tmp').length).toBeLessThanOrEqual(1);
    const erased = (count: number) => (count % 5 === 4 ? (count * 7) % NAMES : -1);
    for (let name = 0; name < NAMES; name++) {
      // What happened to the name up to the last line that was printed.
      let certain: number | undefined;
      for (let count = 0; count <= written; count++) {
        if (count % NAMES === name) certain = count;
        if (erased(count) === name) certain = undefined;
      }
      const text = entries[`n${name}`];
      if (text === undefined) continue;
      const [, ofRound, count] = /^(\d+)\.(\d+)/.exec(`${text} `) ?? [];
      if (certain !== undefined && Number(ofRound) === round) expect(Number(count)).toBeGreaterThanOrEqual(certain);
      expect(Number(ofRound)).toBeLessThanOrEqual(round);
    }
    expect(Object.keys(entries).length).toBeGreaterThan(0);
  }
});
