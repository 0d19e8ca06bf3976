/**
 * Finds the cause of a failed Mount in an event of the pod, or in a line of the provider's log, and the next step for it.
 * `why` calls it. Each error code of the provider, and each failure of driver and kubelet that comes before the provider,
 * has its own next step.
 */

import type { ErrorCode } from '../base/errors.ts';
import type { LogFields } from './log-lines.ts';

/** Why a volume cannot be mounted. */
export interface Cause {
  /** An {@link ErrorCode}, or a {@link ClusterCause}. */
  readonly code: ErrorCode | ClusterCause;
  /** The words of the one who found it. */
  readonly text: string;
  readonly nextStep: string;
}

/** Failures before the provider is asked. */
export type ClusterCause =
  | 'CLASS_MISSING'
  | 'CLASS_WRONG'
  | 'DRIVER_NOT_INSTALLED'
  | 'DRIVER_NOT_ON_NODE'
  | 'NOT_SCHEDULED'
  | 'NO_CLASS_NAMED'
  | 'NO_VOLUME'
  | 'PROVIDER_NOT_ON_NODE'
  | 'PROVIDER_NOT_READY'
  | 'PROVIDER_SILENT'
  | 'SECRET_MISSING'
  | 'VOLUME_NOT_READ_ONLY'
  | 'OTHER';

/** The next step for each cause. */
export const NEXT_STEPS: Readonly<Record<ErrorCode | ClusterCause, string>> = {
  ERR_BAD_REQUEST: 'update the Secrets Store CSI driver: it sends a request that the provider cannot read',
  ERR_BAD_PARAMETERS: 'correct the SecretProviderClass as the message says, check it by kubectl akv check, apply it',
  ERR_NO_CREDENTIALS:
    'give the pod its credentials: nodePublishSecretRef with clientid and clientsecret (service principal), or tokenRequests in the CSIDriver object (workload identity)',
  ERR_SETUP: "correct the provider's own set-up as the message says: values of its Helm chart, its service account",
  ERR_AUTHENTICATION:
    'do what the message says about the identity: renew its client secret or certificate in the Secret, or add the federated credential',
  ERR_FORBIDDEN:
    'grant the identity "Key Vault Secrets User" on the vault (az role assignment create), or open the vault\'s firewall for this cluster; a new grant takes some minutes',
  ERR_NOT_FOUND: 'create the object in the vault, or correct its name or version in the SecretProviderClass',
  ERR_DISABLED:
    'enable the object in the vault (az keyvault secret set-attributes --enabled true), or name another version',
  ERR_THROTTLED: 'wait: the vault limits requests; if it lasts, spread the objects over several vaults',
  ERR_UNREACHABLE: 'restore the connection to the host in the message: name, private endpoint, firewall, proxy, CA',
  ERR_TIMEOUT: 'see whether the hosts in the message answer from the node; the kubelet tries again by itself',
  ERR_NO_MEMORY: 'raise linux.resources.limits.memory and memoryBudget of the chart',
  ERR_CANCELLED: 'wait: the kubelet tries again by itself',
  ERR_VAULT: 'see whether the service in the message works, and whether a proxy answers in its place',
  ERR_BAD_CONTENT: 'correct the value in the vault, or the files that the SecretProviderClass asks for',
  ERR_TOO_LARGE: 'split the SecretProviderClass: the driver takes at most 4 MiB in one volume',
  ERR_USAGE: 'correct the command line',
  ERR_INTERNAL: "report the defect with the lines of the provider's log",
  CLASS_MISSING: 'create the SecretProviderClass in the namespace of the pod, or correct its name in the volume',
  CLASS_WRONG: 'correct the SecretProviderClass as the message says, check it by kubectl akv check, apply it',
  DRIVER_NOT_INSTALLED:
    'install the Secrets Store CSI driver from its Helm chart, with the values in step 1 of docs/quick-start.md',
  DRIVER_NOT_ON_NODE:
    "start the driver's pod on this node: kubectl get pods -A -o wide -l app=secrets-store-csi-driver shows where it runs",
  NOT_SCHEDULED: 'make the pod fit on a node as the event says; its volumes come after that',
  NO_CLASS_NAMED: 'name the class in the volume: csi.volumeAttributes.secretProviderClass',
  NO_VOLUME: 'add a volume: kubectl akv connect KIND/NAME WORKLOAD does it',
  PROVIDER_NOT_ON_NODE:
    'start the provider on this node: tolerations, nodeSelector and affinity of its Helm chart decide where it runs',
  PROVIDER_NOT_READY: "find out why the provider's pod does not start: kubectl describe pod and kubectl logs of it",
  PROVIDER_SILENT: "restart the provider's pod on this node; if it happens again, look at its log and its memory",
  SECRET_MISSING: 'create the Secret in the namespace of the pod, with the keys clientid and clientsecret',
  VOLUME_NOT_READ_ONLY: 'set csi.readOnly: true in the volume',
  OTHER: 'do what the message says',
};

