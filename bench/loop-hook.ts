/** Loaded into a provider (`--import`): writes the longest block of its event loop to the file `LOOP_FILE` names. */
import { writeFileSync } from 'node:fs';

/** Asking for CPU time is not free: at every 2 ms it took a tenth of what was measured. */
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

// The benchmark asks for a new beginning when the scenario begins.
process.on('SIGUSR2', () => {
  longest = NONE;
});

process.on('exit', () => writeFileSync(process.env.LOOP_FILE ?? '/dev/null', JSON.stringify(longest)));
