/**
 * Registers figures of the process and of its event loop with the Prometheus library. `instruments.ts` calls it. They are
 * read at a scrape only: the default metrics of the library keep timers that would wake an idle node.
 */

import { readdir } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Registers the metrics. The names of the process are those of all Prometheus clients. */
export function addProcessFigures(registry: Registry): void {
  const registers = [registry];
  counter('process_cpu_seconds_total', 'CPU time of the process in seconds', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge('process_resident_memory_bytes', 'Resident memory of the process', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', 'When the process started, in seconds since 1970', () =>
    Math.round(performance.timeOrigin / 1000),
  );
  gauge('process_open_fds', 'Open file descriptors of the process', openFiles);
  counter(
    'akv_csi_event_loop_active_seconds_total',
    'Time in which the event loop was not idle; its rate is the share of time that the provider was busy',
    () => performance.eventLoopUtilization().active / 1000,
  );

  function gauge(name: string, help: string, figure: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await figure());
      },
    });
  }

  function counter(name: string, help: string, figure: () => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(figure());
      },
    });
  }
}

/** Returns the number of open files; NaN on systems other than Linux, where it is not known. */
async function openFiles(): Promise<number> {
  try {
    // Reading the directory opens one of them.
    return (await readdir('/proc/self/fd')).length - 1;
  } catch {
    return Number.NaN;
  }
}
