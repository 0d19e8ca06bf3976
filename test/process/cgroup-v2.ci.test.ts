// The memory limit of a cgroup of version 2, as the files of the kernel tell it to a container. The test puts files of
// its own in their place, in a mount namespace: on a machine with version 1 the kernel has no memory.max.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectProvider } from '../../src/driver/client.ts';
import { scratch, serve } from '../support/process.ts';

const MIB = 2 ** 20;
/** Mounts the files, and becomes the program that follows. Its process number stays, as the kernel's file is of that. */
const IN_GROUP = `set -e
mount -t tmpfs none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup$GROUP"
cp "$FILES"/memory.* "/sys/fs/cgroup$GROUP"
mount --bind "$FILES/cgroup" /proc/$$/cgroup
exec "$@"`;
const BY = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', IN_GROUP, 'sh'];

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

describe.skipIf(!mayMount())('the memory budget of serve in a cgroup of version 2', () => {
  const start = (group: string, limit: string) => {
    const directory = scratch();
    const put = (name: string, text: string) => writeFileSync(join(directory, name), `${text}\n`);
    put('cgroup', `0::${group}`);
    put('memory.max', limit);
    put('memory.high', 'max');
    return serve(join(directory, 'a.sock'), { by: BY, env: { GROUP: group, FILES: directory } });
  };

  it.each([
    ['of a container, which sees its group as the root', '/', String(108 * MIB), 10],
    ['of a group below the root', '/kubepods/pod', String(108 * MIB), 10],
    ['without a limit', '/kubepods/pod', 'max', 12],
  ])('is right %s', async (_where, group, limit, budget) => {
    const provider = await start(group, limit);
    expect(await provider.metric('akv_csi_memory_budget_bytes')).toBe(budget * MIB);
    expect((await provider.stop()).code).toBe(0);
  });

  it('is too small for a node under a limit that the log tells', async () => {
    const provider = await start('/', String(64 * MIB));
    const client = connectProvider(`unix://${provider.path}`);
    await client.version();
    client.close();
    await provider.until(/ level=warn msg="The memory limit of the container is too low: .* limit=64Mi least=\d+Mi\n/);
    expect((await provider.stop()).code).toBe(0);
  });
});
