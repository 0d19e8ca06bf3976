import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, reader, SUBJECT, secret, startLab, textOf, workload } from '../support/azure.ts';

let lab: Lab;
const lookups: string[] = [];
const requests: string[] = [];

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  lab = await startLab({
    cacheTtlMs: 30_000,
    pinnedCacheTtlMs: 600_000,
    telemetry: {
      ...silentTelemetry,
      cacheLookup: (result) => lookups.push(result),
      keyVaultRequest: (type, name, _, outcome) => requests.push(`${type}/${name} ${outcome}`),
    },
  });
  await lab.open(reader()).get(secret('s59'), lab.context());
});
beforeEach(() => {
  // Moves past the lifetime of all values that an earlier test cached.
  pass(700_000);
  lab.emulator.requests.clear();
  lookups.length = 0;
  requests.length = 0;
});
afterEach(() => lab.emulator.faults.clear());
afterAll(async () => {
  await lab.close();
  vi.useRealTimers();
});

/** Moves the clocks of the provider and of the emulator. */
function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

describe('republishing', () => {
  it('costs one read an object and its time, however many pods mount it', async () => {
    for (let round = 0; round < 4; round++) {
      for (let pod = 0; pod < 30; pod++) {
        const vault = lab.open(reader());
        const context = lab.context();
        await Promise.all([0, 1, 2, 3, 4].map((i) => vault.get(secret(`s${i}`), context)));
      }
      pass(31_000);
    }
    expect(lab.count('vault')).toBe(4 * 5);
    expect(lab.tokens()).toBeLessThanOrEqual(1);
  });

  it('costs the same where another pod reads more than all of the memory holds', async () => {
    const names = Array.from({ length: 50 }, (_, i) => `s${i}`);
    const mount = async () => {
      const vault = lab.open(reader());
      const context = lab.context();
      await Promise.all(names.map((name) => vault.get(secret(name), context)));
    };
    await mount();
    const subject = { subject: SUBJECT, audience: WORKLOAD_IDENTITY_AUDIENCE, expiresInSeconds: 3600 };
    const greedy = lab.open(workload(lab.emulator.issueServiceAccountToken(subject)));
    const context = lab.context();
    const large = Array.from({ length: 400 }, (_, i) => `large-${i}`);
    for (const name of large) lab.emulator.setSecret('lab-vault', name, 'x'.repeat(9000));
    await Promise.all(large.map((name) => greedy.get(secret(name), context)));
    lab.emulator.requests.clear();
    await mount();
    expect(lab.count('vault')).toBe(0);
  });

  it('of a version that the manifest names costs a read in ten minutes', async () => {
    const { version } = lab.emulator.currentSecret('lab-vault', 's7');
    for (let round = 0; round < 5; round++) {
      await lab.open(reader()).get(secret('s7', version), lab.context());
      pass(100_000);
    }
    expect(lab.count('vault')).toBe(1);
  });

  it('sees a changed value as soon as the time of the old one is over', async () => {
    await lab.open(reader()).get(secret('s8'), lab.context());
    lab.emulator.setSecret('lab-vault', 's8', 'rotated');
    expect(textOf(await lab.open(reader()).get(secret('s8'), lab.context()))).toBe('value-8');
    pass(30_001);
    expect(textOf(await lab.open(reader()).get(secret('s8'), lab.context()))).toBe('rotated');
  });

  it('serves an object whose role was revoked, or that was disabled, for its time and not longer', async () => {
    await lab.open(reader()).get(secret('s9'), lab.context());
    lab.emulator.revoke('lab-vault', 'reader');
    try {
      expect(textOf(await lab.open(reader()).get(secret('s9'), lab.context()))).toBe('value-9');
      pass(30_001);
      for (let i = 0; i < 2; i++) {
        const read = lab.open(reader()).get(secret('s9'), lab.context());
        await expect(read).rejects.toMatchObject({ code: 'ERR_FORBIDDEN' });
      }
      expect(lab.count('vault')).toBe(3);
    } finally {
      lab.emulator.grant('lab-vault', { identity: 'reader', secrets: ['get', 'list'] });
    }
  });

  it('does not keep an answer that is none', async () => {
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'edit', remove: ['value'] } });
    await expect(lab.open(reader()).get(secret('s10'), lab.context())).rejects.toThrow('secret value is nil');
    expect(textOf(await lab.open(reader()).get(secret('s10'), lab.context()))).toBe('value-10');
  });

  it('reports what came from memory as such, and not as a request', async () => {
    const get = () => lab.open(reader()).get(secret('s11'), lab.context());
    await Promise.all([get(), get()]);
    await get();
    expect(lookups).toEqual(['miss', 'shared', 'hit']);
    expect(requests).toEqual(['secret/s11 ok']);
  });
});
