/**
 * The SecretProviderClasses that items of pods can mean. Made from rendered volumes and from manifests; resolve.ts
 * searches them.
 */

import { isJsonObject } from '../../base/json.ts';
import { parseParameters } from '../../spc/parameters.ts';
import { DEFAULTS, readField } from '../field.ts';
import type { RenderedVolume } from '../volume.ts';
import { FROM, NODE_PUBLISH_SECRET } from './annotations.ts';
import { textAt, valueAt } from './data.ts';

/** A SecretProviderClass, as far as pods need it. */
export interface KnownClass {
  readonly name: string;
  /** Empty if the manifest names none. */
  readonly namespace: string;
  /** `Kind/name/role` of the field that it was made from; absent for a class that `render` did not make. */
  readonly from?: string;
  /** The Secret with the credentials of a service principal, for `nodePublishSecretRef`. */
  readonly secretName?: string;
  /** True if the class asks for a service principal, and does not name the Secret with its credentials. */
  readonly lacksSecret: boolean;
}

/** Returns the class of a rendered volume. */
export function classOfVolume({ name, namespace, from, volume }: RenderedVolume): KnownClass {
  const secretName = volume.csi.nodePublishSecretRef?.name;
  return {
    name,
    namespace,
    lacksSecret: false,
    ...(from === '' ? {} : { from }),
    ...(secretName === undefined ? {} : { secretName }),
  };
}

/**
 * Returns the class of a manifest; undefined for another kind. The Secret is that of the annotation
 * `akv-csi/node-publish-secret`, or the one that the parameter `keyVault` names.
 * Throws: LanguagesNeeded.
 */
export function classOfManifest(manifest: unknown): KnownClass | undefined {
  if (textAt(manifest, ['kind']) !== 'SecretProviderClass') return undefined;
  const from = textAt(manifest, ['metadata', 'annotations', FROM]);
  const annotated = textAt(manifest, ['metadata', 'annotations', NODE_PUBLISH_SECRET]);
  const { secretName, isPrincipal } = identityOf(valueAt(manifest, ['spec', 'parameters']));
  const secret = annotated || secretName;
  return {
    name: textAt(manifest, ['metadata', 'name']),
    namespace: textAt(manifest, ['metadata', 'namespace']),
    lacksSecret: isPrincipal && secret === '',
    ...(from === '' ? {} : { from }),
    ...(secret === '' ? {} : { secretName: secret }),
  };
}

/** Returns the Secret that the parameters name, and whether they ask for a service principal. */
function identityOf(parameters: unknown): { readonly secretName: string; readonly isPrincipal: boolean } {
  const texts = Object.entries(isJsonObject(parameters) ? parameters : {}).flatMap(
    ([name, value]): [string, string][] => (typeof value === 'string' ? [[name, value]] : []),
  );
  const { keyVault, ...siblings } = Object.fromEntries(texts);
  if (keyVault !== undefined) {
    const { identity } = readField(keyVault, siblings);
    return identity.kind === 'service-principal'
      ? { secretName: identity.secretName, isPrincipal: true }
      : { secretName: '', isPrincipal: false };
  }
  const pod = { name: '', namespace: '', uid: '', serviceAccount: '' };
  const attributes = { pod, secretProviderClass: '', tokens: undefined, parameters: new Map(texts) };
  return {
    secretName: '',
    isPrincipal: parseParameters(attributes, { defaults: DEFAULTS }).mode === 'service-principal',
  };
}
