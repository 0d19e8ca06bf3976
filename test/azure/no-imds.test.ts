import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, secret, startLab } from '../support/azure.ts';
import { clearImds, setImds } from '../support/imds.ts';

// This is a separate file, because the SDK reads the address of IMDS once per process.
let lab: Lab;
beforeAll(async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  await new Promise((resolve) => server.close(resolve));
  setImds(`http://127.0.0.1:${port}`);
  lab = await startLab();
});
afterAll(() => {
  clearImds();
  return lab.close();
});

describe('a managed identity on a machine without IMDS', () => {
  it.each(['', '88888888-8888-8888-8888-888888888888'])(
    '(client ID "%s") fails, naming phase, host and layer',
    async (clientId) => {
      const read = lab.open({ kind: 'managed-identity', clientId }).get(secret('s0'), lab.context());
      await expect(read).rejects.toMatchObject({
        code: 'ERR_UNREACHABLE',
        details: { phase: 'imds', host: expect.stringMatching(/^127\.0\.0\.1:/), remoteCode: 'ECONNREFUSED' },
        message: expect.stringMatching(/\(IMDS\) at 127\.0\.0\.1:\d+ did not answer: TCP failed, ECONNREFUSED/),
      });
      expect(lab.emulator.requests).toEqual([]);
    },
  );
});
