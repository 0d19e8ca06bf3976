/**
 * Implements the gRPC services: `Version` and `Mount` of the provider, and the health check. `server.ts` adds them to
 * the server. Every failure of a Mount leaves as a status of `status.ts`.
 */

import {
  Metadata,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { systemClock } from '../base/clock.ts';
import { discard } from '../base/discard.ts';
import { framesOf, messageOf, ProviderError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CallerTrace, Span, Tracer } from '../base/trace.ts';
import type { AnswerMemory, MountHandler } from '../mount/handler.ts';
import {
  CONTRACT_VERSION,
  csiDriverProvider,
  health,
  type MountRequest,
  type MountResponse,
  type VersionResponse,
} from '../wire/contract.ts';
import { NOTE_TRAILER } from '../wire/names.ts';
import { AnswerTurns } from './answer-turns.ts';
import { statusOf } from './status.ts';
import { INSTANCE_HEADER } from './version-call.ts';

/** The name in the official provider's answer to `Version`; tools recognise the provider by it. */
const RUNTIME_NAME = 'secrets-store-csi-driver-provider-azure';

/** Options of {@link addServices}. */
export interface ServiceOptions {
  readonly mount: MountHandler;
  /** The version of this program, without a leading `v`. */
  readonly version: string;
  /** See `RunningServer`. */
  readonly instance: string;
  readonly log: Logger;
  /** Makes a span of each Mount. Default: there is none. */
  readonly tracer?: Tracer | undefined;
  /** See `CallGuard`. */
  readonly codeOf: (headers: Metadata) => status | undefined;
}

/** `Mount` as this server encodes it: an answer is encoded once, and then its files are discarded. */
const mountMethod: typeof csiDriverProvider.Mount = {
  ...csiDriverProvider.Mount,
  responseSerialize(answer) {
    const data = csiDriverProvider.Mount.responseSerialize(answer);
    for (const { contents } of answer.files) discard(contents);
    // grpc-js copies the encoded answer into a frame before it returns.
    queueMicrotask(() => discard(data));
    return data;
  },
};

/** Adds `v1alpha1.CSIDriverProvider` and `grpc.health.v1.Health` to `server`. */
export function addServices(server: Server, options: ServiceOptions): void {
  server.addService({ ...csiDriverProvider, Mount: mountMethod }, providerService(options));
  server.addService(health, healthService);
}

const UNCHARGED: AnswerMemory = { bytes: 0, release() {} };
/** The time that an answer may take to reach its connection. Then others follow; its memory stays charged. */
const TURN_MS = 1000;

function providerService({
  mount,
  version,
  instance,
  log,
  tracer,
  codeOf,
}: ServiceOptions): UntypedServiceImplementation {
  const answer: VersionResponse = {
    version: CONTRACT_VERSION,
    runtimeName: RUNTIME_NAME,
    runtimeVersion: `v${version}`,
  };
  const turns = new AnswerTurns();
  return {
    Version(call: ServerUnaryCall<unknown, VersionResponse>, respond: sendUnaryData<VersionResponse>) {
      const headers = new Metadata();
      headers.set(INSTANCE_HEADER, instance);
      call.sendMetadata(headers);
      respond(null, answer);
    },
    Mount(call: ServerUnaryCall<MountRequest, MountResponse>, respond: sendUnaryData<MountResponse>) {
      const span = tracer?.mount(callerOf(call.metadata));
      runMount(mount, call, span)
        .then(
          ({ response, note, memory }) =>
            sendInTurn(turns, { call, memory, span, codeOf, send: () => respond(null, response, trailerOf(note)) }),
          (thrown: unknown) => {
            const error = thrown instanceof ProviderError ? thrown : defectError(thrown, log);
            const refusal = statusOf(error);
            respond(refusal);
            // A caller that has left gets no status.
            endMount(span, codeOf(call.metadata) ?? refusal.code, error);
          },
        )
        .catch((thrown: unknown) => log.error('Cannot answer a Mount', { error: messageOf(thrown) }));
    },
  };
}

async function runMount(
  mount: MountHandler,
  call: ServerUnaryCall<MountRequest, MountResponse>,
  span: Span | undefined,
): Promise<{ readonly response: MountResponse; readonly note: string | undefined; readonly memory: AnswerMemory }> {
  const { attributes, secrets, permission, targetPath } = call.request;
  const abort = new AbortController();
  const cancel = () => abort.abort();
  call.once('cancelled', cancel);
  // gRPC turns the time limit of the caller into a date.
  const timeoutMs = Number(call.getDeadline()) - systemClock.wall();
  try {
    const { files, objectVersions, note, memory } = await mount(
      { attributes, secrets, permission, targetPath },
      { timeoutMs, signal: abort.signal, span },
    );
    return { response: { objectVersion: objectVersions, files }, note, memory: memory ?? UNCHARGED };
  } finally {
    // grpc-js reports every call as cancelled after its answer.
    call.off('cancelled', cancel);
  }
}

/** Returns the trailer of an answer with last known values. The driver reads no trailers; `akv-csi mount` prints it. */
function trailerOf(note: string | undefined): Metadata | undefined {
  if (note === undefined) return undefined;
  const trailer = new Metadata();
  // gRPC allows no other characters.
  trailer.set(NOTE_TRAILER, note.replace(/[^ -~]/g, '?'));
  return trailer;
}

interface Sending extends Pick<ServiceOptions, 'codeOf'> {
  readonly call: ServerUnaryCall<MountRequest, MountResponse>;
  readonly memory: AnswerMemory;
  readonly span: Span | undefined;
  readonly send: () => void;
}

/** Sends an answer in its turn. When the connection has all of it, the next one follows, and its memory is given back. */
async function sendInTurn(turns: AnswerTurns, { call, memory, span, codeOf, send }: Sending): Promise<void> {
  const sending = span?.start('answer');
  const endAnswer = () => {
    const code = codeOf(call.metadata) ?? status.CANCELLED;
    const error = code === status.OK ? undefined : UNSENT;
    sending?.end(error);
    endMount(span, code, error);
  };
  const leave = await turns.enter(memory.bytes);
  if (call.cancelled) {
    leave();
    memory.release();
    endAnswer();
    return;
  }
  const timer = setTimeout(leave, TURN_MS);
  // grpc-js reports every call as cancelled when its stream has ended.
  call.once('cancelled', () => {
    clearTimeout(timer);
    leave();
    memory.release();
    endAnswer();
  });
  send();
}

const UNSENT = new ProviderError('ERR_CANCELLED', 'The call ended before its answer was sent');

/** Ends the span of a Mount with the code of its status. */
function endMount(span: Span | undefined, code: status, error?: ProviderError): void {
  span?.set({ 'rpc.response.status_code': status[code] });
  span?.end(error);
}

/** Returns the span of the caller, as its headers name it. */
function callerOf(metadata: Metadata): CallerTrace {
  const text = (name: string) => metadata.get(name)[0]?.toString();
  return { traceparent: text('traceparent'), tracestate: text('tracestate') };
}

/**
 * Anything but a `ProviderError` is a defect of this program. Its message is not in the answer or the log, because it
 * may quote the text that could not be parsed, as messages of `JSON.parse` do.
 */
function defectError(thrown: unknown, log: Logger): ProviderError {
  const error = thrown instanceof Error ? thrown : undefined;
  log.error('Mount failed by a defect of the provider', {
    kind: error?.name ?? typeof thrown,
    stack: framesOf(thrown).join('\n'),
  });
  return new ProviderError(
    'ERR_INTERNAL',
    'The provider failed by a defect of its own; its log says where. Please report it with that log line',
  );
}

/** Answers SERVING for every service name, as the official provider does: any answer proves that the process runs. */
const healthService: UntypedServiceImplementation = {
  Check(_call: unknown, respond: sendUnaryData<{ status: string }>) {
    respond(null, { status: 'SERVING' });
  },
  List(_call: unknown, respond: sendUnaryData<never>) {
    respond({ code: status.UNIMPLEMENTED, details: 'List is not supported' });
  },
  Watch(call: ServerWritableStream<unknown, never>) {
    call.emit('error', { code: status.UNIMPLEMENTED, details: 'Watch is not supported' });
  },
};
