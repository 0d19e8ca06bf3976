import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IMAGE_TUNABLES } from '../../bench/implementations.ts';
import { startWorld } from '../support/e2e.ts';
import { CLIENT_SECRET, requestOf, seedWith } from '../support/parity.ts';
import { eventually, scratch, serve, start } from '../support/process.ts';
import { FULL } from '../support/rounds.ts';

const LINUX = process.platform === 'linux';
const VALUE = 'remnant-of-a-value-'.padEnd(3000, 'Qz');

/** How often texts stand in the writable memory of a process, as bytes or as UTF-16. */
function copiesIn(pid: number, texts: readonly string[]): number[] {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const counts = texts.map(() => 0);
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    const region = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
    try {
      readSync(memory, region, 0, region.length, Number.parseInt(from, 16));
    } catch {
      // The region is gone meanwhile, or holds no memory.
      continue;
    }
    for (const [index, text] of texts.entries()) {
      for (const form of [Buffer.from(text), Buffer.from(text, 'utf16le')]) {
        for (let at = region.indexOf(form); at !== -1; at = region.indexOf(form, at + 1))
          counts[index] = (counts[index] ?? 0) + 1;
      }
    }
  }
  closeSync(memory);
  return counts;
}

/**
 * Copies that stay, however many Mounts there were: in the last buffer of the connection to the driver and of that to the
 * vault, and where the stack was used last. Their next use overwrites them.
 */
const STAYING = 4;

describe.skipIf(!LINUX)('the memory of a provider', () => {
  it.skipIf(!FULL)(
    'loses values and credentials soon after the last Mount, but for a few copies that do not depend on the number of Mounts',
    async () => {
      expect(IMAGE_TUNABLES).toContain('perturb');
      const world = await startWorld({
        seed: seedWith({ vault: `    secrets: [{name: a, value: ${VALUE}}]` }),
        serveArgs: ['--cache-ttl=1s', '--max-stale=0'],
        env: { GLIBC_TUNABLES: IMAGE_TUNABLES },
      });
      try {
        const pid = world.provider.child.pid ?? 0;
        const copies = () => copiesIn(pid, [VALUE.slice(0, 24), CLIENT_SECRET]);
        for (const mounts of [1, 10, 100]) {
          for (let i = 0; i < mounts; i++)
            await world.client.mount(requestOf({ objects: [{ objectName: 'a', objectType: 'secret' }] }));
          if (mounts > 1) expect(Math.min(...copies())).toBeGreaterThan(0);
          await eventually(() => copies().every((count) => count <= STAYING));
        }
      } finally {
        await world.close();
      }
    },
    180_000,
  );

  it('stays out of core dumps', async () => {
    const { child, stop } = await serve(`${scratch()}/a.sock`);
    expect(readFileSync(`/proc/${child.pid}/coredump_filter`, 'utf8').trim()).toMatch(/^0+$/);
    await stop();
  });
});

it.each(['--inspect=0', '--heapsnapshot-signal=SIGUSR2', '--heapsnapshot_near_heap_limit=1', '--report-on-signal'])(
  "serve refuses Node's option %s, which exposes its memory",
  async (option) => {
    const { ended, output } = start(['serve', `--endpoint=unix://${scratch()}/a.sock`], {
      env: { NODE_OPTIONS: option },
    });
    expect(await ended).toEqual({ code: 2, signal: null });
    expect(output('stderr')).toContain(`the option ${option} of Node exposes the memory`);
  },
);
