/**
 * What is done after a change: a command, a signal, a request. `cli/watch.ts` makes the steps of its options, and
 * `reload.ts` performs them. Modules of Node that only one kind of step needs are loaded with its first use.
 */

import { constants } from 'node:os';
import { messageOf, ProviderError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { runShell } from './command.ts';
import { type FoundProcess, signalByName, signalByPid } from './processes.ts';
import type { Change } from './volumes.ts';

/** One thing that is done after a change. */
export interface Step {
  /** The step in log lines, such as `run` or `signal`. */
  readonly name: string;
  /** Throws: ERR_SETUP or ERR_UNREACHABLE with the reason; the reason of the signal when it aborts. */
  perform(changes: readonly Change[], signal: AbortSignal): Promise<void>;
}

/** Runs a command by the shell. It must end with 0 within the time. */
export function commandStep(command: string, { log, timeoutMs }: { log: Logger; timeoutMs: number }): Step {
  return {
    name: 'run',
    async perform(changes, signal) {
      await runShell(command, { env: changedFiles(changes), timeoutMs, signal });
      log.info('Command succeeded', { command });
    },
  };
}

/** Sends a signal to the processes of a name. */
export function processStep(name: string, signal: NodeJS.Signals, log: Logger): Step {
  return signalStep(() => signalByName(name, signal), signal, log);
}

/** Sends a signal to one process, if it runs. */
export function programStep(pid: () => number | undefined, signal: NodeJS.Signals, log: Logger): Step {
  return signalStep(async () => [await signalByPid(pid() ?? 0, signal)], signal, log);
}

function signalStep(send: () => Promise<readonly FoundProcess[]>, signal: NodeJS.Signals, log: Logger): Step {
  return {
    name: 'signal',
    async perform() {
      for (const { name, pid } of await send()) log.info('Signal sent', { signal, process: name, pid });
    },
  };
}

/** Sends a request without a body. The answer must have a status of 2xx within the time. */
export function requestStep(
  url: URL,
  { method, log, timeoutMs }: { readonly method: string; readonly log: Logger; readonly timeoutMs: number },
): Step {
  const shown = `${url.origin}${url.pathname}`;
  const failed = (reason: string, cause?: unknown) =>
    new ProviderError('ERR_UNREACHABLE', `${method} ${shown}: ${reason}`, { cause });
  return {
    name: 'url',
    async perform(_changes, signal) {
      const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const status = await new Promise<number>((resolve, reject) => {
        const sent = request(
          url,
          { method, agent: false, signal: limit, headers: { 'content-length': 0 } },
          (answer) => {
            answer.destroy();
            resolve(answer.statusCode ?? 0);
          },
        );
        sent.once('error', (error) => {
          const reason = limit.aborted ? `no answer within ${timeoutMs / 1000} s` : messageOf(error);
          reject(signal.aborted ? signal.reason : failed(reason, error));
        });
        sent.end();
      });
      if (status < 200 || status > 299) throw failed(`the answer has the status ${status}`);
      log.info('Request succeeded', { method, url: shown, status });
    },
  };
}

/** Variables for commands: what has changed. A list that is too long for the environment of a process is cut. */
function changedFiles(changes: readonly Change[]): Readonly<Record<string, string>> {
  const paths = changes.flatMap(({ directory, added, changed, removed }) =>
    [...added, ...changed, ...removed].map((path) => `${directory}/${path}`),
  );
  return { AKV_CSI_CHANGED_FILES: [...new Set(paths)].join('\n').slice(0, MAX_VARIABLE) };
}

const MAX_VARIABLE = 64 * 1024;

/** Returns a signal by its name, with or without `SIG`, in any case; undefined for any other text. */
export function parseSignal(text: string): NodeJS.Signals | undefined {
  const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
  return Object.keys(constants.signals).includes(name) ? (name as NodeJS.Signals) : undefined;
}
