import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { commandStep, parseSignal, requestStep } from '../../src/watch/steps.ts';
import { eventually, scratch } from '../support/process.ts';

const log = silentLogger;
const never = new AbortController().signal;

describe('a request', () => {
  const sent: string[] = [];
  async function server(answer: RequestListener): Promise<URL> {
    sent.splice(0);
    const http = createServer((request, response) => {
      sent.push(`${request.method} ${request.url}`);
      answer(request, response);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      http.closeAllConnections();
      http.close();
    });
    return new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/reload?token=abc`);
  }
  const perform = (url: URL, timeoutMs = 60_000, signal = never) =>
    requestStep(url, { method: 'PUT', log, timeoutMs }).perform([], signal);

  it('is sent with its method, and an answer of 2xx is a success', async () => {
    const url = await server((_request, response) => response.writeHead(204).end());
    await expect(perform(url)).resolves.toBeUndefined();
    expect(sent).toEqual(['PUT /reload?token=abc']);
  });

  it.each([500, 404, 301])(
    'fails with the status %i, which the error names, and the query is not shown',
    async (status) => {
      const url = await server((_request, response) => response.writeHead(status, { location: '/other' }).end());
      await expect(perform(url)).rejects.toThrow(`PUT ${url.origin}/reload: the answer has the status ${status}`);
      expect(sent).toHaveLength(1);
    },
  );

  it('takes nothing of an answer without end', async () => {
    const url = await server((_request, response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', pour).on('error', () => {});
      pour();
    });
    await expect(perform(url)).resolves.toBeUndefined();
  });

  it('fails if there is no answer in time, and if nobody listens', async () => {
    const url = await server(() => {});
    await expect(perform(url, 50)).rejects.toThrow('no answer within 0.05 s');
    await expect(perform(new URL('http://127.0.0.1:1/'))).rejects.toThrow(/PUT http:\/\/127.0.0.1:1\/: .*ECONNREFUSED/);
  });

  it('ends with the signal', async () => {
    const end = new AbortController();
    const url = await server(() => end.abort(new Error('the end')));
    await expect(perform(url, 60_000, end.signal)).rejects.toThrow('the end');
  });
});

describe('a command', () => {
  const perform = (command: string, timeoutMs = 60_000, signal = never) =>
    commandStep(command, { log, timeoutMs }).perform(
      [{ directory: '/v', added: ['a'], changed: ['b/c'], removed: ['a'] }],
      signal,
    );

  it('is run by the shell, and knows the files that changed', async () => {
    const file = join(scratch(), 'out');
    await perform(`printf %s "$AKV_CSI_CHANGED_FILES" > ${file} && true`);
    expect(readFileSync(file, 'utf8')).toBe('/v/a\n/v/b/c');
  });

  it.each([
    ['exit 3', 'command "exit 3": it ended with 3'],
    ['kill -KILL $$', 'it ended with 137'],
    ['no-such-program-here 2>/dev/null', 'it ended with 127'],
  ])('%s fails', async (command, message) => {
    await expect(perform(command)).rejects.toThrow(message);
  });

  it('is ended with its children when its time is over, or with the signal', async () => {
    const file = join(scratch(), 'pid');
    const command = `sh -c 'echo $$ > ${file}; exec sleep 1000' & wait; sleep 1000`;
    const ended = () =>
      eventually(() => {
        try {
          return !process.kill(Number(readFileSync(file, 'utf8')), 0);
        } catch {
          return true;
        }
      });
    await expect(perform(command, 300)).rejects.toThrow('it took longer than 0.3 s and was ended');
    await ended();
    const end = new AbortController();
    const running = perform(command, 60_000, end.signal);
    end.abort(new Error('the end'));
    await expect(running).rejects.toThrow('the end');
    await ended();
  });
});

it.each([
  ['HUP', 'SIGHUP'],
  ['sighup', 'SIGHUP'],
  ['SIGUSR1', 'SIGUSR1'],
  ['1', undefined],
  ['', undefined],
  ['constructor', undefined],
])('the signal %j is %s', (text, signal) => {
  expect(parseSignal(text)).toBe(signal);
});
