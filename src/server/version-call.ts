/**
 * Calls `Version` on an endpoint over a new connection. The health check calls it, and so do the start and the watch of
 * the socket, to name the process that listens there. Each call has a time limit.
 */

import { Client, credentials, type Metadata } from '@grpc/grpc-js';
import { systemClock } from '../base/clock.ts';
import { CONTRACT_VERSION, csiDriverProvider, type VersionResponse } from '../wire/contract.ts';
import type { Endpoint } from './endpoint.ts';

/** The header of an answer to `Version` that identifies one process of this program. */
export const INSTANCE_HEADER = 'akv-csi-instance';

/** The longest time that a start waits for a predecessor that hangs; a signal in this time waits too. */
const ASK_MS = 2000;

/** The process that answered. */
export interface Answerer {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  /** The id of the process; empty for other programs. */
  readonly instance: string;
}

/** Calls `Version`. Rejects with the error of gRPC if no answer comes within `timeoutMs`. */
export async function callVersion(endpoint: Endpoint, timeoutMs: number): Promise<Answerer> {
  const { path, requestSerialize, responseDeserialize } = csiDriverProvider.Version;
  const client = new Client(targetOf(endpoint), credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    return await new Promise<Answerer>((resolve, reject) => {
      let instance = '';
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { version: CONTRACT_VERSION },
        { deadline: systemClock.wall() + timeoutMs },
        (error, answer?: VersionResponse) => {
          if (error) reject(error);
          else
            resolve({ runtimeName: answer?.runtimeName ?? '', runtimeVersion: answer?.runtimeVersion ?? '', instance });
        },
      );
      call.on('metadata', (headers: Metadata) => {
        instance = String(headers.get(INSTANCE_HEADER)[0] ?? '');
      });
    });
  } finally {
    client.close();
  }
}

/** The process that answers on an endpoint; undefined if none answers within two seconds. */
export async function whoAnswers(endpoint: Endpoint): Promise<Answerer | undefined> {
  return callVersion(endpoint, ASK_MS).catch(() => undefined);
}

function targetOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const host = endpoint.host === '' ? '127.0.0.1' : endpoint.host;
  return host.includes(':') ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`;
}
