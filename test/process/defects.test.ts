import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, type Provider, scratch, serve } from '../support/process.ts';
import { FULL } from '../support/rounds.ts';

/** Starts a provider with a defect that SIGWINCH triggers. */
async function provider(directory: string, defect: string): Promise<Provider> {
  const preload = join(directory, 'defect.cjs');
  writeFileSync(preload, defect);
  return serve(join(directory, 'a.sock'), { env: { NODE_OPTIONS: `--require ${preload}` } });
}

describe('a provider with a defect', () => {
  it('logs an uncaught error and continues to serve', async () => {
    const defect = `
      process.on('SIGWINCH', () => {
        Promise.reject(new RangeError('hunter2'));
        throw new TypeError('hunter2');
      });`;
    const { child, until, health, stop, output } = await provider(scratch(), defect);
    child.kill('SIGWINCH');
    await until(/ level=error msg="Defect: uncaught exception" error="?TypeError/);
    await until(/ level=error msg="Defect: unhandled rejection" error="?RangeError/);
    expect(output('stderr')).not.toContain('hunter2');
    expect(await health()).toEqual([200, 'ok']);
    expect(await stop()).toEqual({ code: 0, signal: null });
  });

  it('ends if uncaught errors do not stop', async () => {
    const directory = scratch();
    const defect = `
      const again = () => {
        setImmediate(again);
        throw new TypeError('storm');
      };
      process.on('SIGWINCH', again);`;
    const { child, ended, output } = await provider(directory, defect);
    child.kill('SIGWINCH');
    expect(await ended).toEqual({ code: 1, signal: null });
    expect(output('stderr').match(/Defect: uncaught exception/g)?.length).toBeGreaterThan(1);
    expect(readdirSync(directory)).toEqual(['defect.cjs']);
  });

  // This test takes the longest time of a stop.
  it.skipIf(!FULL)(
    'ends where it cannot stop',
    async () => {
      const defect = `process.on('SIGWINCH', () => { require('node:net').Server.prototype.close = () => {}; });`;
      const { child, stop, until, output } = await provider(scratch(), defect);
      child.kill('SIGWINCH');
      await eventually(() => child.kill('SIGTERM'));
      await until(/Stopping took too long/);
      expect(await stop()).toEqual({ code: 1, signal: null });
      expect(output('stdout')).not.toContain('Stopped');
    },
    60_000,
  );
});
