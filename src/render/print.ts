/**
 * Prints rendered volumes as YAML: SecretProviderClasses, or the volumes and mounts of a pod. Called by the command
 * `render`. The text of a field is printed unchanged.
 */

import { Document, Scalar, stringify } from 'yaml';
import type { ExpectedFile } from './field.ts';
import { PASSWORD_DATABASE } from './roles.ts';
import { classOf, type RenderedVolume } from './volume.ts';

const PRESENCE: Readonly<Record<ExpectedFile['presence'], string>> = {
  required: '',
  'if-present': ' (if there is one)',
  'with-key': ' (if the secret also holds a private key)',
  'beside-key': '',
};

/**
 * Prints SecretProviderClass documents for `kubectl apply`. A comment below each shows the pod's volume and its mount,
 * which are parts of a pod and not objects that can be applied. Then come `objects`, and `documents` as they are.
 */
export function printManifests(
  volumes: readonly RenderedVolume[],
  objects: readonly object[] = [],
  documents: readonly string[] = [],
): string {
  return [...volumes.map(printManifest), ...objects.map(toYaml), ...documents].join('---\n');
}

/** Prints the `volumes` and `volumeMounts` of all, as YAML for the spec of a pod and of a container. */
export function printPodParts(volumes: readonly RenderedVolume[]): string {
  return toYaml({
    volumes: volumes.map(({ volume }) => volume),
    volumeMounts: volumes.map(({ volumeMount }) => volumeMount),
  });
}

function printManifest(rendered: RenderedVolume): string {
  const { volume, volumeMount } = rendered;
  return printClass(rendered, [
    comment('In the spec of the pod:'),
    comment(toYaml({ volumes: [volume] }), '  '),
    comment('In the spec of its container:'),
    comment(toYaml({ volumeMounts: [volumeMount] }), '  '),
  ]);
}

/** Prints one SecretProviderClass. Comments name its origin and its files; `comments` are printed between class and files. */
export function printClass(rendered: RenderedVolume, comments: readonly string[] = []): string {
  const fileList = rendered.files
    .map(({ path, presence }) => `${path}${PRESENCE[presence]}${formatOf(path)}`)
    .join(', ');
  return [
    comment(`From ${rendered.origin}`),
    toYaml(manifestOf(rendered)),
    ...comments,
    comment(`Files: ${fileList}`),
  ].join('');
}

/** Returns a word on a file whose format only one broker reads: others start with it and refuse every login. */
function formatOf(path: string): string {
  return path === PASSWORD_DATABASE
    ? " (in the format of IoT MQ's password database, which no other broker reads; see --file-name)"
    : '';
}

/** Returns the data of the class, with the parameter `keyVault` as a block. */
function manifestOf(rendered: RenderedVolume): object {
  const { spec, ...manifest } = classOf(rendered);
  const { keyVault = '', ...siblings } = spec.parameters;
  return { ...manifest, spec: { ...spec, parameters: { keyVault: block(keyVault), ...siblings } } };
}

/** Returns a text that {@link toYaml} prints as a block, unchanged. */
export function block(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.BLOCK_LITERAL;
  return scalar;
}

/** Returns the YAML of a value. Kubernetes reads YAML 1.1: a text such as `yes` is quoted, so that it stays a text. */
export function toYaml(value: unknown): string {
  return stringify(new Document(value, { version: '1.1', aliasDuplicateObjects: false }), { lineWidth: 0 });
}

function comment(text: string, indent = ''): string {
  const lines = text.trimEnd().split(/[\r\n\u0085\u2028\u2029]+/);
  return lines
    .map((line) => `# ${indent}${line}`.trimEnd())
    .join('\n')
    .concat('\n');
}
