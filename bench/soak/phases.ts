/**
 * The faults of the soak, one after another, with quiet times between them. `soak.ts` runs it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Emulator } from '../../src/emulator/emulator.ts';
import type { Fault } from '../../src/emulator/host/faults.ts';
import type { SoakWorld } from './world.ts';

const answer = (on: Fault['on'], status: number, headers?: Record<string, string>): Fault => ({
  on,
  action: { kind: 'answer', status, ...(headers && { headers }) },
});

const PHASES: readonly Fault[] = [
  answer('vault', 429, { 'retry-after': '1' }),
  answer('vault', 503),
  { on: 'vault', action: { kind: 'hang' } },
  answer('entra', 503),
  { on: 'vault', action: { kind: 'drop' } },
  { on: 'vault', action: { kind: 'truncate' } },
  { on: 'entra', action: { kind: 'hang' } },
  answer('vault', 429),
];
/** Longest time of one phase; a quiet time of the same length follows it. */
const MAX_PHASE_MS = 20_000;

/** Goes through all faults in a life of `lifeMs`, again and again until the signal aborts. */
export async function faultPhases(
  emulator: Emulator,
  world: SoakWorld,
  lifeMs: number,
  signal: AbortSignal,
): Promise<void> {
  // The last third of a life is quiet in a short soak, so that at least some Mounts are held to the lifetime of values.
  const phaseMs = Math.min(MAX_PHASE_MS, lifeMs / (3 * PHASES.length));
  const wait = () => sleep(phaseMs, undefined, { signal }).catch(() => {});
  while (!signal.aborted) {
    for (const fault of PHASES) {
      await wait();
      if (signal.aborted) break;
      world.faultBegins();
      emulator.faults.add(fault);
      await wait();
      emulator.faults.clear();
      world.faultEnds();
    }
    for (let quiet = 0; quiet < PHASES.length && !signal.aborted; quiet++) await wait();
  }
}
