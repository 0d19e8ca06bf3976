/**
 * Loads the gRPC contract between driver and provider from the files in `proto/`. The server, the driver's side and
 * `mount/` use its types. A request is decoded without `current_object_version`, which the provider does not use.
 */

import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import healthProto from '../../proto/health.proto?raw';
import providerProto from '../../proto/service.proto?raw';
import { HEALTH_SERVICE, PROVIDER_SERVICE } from './names.ts';

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

/** `v1alpha1.VersionResponse`. */
export interface VersionResponse {
  readonly version: string;
  readonly runtimeName: string;
  readonly runtimeVersion: string;
}

function load(root: protobuf.Root, service: string): ServiceDefinition {
  const definition = fromJSON(root.toJSON(), { enums: String, defaults: true, arrays: true })[service];
  if (definition === undefined || 'format' in definition) throw new Error(`${service} is not in its proto file`);
  return definition as ServiceDefinition;
}

const provider = protobuf.parse(providerProto).root;
const { Version, Mount } = load(provider, PROVIDER_SERVICE);
if (Version === undefined || Mount === undefined) throw new Error('the contract lacks a method');
const mountRequest = mountRequestAsServed();
const mountResponse = provider.lookupType('v1alpha1.MountResponse');

/**
 * The request as a server decodes it. `current_object_version` is skipped: the provider does not use it, and 4 MiB of
 * it would be two million objects.
 */
function mountRequestAsServed(): protobuf.Type {
  const type = protobuf.parse(providerProto).root.lookupType('v1alpha1.MountRequest');
  const { currentObjectVersion } = type.fields;
  if (currentObjectVersion === undefined) throw new Error('MountRequest lacks current_object_version');
  return type.remove(currentObjectVersion) as protobuf.Type;
}

/** `v1alpha1.CSIDriverProvider`: `Version` and `Mount` (`proto/service.proto`). */
export const csiDriverProvider = {
  Version,
  // proto-loader would copy the whole answer, with all files, before it writes it.
  Mount: {
    ...Mount,
    requestDeserialize(bytes: Buffer) {
      try {
        return mountRequest.toObject(mountRequest.decode(bytes), { defaults: true });
      } finally {
        // The fields are texts, which are copies; the bytes hold credentials.
        bytes.fill(0);
      }
    },
    responseSerialize: (answer: MountResponse) => mountResponse.encode(answer).finish() as Buffer,
  },
} satisfies ServiceDefinition;

/** `grpc.health.v1.Health` (`proto/health.proto`). */
export const health = load(protobuf.parse(healthProto).root, HEALTH_SERVICE);
