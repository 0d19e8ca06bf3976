/**
 * The result of `render` for one `keyVault` object: the volume of a pod and its SecretProviderClass.
 * `render.ts` fills them; `remarks.ts` and `print.ts` read them.
 */

import type { IdentityRequest } from '../spc/identities/table.ts';
import type { ExpectedFile } from './field.ts';
import type { FoundKeyVault } from './find.ts';
import { FROM } from './into/annotations.ts';
import { labelFor } from './names.ts';
import type { Role } from './roles.ts';
import type { SecretObject } from './secret-objects.ts';

/** The name of the driver in the volumes of pods. */
export const DRIVER = 'secrets-store.csi.k8s.io';

/** A volume of the pod's spec. */
export interface CsiVolume {
  readonly name: string;
  readonly csi: {
    readonly driver: typeof DRIVER;
    readonly readOnly: true;
    readonly volumeAttributes: { readonly secretProviderClass: string };
    readonly nodePublishSecretRef?: { readonly name: string };
  };
}

/** A mount of the container's spec. */
export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly: true;
}

/** The SecretProviderClass, volume and mount of one `keyVault` object. */
export interface RenderedVolume {
  /** Name of the SecretProviderClass, of the volume and of synced Secrets: a DNS label. */
  readonly name: string;
  /** Empty if the resource names none. */
  readonly namespace: string;
  /** The object that the class was made from. */
  readonly found: FoundKeyVault;
  readonly role: Role;
  /** The mode in which the provider logs in. */
  readonly identity: IdentityRequest['kind'];
  /** The place of the object, such as `BrokerListener front, spec.tls.keyVault`. */
  readonly origin: string;
  /** The resource and the purpose of the object, as `Kind/name/role`; empty if the resource has no kind or name. */
  readonly from: string;
  /** `spec.provider` of the SecretProviderClass. */
  readonly provider: string;
  /** `spec.parameters` of the SecretProviderClass, `keyVault` first. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly secretObjects: readonly SecretObject[];
  readonly volume: CsiVolume;
  readonly volumeMount: VolumeMount;
  readonly files: readonly ExpectedFile[];
}

/**
 * Returns the volume of a class, with the same name, or a DNS label made of it. `secretName` is the Secret with the
 * credentials; undefined or empty for an identity without one.
 */
export function csiVolume(className: string, secretName: string | undefined): CsiVolume {
  return {
    name: labelFor(className),
    csi: {
      driver: DRIVER,
      readOnly: true,
      volumeAttributes: { secretProviderClass: className },
      ...(secretName === undefined || secretName === '' ? {} : { nodePublishSecretRef: { name: secretName } }),
    },
  };
}

/** Returns the mount of the volume of a class at a path. */
export function mountOf(className: string, mountPath: string): VolumeMount {
  return { name: labelFor(className), mountPath, readOnly: true };
}

/** Returns the SecretProviderClass of a rendered volume, as data for the API server. */
export function classOf({ name, namespace, from, provider, parameters, secretObjects }: RenderedVolume) {
  return {
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      ...(from === '' ? {} : { annotations: { [FROM]: from } }),
    },
    spec: { provider, parameters, ...(secretObjects.length === 0 ? {} : { secretObjects }) },
  };
}
