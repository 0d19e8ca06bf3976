/**
 * The gRPC contract between driver and provider, as in the files in `proto/`, with which a test compares it. The server,
 * the driver's side and `mount/` use its types. The server decodes a request without `current_object_version`.
 */

import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { bytes, enumOf, int32, Message, messageOf, text } from './messages.ts';
import { HEALTH_SERVICE, MOUNT_METHOD, PROVIDER_SERVICE } from './names.ts';

/** Version of the contract between driver and provider; both sides send it. */
export const CONTRACT_VERSION = 'v1alpha1';

/** An object of the vault and the version of it that is mounted. */
export interface ObjectVersion {
  /** `secret/<name>`, `key/<name>` or `cert/<name>`, followed by `/<i>` in version history. */
  readonly id: string;
  readonly version: string;
}

/** One file of a volume. */
export interface MountedFile {
  /** Relative to the root of the volume, `/` between directories. */
  readonly path: string;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  readonly contents: Buffer;
}

/** `v1alpha1.MountRequest`. */
export interface MountRequest {
  readonly attributes: string;
  readonly secrets: string;
  readonly targetPath: string;
  readonly permission: string;
  readonly currentObjectVersion: readonly ObjectVersion[];
}

/** `v1alpha1.MountResponse`. */
export interface MountResponse {
  readonly objectVersion: readonly ObjectVersion[];
  readonly error?: { readonly code: string } | null;
  readonly files: readonly MountedFile[];
}

/** `v1alpha1.VersionRequest`. */
export interface VersionRequest {
  readonly version: string;
}

/** `v1alpha1.VersionResponse`. */
export interface VersionResponse {
  readonly version: string;
  readonly runtimeName: string;
  readonly runtimeVersion: string;
}

/** `grpc.health.v1.HealthCheckRequest`. */
interface HealthCheckRequest {
  readonly service: string;
}

/** `grpc.health.v1.HealthCheckResponse`. */
interface HealthCheckResponse {
  readonly status: 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

const objectVersion = new Message<ObjectVersion>({ id: [1, text], version: [2, text] });
const file = new Message<MountedFile>({ path: [1, text], mode: [2, int32], contents: [3, bytes] });
const mountError = new Message<{ readonly code: string }>({ code: [1, text] });
const REQUEST_TEXTS = {
  attributes: [1, text],
  secrets: [2, text],
  targetPath: [3, text],
  permission: [4, text],
} as const;

/** The messages by their names in `proto/`. */
export const MESSAGES = {
  VersionRequest: new Message<VersionRequest>({ version: [1, text] }),
  VersionResponse: new Message<VersionResponse>({
    version: [1, text],
    runtimeName: [2, text],
    runtimeVersion: [3, text],
  }),
  MountRequest: new Message<MountRequest>({ ...REQUEST_TEXTS, currentObjectVersion: [5, [messageOf(objectVersion)]] }),
  MountResponse: new Message<MountResponse>({
    objectVersion: [1, [messageOf(objectVersion)]],
    error: [2, messageOf(mountError)],
    files: [3, [messageOf(file)]],
  }),
  HealthCheckRequest: new Message<HealthCheckRequest>({ service: [1, text] }),
  HealthCheckResponse: new Message<HealthCheckResponse>({
    status: [1, enumOf(['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'])],
  }),
  HealthListRequest: new Message<object>({}),
  // The provider does not support `List`, so that its answer has no field here.
  HealthListResponse: new Message<object>({}),
} as const;

/**
 * The request as a server decodes it. `current_object_version` is skipped: the provider does not use it, and 4 MiB of
 * it would be two million objects.
 */
const servedMountRequest = new Message<Omit<MountRequest, 'currentObjectVersion'>>(REQUEST_TEXTS);

function method<Request extends object, Response extends object>(
  path: string,
  request: Message<Request>,
  response: Message<Response>,
): MethodDefinition<Request, Response> {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: request.encode,
    requestDeserialize: request.decode,
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
}

/** `v1alpha1.CSIDriverProvider`: `Version` and `Mount` (`proto/service.proto`). */
export const csiDriverProvider = {
  Version: method(`/${PROVIDER_SERVICE}/Version`, MESSAGES.VersionRequest, MESSAGES.VersionResponse),
  Mount: {
    ...method(MOUNT_METHOD, MESSAGES.MountRequest, MESSAGES.MountResponse),
    requestDeserialize(data: Buffer) {
      try {
        return servedMountRequest.decode(data);
      } finally {
        // The fields are texts, which are copies; the bytes hold credentials.
        data.fill(0);
      }
    },
  },
} satisfies ServiceDefinition;

/** `grpc.health.v1.Health` (`proto/health.proto`). */
export const health = {
  Check: method(`/${HEALTH_SERVICE}/Check`, MESSAGES.HealthCheckRequest, MESSAGES.HealthCheckResponse),
  List: method(`/${HEALTH_SERVICE}/List`, MESSAGES.HealthListRequest, MESSAGES.HealthListResponse),
  Watch: {
    ...method(`/${HEALTH_SERVICE}/Watch`, MESSAGES.HealthCheckRequest, MESSAGES.HealthCheckResponse),
    responseStream: true,
  },
} satisfies ServiceDefinition;
