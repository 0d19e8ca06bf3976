import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readLogfmt } from '../support/logfmt.ts';
import { scratch, start } from '../support/process.ts';

/** Returns a port that is in use. */
async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('a start that fails', () => {
  it.each([
    ['logfmt', []],
    ['JSON', ['--log-format-json']],
  ])('says why in the format of the log: %s', async (format, flags) => {
    const path = join(scratch(), 'a.sock');
    const port = await takenPort();
    const ports = ['--healthz-port', String(port), '--prometheus-port', '0'];
    const provider = start(['serve', '--endpoint', `unix://${path}`, ...ports, ...flags]);
    expect(await provider.ended).toEqual({ code: 2, signal: null });
    const text = provider.output('stderr');
    const line = format === 'JSON' ? JSON.parse(text) : Object.fromEntries(readLogfmt(text));
    expect(line).toEqual({
      ts: expect.any(String),
      level: 'error',
      msg: 'Cannot serve',
      error: expect.stringContaining(`Cannot listen on port ${port}`),
    });
  });

  it.each(['healthz', 'prometheus'])('says so of an address that the machine does not have: %s', async (name) => {
    const ports = ['--healthz-port=0', '--prometheus-port=0', `--${name}-host=192.0.2.1`];
    const provider = start(['serve', '--endpoint', `unix://${join(scratch(), 'a.sock')}`, ...ports]);
    expect(await provider.ended).toEqual({ code: 2, signal: null });
    expect(provider.output('stderr')).toContain('of 192.0.2.1 for');
  });

  it('says so of an endpoint', async () => {
    const provider = start(['serve', '--endpoint', 'nonsense']);
    expect(await provider.ended).toEqual({ code: 2, signal: null });
    expect(Object.fromEntries(readLogfmt(provider.output('stderr')))).toMatchObject({
      msg: 'Cannot serve',
      error: expect.stringContaining('nonsense'),
    });
  });

  it('says so in words where the flags cannot be read', async () => {
    const provider = start(['serve', '--nonsense']);
    expect(await provider.ended).toEqual({ code: 2, signal: null });
    expect(provider.output('stderr')).toMatch(/^akv-csi: .*nonsense.*\n/);
  });
});
