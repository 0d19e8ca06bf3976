import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, reader, secret, startLab, textOf } from '../support/azure.ts';
import { manualClock } from '../support/clocks.ts';
import { turnsOfTheLoop } from '../support/turns.ts';

const CACHE_MS = 30_000;
const STALE_MS = 3_600_000;
const clock = manualClock(Date.now());

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ cacheTtlMs: CACHE_MS, pinnedCacheTtlMs: 2 * CACHE_MS, maxStaleMs: STALE_MS, clock });
});
beforeEach(() => {
  lab.emulator.faults.clear();
  lab.emulator.requests.clear();
});
afterAll(() => lab.close());

/** Reads a secret for a volume with this limit of age, and counts the requests that reach the vault. */
async function read(name: string, maxAgeMs?: number, version = '') {
  const before = lab.count('vault');
  const fetched = await lab.open(reader(), 'lab-vault', maxAgeMs).get(secret(name, version), lab.context());
  return { text: textOf(fetched), version: fetched.version, requests: lab.count('vault') - before };
}

describe('a value in memory', () => {
  it('is not given to a volume whose limit it has reached, and is to others', async () => {
    await read('s0');
    clock.time += 5000;
    expect((await read('s0', 5001)).requests).toBe(0);
    expect((await read('s0', 5000)).requests).toBe(1);
    expect((await read('s0')).requests).toBe(0);
  });

  it('is asked for each time with a limit of 0', async () => {
    await read('s1');
    expect((await read('s1', 0)).requests).toBe(1);
    expect((await read('s1', 0)).requests).toBe(1);
  });

  it('is renewed for all volumes by the read of the strictest', async () => {
    await read('s2');
    lab.emulator.setSecret('lab-vault', 's2', 'new');
    expect(await read('s2')).toMatchObject({ text: 'value-2', requests: 0 });
    expect(await read('s2', 0)).toMatchObject({ text: 'new', requests: 1 });
    expect(await read('s2')).toMatchObject({ text: 'new', requests: 0 });
  });

  it('is not kept for longer than the flag says, whatever the volume allows', async () => {
    await read('s3', STALE_MS);
    clock.time += CACHE_MS;
    expect((await read('s3', STALE_MS)).requests).toBe(1);
  });

  it('is limited for versions that the manifest names, too', async () => {
    const { version } = await read('s4');
    await read('s4', undefined, version);
    expect((await read('s4', undefined, version)).requests).toBe(0);
    expect((await read('s4', 0, version)).requests).toBe(1);
  });

  it('is shared by equal reads at the same moment', async () => {
    const held = lab.emulator.faults.hold({ on: 'vault', object: 's5' });
    const first = read('s5', 0);
    await held.reached;
    const second = read('s5', 0);
    await turnsOfTheLoop();
    held.release();
    await Promise.all([first, second]);
    expect(lab.count('vault')).toBe(1);
  });
});

describe('a last known value, while the vault is away', () => {
  const away = () => lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status: 503 } });

  it('is given to a volume that allows its age', async () => {
    await read('s6');
    clock.time += 60_000;
    away();
    expect((await read('s6', 120_000)).text).toBe('value-6');
  });

  it.each([0, 60_000])('is not given to a volume that allows %s ms', async (maxAgeMs) => {
    const name = `s${7 + maxAgeMs / 60_000}`;
    await read(name);
    clock.time += 60_000;
    away();
    await expect(read(name, maxAgeMs)).rejects.toMatchObject({ code: 'ERR_VAULT' });
    expect((await read(name)).text).toBe(`value-${name.slice(1)}`);
  });
});
