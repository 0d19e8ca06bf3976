/**
 * Decides how every call ends: with a final code, and reported to the metrics. `server.ts` puts it between gRPC and the
 * handlers.
 *
 * grpc-js makes statuses of its own (an expired deadline, a message that is too large, one that cannot be decoded). It
 * sends them through `sendStatus` of its innermost call object, which the responders of interceptors do not see. The
 * first interceptor gets that object, so the guard replaces this one method: every status of a call passes through it,
 * those of the handlers included.
 */

import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type CallStatus, ERROR_CODE_TRAILER, finalStatus, goName } from './status.ts';

/** The end of one call. */
export interface CallEnd {
  /** Full name, `/v1alpha1.CSIDriverProvider/Mount`. */
  readonly method: string;
  /** The gRPC code in Go's spelling; `Canceled` if the caller cancelled before the answer. */
  readonly code: string;
  /** The provider's error code; empty for a call that succeeded or was ended by gRPC. */
  readonly errorCode: string;
  readonly seconds: number;
}

/** Gets the start and the end of each call. */
export interface CallMeter {
  callStarted(method: string): void;
  callEnded(end: CallEnd): void;
}

/** The guard of one server. */
export interface CallGuard {
  readonly interceptor: ServerInterceptor;
  /** The number of calls whose request is complete and whose answer is not. */
  inFlight(): number;
  /** The code with which the call of these headers ended; undefined while it is open. */
  codeOf(headers: Metadata): status | undefined;
  /** Ends every open call with UNKNOWN and this message, also those whose request is incomplete. */
  endAll(message: string): void;
}

interface OpenCall {
  readonly method: string;
  readonly startedAt: number;
  running: boolean;
  headers: Metadata | undefined;
  end(status: CallStatus): void;
}

/** Guards calls, and reports each to `meter` and at debug level to `log`. */
export function guardCalls(meter: CallMeter, log: Logger): CallGuard {
  const open = new Set<OpenCall>();
  const codes = new WeakMap<Metadata, status>();
  let inFlight = 0;

  const ended = (call: OpenCall, code: status, errorCode: string) => {
    if (!open.delete(call)) return;
    if (call.headers !== undefined) codes.set(call.headers, code);
    if (call.running) inFlight--;
    const end = {
      method: call.method,
      code: goName(code),
      errorCode,
      seconds: (performance.now() - call.startedAt) / 1000,
    };
    meter.callEnded(end);
    log.debug('gRPC call ended', { ...end });
  };

  const interceptor: ServerInterceptor = ({ path }, inner) => {
    const call: OpenCall = {
      method: path,
      startedAt: performance.now(),
      running: false,
      headers: undefined,
      end: takeOver(inner, log, (sent) => {
        ended(call, sent.code, String(sent.metadata?.get(ERROR_CODE_TRAILER)[0] ?? ''));
      }),
    };
    const listener = new ServerListenerBuilder()
      // A call that was cancelled before has no metadata, and grpc-js never reports its end.
      .withOnReceiveMetadata((metadata, next) => {
        open.add(call);
        call.headers = metadata;
        meter.callStarted(path);
        next(metadata);
      })
      .withOnReceiveHalfClose((next) => {
        if (open.has(call)) {
          call.running = true;
          inFlight++;
        }
        next();
      })
      .withOnCancel(() => ended(call, status.CANCELLED, ''))
      .build();
    return new ServerInterceptingCall(inner, new ResponderBuilder().withStart((next) => next(listener)).build());
  };

  return {
    interceptor,
    inFlight: () => inFlight,
    codeOf: (headers) => codes.get(headers),
    endAll(message) {
      for (const call of [...open]) call.end({ code: status.UNKNOWN, details: message, metadata: null });
    },
  };
}

/** Makes every status of `inner` final and reports it to `onSent`; returns a function that sends a status. */
function takeOver(
  inner: ServerInterceptingCallInterface,
  log: Logger,
  onSent: (sent: CallStatus) => void,
): (status: CallStatus) => void {
  const send = inner.sendStatus.bind(inner);
  const guarded: ServerInterceptingCallInterface['sendStatus'] = ({ code, details, metadata }) => {
    const final = finalStatus({ code, details: details ?? '', metadata: metadata ?? null });
    try {
      send(final);
    } catch (error) {
      // grpc-js calls this from timers and promises, where an exception would end the process.
      log.error('Cannot send the status of a call', { error: messageOf(error) });
    }
    onSent(final);
  };
  inner.sendStatus = guarded;
  return guarded;
}
