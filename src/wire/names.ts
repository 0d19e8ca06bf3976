/**
 * The gRPC names of the contract between driver and provider. Both sides, the metrics and the heap keeper use them;
 * none of them has to load the protobuf definitions of `contract.ts` for a name.
 */

/** The service of the provider, as in `proto/service.proto`. */
export const PROVIDER_SERVICE = 'v1alpha1.CSIDriverProvider';

/** The health service, as in `proto/health.proto`. */
export const HEALTH_SERVICE = 'grpc.health.v1.Health';

/** The full name of the call that mounts a volume, as in the `:path` of its request. */
export const MOUNT_METHOD = `/${PROVIDER_SERVICE}/Mount`;

/**
 * The trailer of an answer to Mount that has last known values: a text for a person. `MountResponse` has no field for it,
 * and drivers read no trailers.
 */
export const NOTE_TRAILER = 'akv-csi-note';
