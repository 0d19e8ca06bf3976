import { closeSync, createReadStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, type Sink, scratch, serve } from '../support/process.ts';
import { call, grpcClient } from '../support/server.ts';

const REFUSED = { attributes: '{}', secrets: '{}', permission: '420', targetPath: '/x' };

/** Calls Mounts that the provider refuses with one line on standard error each. */
async function refusedMounts(path: string, count: number): Promise<number[]> {
  const client = grpcClient(`unix:${path}`, { 'grpc.default_authority': 'localhost' });
  const codes: number[] = [];
  for (let made = 0; made < count; made++) {
    codes.push(
      await call(client, 'Mount', REFUSED).then(
        () => 0,
        ({ code }: { code: number }) => code,
      ),
    );
  }
  return codes;
}

describe('a provider whose log cannot be written', () => {
  it.each([
    ['stderr', 'reader gone'],
    ['stderr', 'disk full'],
    ['stdout', 'reader gone'],
    ['stdout', 'disk full'],
  ] as const)('serves on, counts what is lost and ends when told: %s, %s', async (stream, sink: Sink) => {
    const provider = await serve(join(scratch(), 'a.sock'), { [stream]: sink, args: ['--v=2'] });
    const dropped = () => provider.metric(`akv_csi_log_lines_dropped_total{stream="${stream}"}`);
    // The first Mount loads the half of the program that talks to Azure, which may log its settings.
    await refusedMounts(provider.path, 1);
    const before = await dropped();
    expect(await refusedMounts(provider.path, 3)).toEqual([3, 3, 3]);
    // One lost line for each Mount. No lines are written about lost lines.
    expect((await dropped()) - before).toBe(stream === 'stderr' ? 3 : 0);
    if (stream === 'stdout') expect(before).toBeGreaterThan(0);
    expect(await provider.health()).toEqual([200, 'ok']);
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
  });

  it('says once how much was lost when it can be written again', async () => {
    const directory = scratch();
    const { fifo, provider } = await serveInto(directory);
    expect(await refusedMounts(provider.path, 3)).toEqual([3, 3, 3]);
    const reader = openSync(fifo, 'r+');
    let text = '';
    const stream = createReadStream(fifo, { fd: reader, autoClose: false, encoding: 'utf8' });
    stream.on('data', (chunk) => {
      text += chunk;
    });
    await refusedMounts(provider.path, 2);
    await eventually(() => text.split('\n').length > 3);
    expect(text.match(/ level=warn msg="Log lines were lost[^"]*" stream=stderr lines=3 reason=EPIPE\n/g)).toHaveLength(
      1,
    );
    expect(text.match(/ level=error /g)).toHaveLength(2);
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    stream.destroy();
    closeSync(reader);
  });
});

/** Starts a provider whose standard error is a named pipe that no process reads yet. */
async function serveInto(directory: string) {
  const fifo = join(directory, 'log');
  const provider = await serve(join(directory, 'a.sock'), {
    by: ['sh', '-ec', 'mkfifo "$0"; exec 3<>"$0"; exec 2>"$0" 3<&-; exec "$@"', fifo],
  });
  return { fifo, provider };
}
