/**
 * Reads memory and CPU time of processes and makes control groups. The scenarios call it.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KIB = 1024;

/** Returns a field of `/proc/<pid>/status` in bytes, such as `VmRSS` (now), `VmHWM` (peak) or `RssAnon`. */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM' | 'RssAnon'): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * KIB;
}

/** Returns the CPU time of all threads of a process, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e9;
}

/** A control group for one implementation. */
export interface Cgroup {
  /** The file to which a process writes its id to join the group. */
  readonly procsFile: string;
  /** Returns the memory usage without the inactive page cache, in bytes. */
  workingSet(): number;
  /** Returns the maximum memory usage, including the page cache, in bytes. */
  peak(): number;
  /** Returns the memory that the kernel cannot drop: all but file pages, in bytes. */
  anonymous(): number;
  /** Returns how often a charge met the limit. Page cache alone makes it grow as well. */
  atLimit(): number;
  /** Returns the page faults that waited for the disk. Thousands of them mean that the group thrashes. */
  majorFaults(): number;
  /** Returns the number of processes that were killed for lack of memory. */
  killed(): number;
  remove(): void;
}

/** Makes a memory cgroup, of version 1 or 2. Returns undefined if the machine does not allow it. */
export function memoryCgroup(name: string, limitBytes?: number): Cgroup | undefined {
  return makeGroup('memory', name, (directory, unified) => {
    const read = (file: string) => readFileSync(join(directory, file), 'utf8');
    if (limitBytes !== undefined) {
      writeFileSync(join(directory, unified ? 'memory.max' : 'memory.limit_in_bytes'), String(limitBytes));
    }
    const line = (file: string, key: string) => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(read(file))?.[1]);
    const inactive = () => line('memory.stat', unified ? 'inactive_file' : 'total_inactive_file');
    const usage = () => Number(read(unified ? 'memory.current' : 'memory.usage_in_bytes'));
    usage();
    return {
      workingSet: () => usage() - inactive(),
      peak: () => Number(read(unified ? 'memory.peak' : 'memory.max_usage_in_bytes')),
      anonymous: () => line('memory.stat', unified ? 'anon' : 'total_rss'),
      atLimit: () => (unified ? line('memory.events', 'max') : Number(read('memory.failcnt'))),
      majorFaults: () => line('memory.stat', unified ? 'pgmajfault' : 'total_pgmajfault'),
      killed: () => line(unified ? 'memory.events' : 'memory.oom_control', 'oom_kill'),
    };
  });
}

/** Makes a CPU cgroup with a quota in thousandths of a core. Returns undefined if the machine does not allow it. */
export function cpuCgroup(name: string, millicores: number): Cgroup | undefined {
  return makeGroup('cpu', name, (directory, unified) => {
    const quota = millicores * 100;
    if (unified) writeFileSync(join(directory, 'cpu.max'), `${quota} 100000`);
    else writeFileSync(join(directory, 'cpu.cfs_quota_us'), String(quota));
    const none = () => Number.NaN;
    return { workingSet: none, peak: none, anonymous: none, atLimit: none, majorFaults: none, killed: none };
  });
}

type Readings = Omit<Cgroup, 'procsFile' | 'remove'>;

function makeGroup(
  controller: 'memory' | 'cpu',
  name: string,
  prepare: (directory: string, unified: boolean) => Readings,
): Cgroup | undefined {
  for (const { path, unified } of hierarchies(controller)) {
    const directory = join(path, `${name}-${process.pid}`);
    try {
      mkdirSync(directory);
    } catch {
      continue;
    }
    try {
      const readings = prepare(directory, unified);
      const procsFile = join(directory, 'cgroup.procs');
      appendFileSync(procsFile, '');
      return { procsFile, ...readings, remove: () => rmdirSync(directory) };
    } catch {
      rmdirSync(directory);
    }
  }
  return undefined;
}

/** Returns the possible parents of a group: this process's own group first, then the root of the hierarchy. */
function hierarchies(controller: string): readonly { path: string; unified: boolean }[] {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const [, controllers = '', own = ''] = line.split(':');
    const unified = controllers === '';
    if (!unified && !controllers.split(',').includes(controller)) return [];
    const root = unified ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controllers}`;
    return [join(root, own), root].map((path) => ({ path, unified }));
  });
}
