/**
 * The types of the result of `render` for one `keyVault` object: the volume of a pod and its SecretProviderClass.
 * `render.ts` fills them; `remarks.ts` and `print.ts` read them.
 */

import type { ExpectedFile } from './field.ts';
import type { SecretObject } from './secret-objects.ts';

/** A volume of the pod's spec. */
export interface CsiVolume {
  readonly name: string;
  readonly csi: {
    readonly driver: 'secrets-store.csi.k8s.io';
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
  /** The place of the object, such as `BrokerListener front, spec.tls.keyVault`. */
  readonly origin: string;
  /** `spec.parameters` of the SecretProviderClass, `keyVault` first. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly secretObjects: readonly SecretObject[];
  readonly volume: CsiVolume;
  readonly volumeMount: VolumeMount;
  readonly files: readonly ExpectedFile[];
}
