/**
 * Asks whoever listens on an endpoint for its `Version`, over a connection of its own: for the health check, and to say
 * who had the socket before, or took it. Each call is bounded in time.
 */

import { Client, credentials, type Metadata } from '@grpc/grpc-js';
import { systemClock } from '../base/clock.ts';
import { CONTRACT_VERSION, csiDriverProvider, type VersionResponse } from '../wire/contract.ts';
import type { Endpoint } from './endpoint.ts';

/** Header of an answer to `Version` that tells one process of this program from another. */
export const INSTANCE_HEADER = 'akv-csi-instance';

/** A start waits as long where the predecessor hangs, and so does a signal that comes meanwhile. */
const ASK_MS = 2000;

/** Who answered. */
export interface Answerer {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  /** Differs from process to process; empty for other programs. */
  readonly instance: string;
}

/** Calls `Version`. Rejects with gRPC's error where no answer comes within `timeoutMs`. */
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

/** Who answers on an endpoint; undefined where nobody does within two seconds. */
export async function whoAnswers(endpoint: Endpoint): Promise<Answerer | undefined> {
  return callVersion(endpoint, ASK_MS).catch(() => undefined);
}

function targetOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const host = endpoint.host === '' ? '127.0.0.1' : endpoint.host;
  return host.includes(':') ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`;
}
