/**
 * Runs the provider for a long time under Mounts, rotations, faults and restarts, and checks each answer and the size of
 * the process. Prints a table, and ends with exit code 1 if a value was wrong or a number grew.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startEmulator } from '../src/emulator/emulator.ts';
import { faultPhases } from './soak/phases.ts';
import { SoakProvider } from './soak/process.ts';
import { judge, type Life, printReport } from './soak/report.ts';
import { runWorker, Tally } from './soak/workers.ts';
import { SoakWorld, seedOf } from './soak/world.ts';

const HELP = `Usage: npm run soak -- [options]

Runs the provider against the emulator for a long time: Mounts of several identities, rotations of the objects, faults of
Key Vault and Entra ID, and restarts of the provider. Checks every answer, and memory, open files, threads and timers.

  --minutes N   duration (default: 60)
  --lives N     the provider is started this many times (default: 4); every second one serves last known good values
                and ends by SIGKILL
  --workers N   Mounts at a time (default: 12)
  --help        print this text

Exit codes: 0 no wrong answer and no growth, 1 otherwise, 2 a wrong command line.
`;

/** Time without Mounts at the end of a life: connections and timers end before the last sample. */
const REST_MS = 12_000;

async function main(minutes: number, lives: number, workers: number): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'akv-soak-'));
  const emulator = await startEmulator({ seed: seedOf() });
  const tally = new Tally();
  const told: Life[] = [];
  try {
    const world = new SoakWorld(emulator);
    const lifeMs = (minutes * 60_000) / lives - REST_MS;
    for (let number = 1; number <= lives; number++) {
      world.staleAllowed = number % 2 === 0;
      const args = world.staleAllowed ? [] : ['--max-stale=0'];
      const provider = await SoakProvider.start({ program: resolve('dist/main.js'), directory, emulator, args });
      const stopping = new AbortController();
      const { signal } = stopping;
      const work = [
        world.rotate(signal),
        faultPhases(emulator, world, lifeMs, signal),
        provider.sample(signal),
        ...Array.from({ length: workers }, (_, n) => runWorker(n, { provider, world, tally, signal })),
      ];
      await sleep(lifeMs);
      stopping.abort();
      await Promise.all(work);
      await sleep(REST_MS);
      const { samples } = provider;
      const rest = provider.measure();
      const ended = await provider.end(number % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      told.push({ number, samples, rest, ended, defects: provider.defects() });
      process.stdout.write(`life ${number} of ${lives}: ${tally.mounted} Mounts, ${tally.failed} expected failures\n`);
    }
  } finally {
    await emulator.close();
    rmSync(directory, { recursive: true, force: true });
  }
  const faults = judge(told, tally);
  printReport(told, tally, faults);
  return faults.length === 0;
}

function numberOf(text: string, name: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  process.stderr.write(`soak: --${name} must be a number greater than 0, not "${text}"\n`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    lives: { type: 'string', default: '4' },
    workers: { type: 'string', default: '12' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else {
  const [minutes, lives, workers] = [
    numberOf(values.minutes, 'minutes'),
    numberOf(values.lives, 'lives'),
    numberOf(values.workers, 'workers'),
  ];
  if (!(await main(minutes, lives, workers))) process.exitCode = 1;
}