/** Returns a cause with its next step. */
export function causeOf(code: Cause['code'], text: string): Cause {
  return { code, text, nextStep: NEXT_STEPS[code] };
}

/** Returns the cause that a line of the provider's log names; undefined if it names no failure. */
export function causeOfLine({ level, code = '', error = '', msg = '' }: LogFields): Cause | undefined {
  if (level !== 'error' || !(code in NEXT_STEPS)) return undefined;
  return causeOf(code as ErrorCode, error === '' ? msg : error);
}

/** Texts of kubelet and driver, and what they mean. */
const TEXTS: readonly (readonly [RegExp, ClusterCause])[] = [
  [/driver name \S+ not found in the list of registered CSI drivers/, 'DRIVER_NOT_ON_NODE'],
  [/csidriver\S* "?secrets-store\.csi\.k8s\.io"? not found/i, 'DRIVER_NOT_INSTALLED'],
  [/fetching NodePublishSecretRef |secrets "[^"]*" not found/, 'SECRET_MISSING'],
  [/failed to get secretproviderclass .*not found/, 'CLASS_MISSING'],
  [/secretProviderClass is not set/, 'NO_CLASS_NAMED'],
  [/provider not found/, 'PROVIDER_NOT_ON_NODE'],
  [/invalid provider|provider not set in|parameters not set in/, 'CLASS_WRONG'],
  [/Readonly is not true in request/, 'VOLUME_NOT_READ_ONLY'],
];

/** Codes of gRPC that stand for one cause. */
const GRPC_CODES: Readonly<Record<string, Cause['code']>> = {
  InvalidArgument: 'ERR_BAD_PARAMETERS',
  NotFound: 'ERR_NOT_FOUND',
  PermissionDenied: 'ERR_FORBIDDEN',
  Unauthenticated: 'ERR_AUTHENTICATION',
  Internal: 'ERR_INTERNAL',
  // The provider never answers with the codes below: they come from the connection to it.
  ResourceExhausted: 'ERR_TOO_LARGE',
  DeadlineExceeded: 'PROVIDER_SILENT',
  Canceled: 'PROVIDER_SILENT',
  Unavailable: 'PROVIDER_SILENT',
};

/** The error of the provider, or of the connection to it, in an event of the driver. */
const OF_PROVIDER = /failed to mount secrets store objects for pod \S+, err: rpc error: code = (\w+) desc = ([\s\S]*)$/;

/** Returns the cause that an event of a failed mount names. */
export function causeOfEvent({ reason, message }: { readonly reason: string; readonly message: string }): Cause {
  if (reason === 'FailedScheduling') return causeOf('NOT_SCHEDULED', message);
  const [, code, text = ''] = OF_PROVIDER.exec(message) ?? [];
  if (code === undefined) return causeOfKubelet(message);
  if (code === 'FailedPrecondition' && /nodePublishSecretRef|service account tokens? /.test(text))
    return causeOf('ERR_NO_CREDENTIALS', text);
  // The message of the provider has its own remedy. Some codes of gRPC stand for several of its error codes.
  return causeOf(GRPC_CODES[code] ?? 'OTHER', text);
}

function causeOfKubelet(message: string): Cause {
  const known = TEXTS.find(([pattern]) => pattern.test(message))?.[1];
  // The kubelet's own time limit, without the error of the driver.
  const isSilent = /code = (DeadlineExceeded|Canceled) /.test(message);
  return causeOf(known ?? (isSilent ? 'PROVIDER_SILENT' : 'OTHER'), message);
}
