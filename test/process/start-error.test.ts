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

  const CASES: readonly (readonly [string, string, readonly string[], Readonly<Record<string, string>>, RegExp])[] = [
    ['serve', 'an unknown flag', ['--nonsense'], {}, /^unknown flag --nonsense/],
    ['serve', 'a wrong value', ['--cache-ttl=soon'], {}, /invalid value "soon"/],
    ['serve', 'an option of Node', [], { NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' }, /exposes the memory/],
    ['serve', 'an endpoint', ['--endpoint=nonsense'], {}, /nonsense/],
    [
      'serve',
      'a key file',
      ['--offline-cache-dir=/tmp/a', '--offline-cache-key-file=/no/key'],
      {},
      /^--offline-cache-key-file \/no\/key: /,
    ],
    ['serve', 'settings of traces', [], { OTEL_TRACES_EXPORTER: 'console' }, /^wrong settings of traces: /],
    ['webhook', 'an unknown flag', ['--nonsense'], {}, /^unknown flag --nonsense/],
    ['webhook', 'no certificate', ['--cert-dir=/no/dir'], {}, /\/no\/dir/],
  ];

  describe.each(['logfmt', 'JSON'])('says why on one line of %s', (format) => {
    it.each(CASES)('%s: %s', async (command, _, args, env, text) => {
      const flags = format === 'JSON' ? ['--log-format-json'] : [];
      const program = start([command, ...flags, ...args], { env });
      const { code } = await program.ended;
      expect([1, 2]).toContain(code);
      const said = program.output('stderr');
      expect(said).toMatch(/^[^\n]+\n$/);
      const line = format === 'JSON' ? JSON.parse(said) : Object.fromEntries(readLogfmt(said));
      expect(line).toEqual({
        ts: expect.any(String),
        level: 'error',
        msg: 'Cannot serve',
        error: expect.stringMatching(text),
      });
    });
  });
});
