import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { csiDriverProvider, type MountResponse } from '../../src/wire/contract.ts';
import { goProgram } from '../support/go.ts';
import { mountRequest, oneFile, temporaryDirectory, testServer } from '../support/server.ts';

interface Outcome {
  readonly code: string;
  readonly message: string;
  readonly reply: string;
}

const mountBytes = csiDriverProvider.Mount.requestSerialize(mountRequest).toString('hex');

/** Calls `Mount` repeatedly over one connection. */
async function mounts(program: string, target: string, ...flags: string[]): Promise<Outcome[]> {
  const method = '/v1alpha1.CSIDriverProvider/Mount';
  const args = ['-target', target, '-method', method, '-request', mountBytes, ...flags];
  const { stdout } = await promisify(execFile)(program, args);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
}

function filesOf({ reply }: Outcome): MountResponse['files'] {
  const response: MountResponse | undefined = csiDriverProvider.Mount?.responseDeserialize(Buffer.from(reply, 'hex'));
  return response?.files ?? [];
}

describe.each([
  ['drivers up to v1.5.6 (grpc-go 1.56, bare path)', 'go.mod', (path: string) => path],
  ['driver v1.6.0 (grpc-go 1.79, unix:)', 'driver-1.6.mod', (path: string) => `unix:${path}`],
])('the client of %s', (_name, modFile, targetOf) => {
  const program = goProgram('go-client', modFile);

  describe.skipIf(program === '')('built with go', () => {
    test('mounts, again and again over one connection', async () => {
      const { path } = await testServer();
      const outcomes = await mounts(program, targetOf(path), '-count', '20');
      expect(outcomes).toHaveLength(20);
      for (const outcome of outcomes) {
        expect(outcome.code).toBe('OK');
        expect(filesOf(outcome)).toEqual([{ path: 'db-password', mode: 0o644, contents: Buffer.from('hunter2') }]);
      }
    });

    test('gets code and message of a failure, and asks once', async () => {
      const message = 'Cannot read secret "пароль":\n403 ForbiddenByRbac; 100 % sure';
      let asked = 0;
      const { path } = await testServer({
        mount: async () => {
          asked++;
          throw new ProviderError('ERR_FORBIDDEN', message);
        },
      });
      const [outcome] = await mounts(program, targetOf(path));
      expect(outcome).toEqual({ code: 'PermissionDenied', message, reply: '' });
      expect(asked).toBe(1);
    });

    test('tells a provider when it gives up', async () => {
      let abort = () => {};
      const aborted = new Promise<void>((resolve) => {
        abort = resolve;
      });
      let begun = false;
      const { path } = await testServer({
        mount: (_input, { signal }) =>
          new Promise((_resolve, reject) => {
            begun = true;
            signal.addEventListener('abort', () => {
              abort();
              reject(new ProviderError('ERR_CANCELLED', 'cancelled'));
            });
          }),
      });
      // On a busy machine, the caller may cancel before the call has arrived.
      while (!begun) await mounts(program, targetOf(path), '-timeout', '200ms');
      await aborted;
    });

    test('does not notice that providers succeed one another', async () => {
      const path = join(temporaryDirectory(), 'azure.sock');
      let served = 0;
      const mount: typeof oneFile = (input, context) => {
        served++;
        return oneFile(input, context);
      };
      let current = await testServer({ path, mount, drainMs: 5000 });
      let calling = true;
      const outcomes = mounts(program, targetOf(path), '-count', '600').finally(() => {
        calling = false;
      });
      let generations = 0;
      for (let seen = 0; calling; seen = served) {
        const next = await testServer({ path, mount, drainMs: 5000 });
        await current.stop();
        current = next;
        generations++;
        while (calling && served < seen + 100) await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await outcomes).map(({ code }) => code)).toEqual(Array.from({ length: 600 }, () => 'OK'));
      expect(generations).toBeGreaterThan(2);
    });
  });
});
