/**
 * Calls a provider over gRPC as the driver does. `mount`, the demo and the benchmark call it. Refuses unknown endpoints.
 */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type requestCallback,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { systemClock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import {
  CONTRACT_VERSION,
  csiDriverProvider,
  type MountRequest,
  type MountResponse,
  type VersionResponse,
} from '../wire/contract.ts';
import { NOTE_TRAILER, PROVIDER_SERVICE } from '../wire/names.ts';

/** The maximum size of a response in bytes: the driver's default. */
export const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;

/** The kubelet's timeout for a first mount and for a republish. */
export const KUBELET_DEADLINE_MS = 120_000;

/** Options of one call. */
export interface CallOptions {
  /** Timeout of the caller. If absent, there is none, as in the rotation of drivers up to v1.5. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** A provider that answers Mount calls, over a socket or in this process. */
export interface MountTarget {
  mount(request: MountRequest, options?: CallOptions): Promise<MountResponse>;
}

/** A connection to a provider. Calls reject with the `ServiceError` of gRPC; `code` and `details` are unchanged. */
export interface ProviderClient extends MountTarget {
  version(options?: CallOptions): Promise<VersionResponse>;
  close(): void;
}

/** The driver's service config: calls wait for the provider and are repeated only while it is unavailable. */
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [{ service: PROVIDER_SERVICE }],
      waitForReady: true,
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '1s',
        maxBackoff: '10s',
        backoffMultiplier: 1.1,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
});

/**
 * Connects as the driver does, with its service config and its limit for responses.
 * `endpoint` is `unix:///path`, `unix:path` or `tcp://host:port`. `onNote` gets what this program says of an answer beside
 * it: that it has last known values.
 * Throws: ERR_USAGE for another endpoint, ERR_UNREACHABLE if the socket file does not exist.
 */
export function connectProvider(endpoint: string, onNote: (note: string) => void = () => {}): ProviderClient {
  const { Version, Mount } = csiDriverProvider;
  const client = new Client(addressOf(endpoint), credentials.createInsecure(), {
    'grpc.service_config': SERVICE_CONFIG,
    'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
    'grpc.use_local_subchannel_pool': 1,
  });
  return {
    version: (options = {}) => unary(client, { method: Version, request: { version: CONTRACT_VERSION }, ...options }),
    mount: (request, options = {}) => unary(client, { method: Mount, request, onNote, ...options }),
    close: () => client.close(),
  };
}

function addressOf(endpoint: string): string {
  const [, scheme, rest] = /^(unix|tcp):(.+)$/.exec(endpoint) ?? [];
  if (scheme === 'tcp' && rest?.startsWith('//')) return rest.slice(2);
  if (scheme !== 'unix' || rest === undefined) {
    throw new ProviderError(
      'ERR_USAGE',
      `endpoint "${endpoint}" is not supported; write unix:///path/to/azure.sock or tcp://host:port`,
    );
  }
  const path = resolve(rest.replace(/^\/\/(?=.)/, ''));
  if (!existsSync(path)) {
    throw new ProviderError(
      'ERR_UNREACHABLE',
      `provider not found: there is no socket ${path}; start the provider or correct the endpoint`,
    );
  }
  return `unix:${path}`;
}

interface UnaryCall<Request, Response> extends CallOptions {
  readonly method: Pick<MethodDefinition<Request, Response>, 'path' | 'requestSerialize' | 'responseDeserialize'>;
  readonly request: Request;
  readonly onNote?: (note: string) => void;
}

function unary<Request, Response>(
  client: Client,
  { method, request, onNote, deadlineMs, signal }: UnaryCall<Request, Response>,
): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = method;
  // grpc-js reads waitForReady from the service config, but uses only the value in the metadata.
  const metadata = new Metadata({ waitForReady: true });
  const options = deadlineMs === undefined ? {} : { deadline: systemClock.wall() + deadlineMs };
  return new Promise((settle, reject) => {
    const done: requestCallback<Response> = (error: ServiceError | null, response?: Response) => {
      signal?.removeEventListener('abort', cancel);
      if (error !== null) reject(error);
      else if (response === undefined) reject(new Error(`${path} returned no response`));
      else settle(response);
    };
    const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
    call.on('status', ({ metadata: trailer }: StatusObject) => {
      for (const note of trailer.get(NOTE_TRAILER)) onNote?.(String(note));
    });
    const cancel = () => call.cancel();
    if (signal?.aborted) call.cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}
