import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { scratch, serve, start } from '../support/process.ts';
import { mountOne, silentServer } from '../support/process-hanging.ts';

describe('a provider', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)('ends by %s, and its socket goes', async (signal) => {
    const directory = scratch();
    const provider = await serve(join(directory, 'a.sock'));
    expect(await provider.stop(signal)).toEqual({ code: 0, signal: null });
    // What is loaded after the start may have its line in between.
    expect(provider.output('stdout')).toMatch(
      new RegExp(` msg=Stopping signal=${signal} mountsInFlight=0\n[^]* msg=Stopped\n$`),
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  it('serves on after SIGUSR1 and SIGUSR2, and opens no inspector', async () => {
    const provider = await serve(join(scratch(), 'a.sock'));
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      provider.child.kill(signal);
      expect(await provider.health()).toEqual([200, 'ok']);
    }
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    // This includes messages of Node about its inspector.
    expect(provider.output('stderr')).toBe('');
  });

  it('is healthy while it stops, and ends at once after a second signal', async () => {
    const directory = scratch();
    const { cloudFile, reached } = await silentServer(directory);
    const path = join(directory, 'a.sock');
    const env = { AZURE_ENVIRONMENT_FILEPATH: cloudFile };
    const provider = await serve(path, { args: ['--cloud-name=AzureStackCloud'], env });
    const { failed } = mountOne(path);
    await reached;
    provider.child.kill('SIGTERM');
    await provider.until(/ msg=Stopping signal=SIGTERM mountsInFlight=1\n/);
    expect(await provider.health()).toEqual([200, 'stopping']);
    expect(readdirSync(directory)).not.toContain('a.sock');
    expect(await provider.stop('SIGINT')).toEqual({ code: 130, signal: null });
    expect(await failed).toBeDefined();
  });

  it('leaves no files behind if it is stopped during its start', async () => {
    for (const delay of [0, 50, 100, 150, 200, 250, 300]) {
      const directory = scratch();
      const endpoint = `unix://${join(directory, 'a.sock')}`;
      const program = start(['serve', '--endpoint', endpoint, '--healthz-port=0', '--prometheus-port=0']);
      await sleep(delay);
      const { code, signal } = await program.stop();
      // Node needs some time before any program can receive signals.
      expect([code, signal], `after ${delay} ms`).toEqual(code === 0 ? [0, null] : [null, 'SIGTERM']);
      expect(readdirSync(directory), `after ${delay} ms`).toEqual([]);
      expect(program.output('stderr')).toBe('');
    }
  });
});
