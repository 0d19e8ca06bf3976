/** Every span that begins ends once, however its work ends. */
import { type Client, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import type { RequestSpan, Span, SpanAttributes, Tracer } from '../../src/base/trace.ts';
import type { MountHandler } from '../../src/mount/handler.ts';
import type { FetchContext } from '../../src/mount/ports.ts';
import type { CallEnd } from '../../src/server/guard.ts';
import { goName } from '../../src/server/status.ts';
import { type Lab, reader, secret, startLab, stranger } from '../support/azure.ts';
import { answer } from '../support/outage.ts';
import { eventually } from '../support/process.ts';
import { grpcClient, mount, oneFile, testServer } from '../support/server.ts';
import { CALLER } from './traces.ts';

interface Counted {
  readonly name: string;
  ends: number;
  error: unknown;
  attributes: SpanAttributes;
}

/** Returns a tracer that counts how often each span ends. */
function countingTracer() {
  const spans: Counted[] = [];
  const leaders = new WeakSet<object>();
  const begin = (name: string, above?: Span): Span => {
    const counted: Counted = { name, ends: 0, error: undefined, attributes: {} };
    spans.push(counted);
    const span: Span = {
      get mount(): Span {
        return above?.mount ?? span;
      },
      traceId: 'a'.repeat(32),
      start: (below) => begin(below, span),
      set(attributes) {
        counted.attributes = { ...counted.attributes, ...attributes };
      },
      event() {},
      lead: (signal) => void leaders.add(signal),
      follow() {},
      end(error) {
        counted.ends++;
        counted.error = error;
      },
    };
    return span;
  };
  const tracer: Tracer = {
    mount: () => begin('Mount'),
    request({ method, signal }) {
      if (signal === undefined || !leaders.has(signal)) return undefined;
      const span = begin(method);
      return { ...span, answered: () => span.end() } satisfies RequestSpan;
    },
  };
  /** Waits until all spans have ended. Returns them. */
  const ended = async () => {
    await eventually(() => spans.every(({ ends }) => ends > 0));
    expect(spans.filter(({ ends }) => ends !== 1)).toEqual([]);
    return spans;
  };
  return { tracer, spans, ended };
}

describe('the spans of a read end once', () => {
  const s1 = (lab: Lab, context: FetchContext) => lab.open(reader()).get(secret('s1'), context);
  it.each<[string, (lab: Lab, context: FetchContext, abort: AbortController) => Promise<unknown>]>([
    ['it succeeds', s1],
    ['the object is not there', (lab, context) => lab.open(reader()).get(secret('none'), context)],
    ['the identity has no role', (lab, context) => lab.open(stranger()).get(secret('s1'), context)],
    ['the secret of the identity is wrong', (lab, context) => lab.open(reader('wrong')).get(secret('s1'), context)],
    ['the vault cuts the connection', (lab, context) => faulty(lab, 'vault', { kind: 'drop' }, s1(lab, context))],
    ['the vault answers 403', (lab, context) => faulty(lab, 'vault', answer(403), s1(lab, context))],
    [
      'the caller leaves before',
      (lab, context, abort) => {
        abort.abort();
        return s1(lab, context);
      },
    ],
    [
      'the caller leaves during the login',
      (lab, context, abort) => hanging(lab, 'entra', abort, () => s1(lab, context)),
    ],
    [
      'the caller leaves during the read',
      (lab, context, abort) => hanging(lab, 'vault', abort, () => s1(lab, context)),
    ],
  ])('%s', async (_, work) => {
    const { tracer, spans, ended } = countingTracer();
    const lab = await startLab({ tracer });
    onTestFinished(() => lab.close());
    const abort = new AbortController();
    const span = tracer.mount(CALLER) as Span;
    await work(lab, lab.context({ span, signal: abort.signal }), abort).catch(() => {});
    span.end();
    expect((await ended()).length).toBe(spans.length);
    expect(spans.length).toBeGreaterThan(1);
  });
});

type Fault = Parameters<Lab['emulator']['faults']['add']>[0];

function faulty(lab: Lab, on: Fault['on'], action: Fault['action'], work: Promise<unknown>): Promise<unknown> {
  lab.emulator.faults.add({ on, count: 1, action });
  return work;
}

async function hanging(lab: Lab, on: 'entra' | 'vault', abort: AbortController, work: () => Promise<unknown>) {
  lab.emulator.faults.add({ on, action: { kind: 'hang' } });
  const working = work();
  working.catch(() => {});
  await eventually(() => lab.count(on) > 0);
  abort.abort();
  return working;
}

/** An answer that fits into no window of a connection, so that it takes the reader's help to send it. */
const large = async () => ({
  files: [{ path: 'f', mode: 0o644, contents: Buffer.alloc(3 * 1024 * 1024) }],
  objectVersions: [],
});

describe('the span of a Mount ends once, with the code that the metric has', () => {
  it.each<[string, string | undefined, MountHandler, Use]>([
    ['it succeeds', undefined, oneFile, once],
    ['the answer is large', undefined, large, once],
    ['it is refused', 'ERR_NOT_FOUND', refusing(new ProviderError('ERR_NOT_FOUND', 'none')), once],
    ['a defect', 'ERR_INTERNAL', refusing(new TypeError('defect')), once],
    [
      'the caller leaves while it runs',
      'ERR_CANCELLED',
      untilAborted,
      (client, begun) => leaving(client, 'begun', begun),
    ],
  ])('%s', async (_, errorCode, handler, use) => {
    const { root, code } = await run(use, handler);
    expect(code).not.toBeUndefined();
    expect(root?.attributes['rpc.response.status_code']).toBe(code);
    expect(root?.error).toEqual(errorCode === undefined ? undefined : expect.objectContaining({ code: errorCode }));
  });

  it('the caller leaves within the answer', async () => {
    const { root, code } = await run((client, begun) => leaving(client, 'answered', begun), large);
    // It may have left too late.
    expect(root?.attributes['rpc.response.status_code']).toBe(code);
    expect(root?.error === undefined).toBe(code === 'OK');
  });
});

/** Calls `Mount`. `begun` returns true when the server has the call. */
type Use = (client: Client, begun: () => boolean) => Promise<unknown>;

const once: Use = (client) => mount(client);

async function run(use: Use, handler: MountHandler) {
  const { tracer, spans, ended } = countingTracer();
  const codes: string[] = [];
  const meter = { callStarted() {}, callEnded: ({ code }: CallEnd) => void codes.push(code) };
  const server = await testServer({ mount: handler, tracer, meter });
  await use(grpcClient(`unix:${server.path}`), () => spans.length > 0).catch(() => {});
  await eventually(() => spans.length > 0 && codes.length > 0);
  const [root] = (await ended()).filter(({ name }) => name === 'Mount');
  const names = Object.keys(status).filter((name) => goName(status[name as keyof typeof status]) === codes[0]);
  return { root, code: names[0] };
}

function refusing(error: Error): MountHandler {
  return async () => {
    throw error;
  };
}

/** A Mount that ends when its caller leaves. */
const untilAborted: MountHandler = (_, { signal }) =>
  new Promise((__, reject) => {
    signal.addEventListener('abort', () => reject(new ProviderError('ERR_CANCELLED', 'left')));
  });

/** Calls, and leaves when the Mount has begun, or when the first bytes of the answer are there. */
function leaving(client: Client, when: 'begun' | 'answered', begun: () => boolean): Promise<unknown> {
  return mount(client, {
    started(call) {
      const emitter = call as unknown as NodeJS.EventEmitter;
      if (when === 'answered') emitter.once('metadata', () => call.cancel());
      else void eventually(begun).then(() => call.cancel());
    },
  });
}
