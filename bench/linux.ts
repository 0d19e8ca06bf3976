import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KIB = 1024;

/** A field of `/proc/<pid>/status`, such as `VmRSS` (now), `VmHWM` (peak), `RssAnon`, in bytes. */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM' | 'RssAnon'): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * KIB;
}

/** CPU time that the threads of a process have used, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e9;
}

/** A control group made for one contestant. */
export interface Cgroup {
  /** File to which a process writes its id to belong to the group. */
  readonly procsFile: string;
  /** What counts as used up: usage without the page cache that can be dropped; bytes. */
  workingSet(): number;
  /** Most that was used at a time, page cache included; bytes. */
  peak(): number;
  remove(): void;
}

/** A memory cgroup, of version 1 or 2; undefined where the machine allows none. */
export function memoryCgroup(name: string): Cgroup | undefined {
  return makeGroup('memory', name, (directory, unified) => {
    const read = (file: string) => readFileSync(join(directory, file), 'utf8');
    const inactive = () => {
      const key = unified ? 'inactive_file' : 'total_inactive_file';
      return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(read('memory.stat'))?.[1]);
    };
    const usage = () => Number(read(unified ? 'memory.current' : 'memory.usage_in_bytes'));
    usage();
    return {
      workingSet: () => usage() - inactive(),
      peak: () => Number(read(unified ? 'memory.peak' : 'memory.max_usage_in_bytes')),
    };
  });
}

/** A CPU cgroup with a quota in thousandths of a core; undefined where the machine allows none. */
export function cpuCgroup(name: string, millicores: number): Cgroup | undefined {
  return makeGroup('cpu', name, (directory, unified) => {
    const quota = millicores * 100;
    if (unified) writeFileSync(join(directory, 'cpu.max'), `${quota} 100000`);
    else writeFileSync(join(directory, 'cpu.cfs_quota_us'), String(quota));
    return { workingSet: () => Number.NaN, peak: () => Number.NaN };
  });
}

type Readings = Pick<Cgroup, 'workingSet' | 'peak'>;

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

/** Where groups of a controller may be made: below this process's own, else below the root of the hierarchy. */
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
