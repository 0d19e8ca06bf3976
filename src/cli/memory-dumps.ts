/**
 * Keeps the memory of `serve`, which holds secrets, out of files and debuggers: core dumps, reports and snapshots of
 * Node. It also lets each buffer leave memory by itself. `serve` calls it at its start. Refuses options of Node that
 * write the memory to a file or open it to another program.
 */

import { writeFileSync } from 'node:fs';
import { ProviderError } from '../base/errors.ts';

/** Options of Node that write the heap to a file, or let another program read it. Longer names begin with these. */
const EXPOSING = ['--inspect', '--debug', '--heapsnapshot', '--heap-prof', '--report-on', '--report-uncaught'];
/** Which kinds of memory the kernel writes into a core dump of this process, as a mask; see core(5). Linux only. */
const CORE_DUMP_FILTER = '/proc/self/coredump_filter';

/**
 * Turns core dumps with memory, the reports of Node, and the memory that its buffers share off.
 * Throws: ERR_USAGE for an option of Node, on the command line or in `NODE_OPTIONS`, that exposes memory.
 */
export function keepMemoryPrivate({ NODE_OPTIONS = '' }: Readonly<Record<string, string | undefined>>): void {
  const options = [...process.execArgv, ...NODE_OPTIONS.split(/\s+/)];
  // Node takes "_" for "-" in the names of its options.
  const exposing = options.filter((option) => EXPOSING.some((name) => option.replaceAll('_', '-').startsWith(name)));
  if (exposing.length > 0) {
    throw new ProviderError(
      'ERR_USAGE',
      `the option ${exposing.join(' ')} of Node exposes the memory of the provider, which holds secrets; remove it from ` +
        'NODE_OPTIONS or the command line',
    );
  }
  Object.assign(process.report, { reportOnFatalError: false, reportOnSignal: false, reportOnUncaughtException: false });
  // Small buffers would lie side by side in blocks of 8 to 64 KiB, which stay as long as any of them is in use.
  Buffer.poolSize = 0;
  try {
    writeFileSync(CORE_DUMP_FILTER, '0');
  } catch {
    // Not on Linux, or /proc is not mounted: the limits of the service manager decide.
  }
}
