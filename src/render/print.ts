/**
 * Prints rendered volumes as YAML: SecretProviderClasses, or the volumes and mounts of a pod. Called by the command
 * `render`. The text of a field is printed as it was cut out of its source.
 */

import { Document, Scalar, stringify } from 'yaml';
import type { ExpectedFile } from './field.ts';
import type { RenderedVolume } from './volume.ts';

const PRESENCE: Readonly<Record<ExpectedFile['presence'], string>> = {
  required: '',
  'if-present': ' (where there is one)',
  'with-key': ' (where the secret also holds a private key)',
  'beside-key': '',
};

/**
 * Prints SecretProviderClass documents for `kubectl apply`. Beneath each, as a comment, the pod's volume and its mount,
 * which are parts of a pod and no objects of their own.
 */
export function printManifests(volumes: readonly RenderedVolume[]): string {
  return volumes.map(printManifest).join('---\n');
}

/** `volumes` and `volumeMounts` of all, as YAML to put into a pod's and a container's spec. */
export function printPodParts(volumes: readonly RenderedVolume[]): string {
  return toYaml({
    volumes: volumes.map(({ volume }) => volume),
    volumeMounts: volumes.map(({ volumeMount }) => volumeMount),
  });
}

function printManifest(rendered: RenderedVolume): string {
  const { volume, volumeMount, files, origin } = rendered;
  const fileList = files.map(({ path, presence }) => `${path}${PRESENCE[presence]}`).join(', ');
  return [
    comment(`From ${origin}`),
    toYaml(manifestOf(rendered)),
    comment('In the spec of the pod:'),
    comment(toYaml({ volumes: [volume] }), '  '),
    comment('In the spec of its container:'),
    comment(toYaml({ volumeMounts: [volumeMount] }), '  '),
    comment(`Files: ${fileList}`),
  ].join('');
}

function manifestOf({ name, namespace, parameters, secretObjects }: RenderedVolume): object {
  const { keyVault = '', ...siblings } = parameters;
  const block = new Scalar(keyVault);
  block.type = Scalar.BLOCK_LITERAL;
  return {
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: { name, ...(namespace === '' ? {} : { namespace }) },
    spec: {
      provider: 'azure',
      parameters: { keyVault: block, ...siblings },
      ...(secretObjects.length === 0 ? {} : { secretObjects }),
    },
  };
}

function toYaml(value: object): string {
  return stringify(new Document(value), { lineWidth: 0, aliasDuplicateObjects: false });
}

function comment(text: string, indent = ''): string {
  const lines = text.trimEnd().split(/[\r\n\u0085\u2028\u2029]+/);
  return lines
    .map((line) => `# ${indent}${line}`.trimEnd())
    .join('\n')
    .concat('\n');
}
