/**
 * Publishes a volume as the driver does: calls Mount once, checks the response and writes the files. `mount`, the demo
 * and the benchmark call it.
 */

import { status as grpcStatus } from '@grpc/grpc-js';
import { type ErrorCode, messageOf, ProviderError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { MountedFile, MountRequest, MountResponse, ObjectVersion } from '../wire/contract.ts';
import { writeVolume } from './atomic-writer.ts';
import { KUBELET_DEADLINE_MS, type MountTarget } from './client.ts';
import { checkResponse } from './rules.ts';

const KUBELET = 'csi.storage.k8s.io/';

/** The pod that mounts the volume. */
export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

/** The data that the kubelet and the driver have when they publish a volume. */
export interface PublishRequest {
  /** `spec.parameters` of the SecretProviderClass. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly pod: PodIdentity;
  /** Attributes of the pod's volume, including `secretProviderClass`. They override the parameters. */
  readonly volumeAttributes?: Readonly<Record<string, string>>;
  /** Service account tokens: the JSON `{"<audience>": {"token", "expirationTimestamp"}}`. */
  readonly tokens?: Secret;
  /** Entries of the Secret that `nodePublishSecretRef` names. */
  readonly nodePublishSecret?: Readonly<Record<string, Secret>>;
  readonly targetDir: string;
  /** The driver version to imitate: `v1.6` (the default), or `v1.5` for all earlier ones. */
  readonly family?: 'v1.6' | 'v1.5';
  /**
   * The object versions of the last publish, as the driver keeps them in the pod's status. A v1.5 driver sends them
   * back. The call is then a rotation: it has no volume attributes and no deadline.
   */
  readonly mounted?: readonly ObjectVersion[];
  /** Timeout of the call. Default: two minutes, as in the kubelet. */
  readonly deadlineMs?: number;
}

/** The result of a successful publish. */
export interface Published {
  /** Empty if the response contained no files. The volume is then unchanged. */
  readonly files: readonly MountedFile[];
  /**
   * The object from which each file was made, in the order of the files. Undefined if the response does not name it.
   */
  readonly sources: readonly (ObjectVersion | undefined)[];
  /** The versions that the driver keeps in the pod's status, one for each object. */
  readonly objectVersions: readonly ObjectVersion[];
  /** True if the volume was written. */
  readonly changed: boolean;
}

const CODES: Readonly<Partial<Record<number, ErrorCode>>> = {
  [grpcStatus.CANCELLED]: 'ERR_CANCELLED',
  [grpcStatus.INVALID_ARGUMENT]: 'ERR_BAD_PARAMETERS',
  [grpcStatus.DEADLINE_EXCEEDED]: 'ERR_TIMEOUT',
  [grpcStatus.NOT_FOUND]: 'ERR_NOT_FOUND',
  [grpcStatus.PERMISSION_DENIED]: 'ERR_FORBIDDEN',
  [grpcStatus.RESOURCE_EXHAUSTED]: 'ERR_TOO_LARGE',
  [grpcStatus.FAILED_PRECONDITION]: 'ERR_BAD_CONTENT',
  [grpcStatus.UNAVAILABLE]: 'ERR_UNREACHABLE',
  [grpcStatus.UNAUTHENTICATED]: 'ERR_AUTHENTICATION',
};

/**
 * Publishes a volume: calls Mount once, checks the response by the driver's rules and writes it to `targetDir`.
 * Throws: the errors of {@link requestFiles} and {@link writeVolume}.
 */
export async function publish(target: MountTarget, request: PublishRequest): Promise<Published> {
  const requested = await requestFiles(target, request);
  const { files } = requested;
  const changed = files.length > 0 && (await writeVolume(request.targetDir, files));
  return { ...requested, changed };
}

/**
 * Calls Mount once and checks the response by the driver's rules. Writes nothing.
 * Throws: `Mount failed with <status> (<code>): <details>` for a gRPC error, which is the `cause`; ERR_BAD_CONTENT with
 * the driver's text for a response that the driver would refuse; the `ProviderError` of a provider in this process,
 * unchanged.
 */
export async function requestFiles(target: MountTarget, request: PublishRequest): Promise<Omit<Published, 'changed'>> {
  const deadlineMs = request.deadlineMs ?? (isRotation(request) ? undefined : KUBELET_DEADLINE_MS);
  const response = await target
    .mount(mountRequestOf(request), deadlineMs === undefined ? {} : { deadlineMs })
    .catch((error: unknown) => {
      throw failureOf(error);
    });
  const action = checkResponse(response);
  switch (action.kind) {
    case 'refused':
      throw new ProviderError('ERR_BAD_CONTENT', action.message);
    case 'keep':
      return { files: [], sources: [], objectVersions: action.objectVersions };
    case 'write':
      return {
        files: action.files,
        sources: sourcesOf(action.files, response),
        objectVersions: action.objectVersions,
      };
  }
}

/**
 * Returns the object of each file. The provider returns one version for each file, in the same order; objects without a
 * file follow.
 */
function sourcesOf(
  files: readonly MountedFile[],
  { files: answered, objectVersion }: MountResponse,
): readonly (ObjectVersion | undefined)[] {
  if (objectVersion.length < answered.length) return files.map(() => undefined);
  const byPath = new Map(answered.map(({ path }, i) => [path, objectVersion[i]]));
  return files.map(({ path }) => byPath.get(path));
}

/** Builds the request as the driver of that version sends it. */
export function mountRequestOf(request: PublishRequest): MountRequest {
  const { nodePublishSecret, targetDir, mounted = [], family = 'v1.6' } = request;
  const rotation = isRotation(request);
  const entries = Object.entries(nodePublishSecret ?? {}).map(([key, value]) => [key, value.reveal()] as const);
  const secrets = nodePublishSecret === undefined && !rotation ? null : sorted(Object.fromEntries(entries));
  return {
    attributes: JSON.stringify(attributesOf(request, rotation)),
    secrets: JSON.stringify(secrets),
    targetPath: targetDir,
    permission: '420',
    currentObjectVersion: family === 'v1.5' ? mounted : [],
  };
}

function attributesOf(request: PublishRequest, rotation: boolean): Record<string, string> {
  const { parameters, volumeAttributes, pod, tokens } = request;
  return sorted({
    ...parameters,
    ...(rotation ? {} : volumeAttributes),
    [`${KUBELET}pod.name`]: pod.name,
    [`${KUBELET}pod.namespace`]: pod.namespace,
    [`${KUBELET}pod.uid`]: pod.uid,
    [`${KUBELET}serviceAccount.name`]: pod.serviceAccount,
    ...(rotation ? {} : { [`${KUBELET}ephemeral`]: 'true' }),
    ...(tokens === undefined ? {} : { [`${KUBELET}serviceAccount.tokens`]: tokens.reveal() }),
  });
}

function isRotation({ family, mounted }: PublishRequest): boolean {
  return family === 'v1.5' && mounted !== undefined;
}

function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function failureOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('details' in error)) return error;
  if (error instanceof ProviderError || typeof error.code !== 'number') return error;
  const text = String(error.details) || messageOf(error);
  return new ProviderError(
    CODES[error.code] ?? 'ERR_VAULT',
    `Mount failed with ${grpcStatus[error.code] ?? 'status'} (${error.code}): ${text}`,
    { cause: error },
  );
}
