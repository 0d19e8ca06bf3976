/**
 * Calls methods in child processes of the benchmark. `azure.ts` and `implementations.ts` start such processes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../src/base/errors.ts';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The methods of a helper process. Arguments and results are plain data. */
type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** The methods of a helper process as its parent calls them. */
export type Remote<M extends Methods> = {
  readonly [K in keyof M]: (...args: Parameters<M[K]>) => Promise<Awaited<ReturnType<M[K]>>>;
};

/** A helper process and its methods. */
export interface Helper<M extends Methods> {
  readonly remote: Remote<M>;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** Answers the calls of the parent process. Ends this process when the parent ends. */
export function answerCalls(methods: Methods): void {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ id, method, args }: Call) => {
    const reply = (outcome: Omit<Reply, 'id'>) => void process.send?.({ id, ...outcome });
    const work = async () => (methods[method] as ((...args: readonly unknown[]) => unknown) | undefined)?.(...args);
    work().then(
      (result) => reply({ result }),
      (error: unknown) => reply({ error: messageOf(error) }),
    );
  });
}

/** Starts a helper process. Its program is in the directory of this program. */
export function startHelper<M extends Methods>(name: string, args: readonly string[] = []): Helper<M> {
  const child = fork(fileURLToPath(new URL(`${name}.mjs`, import.meta.url)), args, { stdio: 'inherit' });
  const waiting = new Map<number, { settle: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  child.on('message', ({ id, result, error }: Reply) => {
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) waiter?.settle(result);
    else waiter?.reject(new Error(error));
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended`));
    waiting.clear();
  });
  const call = (method: string, args: readonly unknown[]) =>
    new Promise((settle, reject) => {
      const id = ++calls;
      waiting.set(id, { settle, reject });
      child.send({ id, method, args } satisfies Call);
    });
  const remote = new Proxy(
    {},
    {
      get:
        (_, method) =>
        (...args: unknown[]) =>
          call(String(method), args),
    },
  );
  return {
    remote: remote as Remote<M>,
    child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
