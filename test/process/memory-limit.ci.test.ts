// The memory limit of a cgroup, as the files of the kernel tell it to a container. The test puts files of its own in their
// place, in a mount namespace: a machine has one version of cgroups, and no limit for a test.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectProvider } from '../../src/driver/client.ts';
import { scratch, serve } from '../support/process.ts';

const MIB = 2 ** 20;
/** Mounts the files, and becomes the program that follows. Its process number stays, as the kernel's file is of that. */
const IN_GROUP = `set -e
mount -t tmpfs none /sys/fs/cgroup
cp -R "$FILES/groups/." /sys/fs/cgroup
mount --bind "$FILES/cgroup" /proc/$$/cgroup
exec "$@"`;
const BY = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', IN_GROUP, 'sh'];

/** What the kernel shows: the group of the process, and files below /sys/fs/cgroup. */
interface Shown {
  readonly group: string;
  readonly files: Readonly<Record<string, string | number>>;
}

const version2 = (group: string, max: string | number, high: string | number = 'max'): Shown => ({
  group: `0::${group}`,
  files: { [`${group}/memory.max`]: max, [`${group}/memory.high`]: high },
});
const NO_LIMIT_1 = '9223372036854771712';
/** A container sees the files of its group as those of the root, and the path that the group has on the node. */
const version1 = (limit: string | number): Shown => ({
  group: '4:memory:/kubepods/pod\n1:name=systemd:/',
  files: { 'memory/memory.limit_in_bytes': limit, 'memory/memory.soft_limit_in_bytes': NO_LIMIT_1 },
});

/** True if this process may make mount namespaces. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'none', '/sys/fs/cgroup']);
    return true;
  } catch {
    if (process.env.REQUIRE_TOOLS)
      throw new Error('this must be run as root on Linux with unshare; REQUIRE_TOOLS is set');
    console.warn('skipped: mount namespaces are for root on Linux with unshare');
    return false;
  }
}

describe.skipIf(!mayMount())('the memory budget of serve', () => {
  const start = ({ group, files }: Shown) => {
    const directory = scratch();
    const put = (path: string, text: string | number) => {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), `${text}\n`);
    };
    put('cgroup', group);
    for (const [path, text] of Object.entries(files)) put(`groups/${path}`, text);
    return serve(join(directory, 'a.sock'), { by: BY, env: { FILES: directory } });
  };

  it.each([
    ['a container of cgroup version 2, which sees its group as the root', version2('/', 108 * MIB), 10],
    ['a group of version 2 below the root', version2('/kubepods/pod', 108 * MIB), 10],
    ['version 2 with a lower memory.high', version2('/', 192 * MIB, 108 * MIB), 10],
    ['version 2 without a limit', version2('/kubepods/pod', 'max'), 12],
    ['a container of version 1, which does not see its group', version1(108 * MIB), 10],
    ['version 1 without a limit', version1(NO_LIMIT_1), 12],
  ])('follows the limit of %s', async (_where, shown, budget) => {
    const provider = await start(shown);
    expect(await provider.metric('akv_csi_memory_budget_bytes')).toBe(budget * MIB);
    expect((await provider.stop()).code).toBe(0);
  });

  it('is too small for a node under a limit that the log tells', async () => {
    const provider = await start(version2('/', 64 * MIB));
    const client = connectProvider(`unix://${provider.path}`);
    await client.version();
    client.close();
    await provider.until(/ level=warn msg="The memory limit of the container is too low: .* limit=64Mi least=\d+Mi\n/);
    expect((await provider.stop()).code).toBe(0);
  });
});
