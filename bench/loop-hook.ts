/**
 * Measures the event loop of a provider, which loads it with `--import`. Writes the longest block to the file named by
 * `LOOP_FILE`.
 */
import { writeFileSync } from 'node:fs';

/** Reading the CPU time costs time: every 2 ms, it took a tenth of the measured time. */
const TICK_MS = 5;
const NONE = { blockMs: 0, cpuMs: 0 };

let longest = NONE;
let at = performance.now();
let cpu = process.cpuUsage();

setInterval(() => {
  const now = performance.now();
  const used = process.cpuUsage(cpu);
  const blockMs = now - at - TICK_MS;
  if (blockMs > longest.blockMs) longest = { blockMs, cpuMs: (used.user + used.system) / 1000 };
  at = now;
  cpu = process.cpuUsage();
}, TICK_MS).unref();

// The benchmark sends this signal when the scenario begins.
process.on('SIGUSR2', () => {
  longest = NONE;
});

process.on('exit', () => writeFileSync(process.env.LOOP_FILE ?? '/dev/null', JSON.stringify(longest)));
