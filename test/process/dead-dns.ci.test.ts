import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Provider, scratch, serve } from '../support/process.ts';
import { cloudOf, mountOne } from '../support/process-hanging.ts';
import { has, toolDirectory } from '../support/tools.ts';

/** A configuration with a name server that never answers, so that a thread of Node waits for a minute. */
const RESOLVER = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  if (node && strstr(node, "silent")) { write(2, "ASKED\\n", 6); for (;;) pause(); }
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
  return next(node, service, hints, found);
}`;

const compiler = has('cc', '--version');
const canReplace = 'execve' in process;
const namespaces = canReplace && has('unshare', '--pid', '--fork', '--mount-proc', 'true');
/** If Node cannot replace its process, the process ends by the signal. */
const END = canReplace ? { code: 0, signal: null } : { code: null, signal: 'SIGTERM' };

const clientId = (number: number) => `22222222-2222-2222-2222-22222222222${number}`;

describe.skipIf(!compiler)('a provider whose name server does not answer', () => {
  const shop = toolDirectory();
  const library = join(shop.dir, 'resolver.so');
  const compile = () => {
    shop.put('resolver.c', RESOLVER);
    shop.run('cc', '-shared', '-fPIC', '-o', library, 'resolver.c', '-ldl');
  };

  async function provider(by: readonly string[] = []): Promise<Provider> {
    compile();
    const directory = scratch();
    const cloudFile = join(directory, 'cloud.json');
    writeFileSync(cloudFile, cloudOf({ login: 'login.silent.example', vaults: 'vault.silent.example' }));
    const env = { AZURE_ENVIRONMENT_FILEPATH: cloudFile, LD_PRELOAD: library };
    return serve(join(directory, 'a.sock'), { args: ['--cloud-name=AzureStackCloud'], env, by });
  }

  it('ends the Mount that waits, and the process', async () => {
    const { path, until, stop, output } = await provider();
    const { failed } = mountOne(path);
    await until(/ASKED/);
    expect(await stop()).toEqual(END);
    expect(await failed).toMatchObject({ code: 2, details: expect.stringContaining('the provider is stopping') });
    expect(output('stdout')).toMatch(/ msg=Stopped\n$/);
  });

  it('ends while many Mounts wait for it', async () => {
    const { path, until, stop, output } = await provider();
    const mounts = Array.from({ length: 8 }, (_, number) =>
      mountOne(path, { secrets: { clientid: clientId(number) } }),
    );
    // A name server may block two of Node's four threads.
    await until(/ASKED[\s\S]*ASKED/);
    expect(await stop()).toEqual(END);
    for (const { failed } of mounts) {
      expect(await failed).toMatchObject({ details: expect.stringContaining('the provider is stopping') });
    }
    expect(output('stdout')).toMatch(/ msg=Stopped\n$/);
  });

  it('ends after a Mount whose caller has gone', async () => {
    const { path, until, stop } = await provider();
    const { failed, cancel } = mountOne(path);
    await until(/ASKED/);
    cancel();
    await failed;
    expect(await stop()).toEqual(END);
  });

  it.skipIf(!namespaces)('ends as process 1 of a container, which no signal of its own ends', async () => {
    const { child, path, until, ended } = await provider(['unshare', '--pid', '--fork', '--mount-proc']);
    const { failed } = mountOne(path);
    await until(/ASKED/);
    const inner = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
    process.kill(inner, 'SIGTERM');
    expect(await ended).toEqual(END);
    await failed;
  });
});
