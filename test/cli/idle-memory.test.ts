import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createProvider, type Provider } from '../../src/cli/provider.ts';
import { parseServeFlags } from '../../src/cli/serve-flags.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { manualClock } from '../support/clocks.ts';
import { requestOf, seedWith } from '../support/parity.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const SEED = seedWith({ vault: '    certificates: [{name: web, subject: CN=web.example}]' });

const clock = manualClock(Date.now());
const sweeper = new Sweeper(clock);
const directory = mkdtempSync(join(tmpdir(), 'akv-idle-'));
let emulator: Emulator;
let provider: Provider;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  emulator = await startEmulator({ seed: SEED, clock });
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const env = {
    SSL_CERT_FILE: file('ca.pem', emulator.caPem),
    AZURE_ENVIRONMENT_FILEPATH: file('cloud.json', emulator.cloudFile),
  };
  const surroundings = { env, log: silentLogger, telemetry: silentTelemetry, clock, sweeper };
  provider = await createProvider(parseServeFlags(['--cloud-name=AzureStackCloud']), surroundings);
});
afterAll(async () => {
  await provider.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  await emulator.close();
  rmSync(directory, { recursive: true });
});

/** Lets time pass on a node to which no Mount comes; the sweep that follows is due within ten seconds. */
function idle(ms: number): number {
  clock.time += ms;
  vi.advanceTimersByTime(10 * SECOND);
  return sweeper.size;
}

it('what one Mount left in memory goes in its time, though no further Mount comes', async () => {
  const request = requestOf({ objects: [{ objectName: 'web', objectType: 'secret' }] });
  const { files } = await provider.mount(
    { attributes: request.attributes, secrets: request.secrets, permission: request.permission },
    { timeoutMs: 30 * SECOND, signal: new AbortController().signal },
  );
  expect(String(files[0]?.contents)).toContain('PRIVATE KEY');
  // Of the vault the value, and as the last known one; of Entra ID the token, the accepted proof and the metadata; of the
  // certificate its opened key, its facts, a file; the addresses of two hosts.
  expect(sweeper.size).toBe(10);
  const left = [
    ['the value, after 30 seconds', idle(30 * SECOND)],
    ['nothing before the minute is over', idle(29 * SECOND)],
    ['the opened key, after a minute', idle(SECOND)],
    ['nothing before ten minutes are over', idle(8 * MINUTE)],
    ['facts and file, after ten minutes', idle(MINUTE)],
    ['the token, ahead of its end; last known value and addresses, after an hour', idle(50 * MINUTE)],
    ['the metadata, and the date of the proof, after a day', idle(24 * HOUR)],
  ];
  expect(left).toEqual([
    ['the value, after 30 seconds', 9],
    ['nothing before the minute is over', 9],
    ['the opened key, after a minute', 8],
    ['nothing before ten minutes are over', 8],
    ['facts and file, after ten minutes', 6],
    ['the token, ahead of its end; last known value and addresses, after an hour', 2],
    ['the metadata, and the date of the proof, after a day', 0],
  ]);
});
