/**
 * Compares the parameters of a request with those of its SecretProviderClass, over which the driver lays the pod's
 * `volumeAttributes`. The pipeline of a Mount calls it where the node itself proves the identity. Parameters that decide
 * what the node's identity reads are refused where they differ from the class.
 */

import { createHash } from 'node:crypto';
import { clip } from '../base/words.ts';
import type { Attributes } from './attributes.ts';
import { ALL_NAMES } from './parameter-names.ts';

/**
 * The parameters that decide nothing where the node proves the identity: they name or shape files, belong to other
 * modes, or have no effect. A new parameter is guarded until it stands here.
 */
const FREE_NAMES: readonly string[] = [
  'clientID',
  'usePodIdentity',
  'useAzureTokenProxy',
  'fileLayout',
  'certificateUse',
  'fileName',
  'filePermission',
  'resourceGroup',
  'subscriptionId',
];

/** The parameters that a pod may not change where the node proves the identity. */
export const GUARDED_NAMES: readonly string[] = [...new Set(ALL_NAMES)].filter((name) => !FREE_NAMES.includes(name));

/** The value of `--allow-volume-attributes` that allows all parameters. */
export const ALLOW_ALL = '*';

/** The namespace and name of a SecretProviderClass. */
export interface ClassRef {
  readonly namespace: string;
  readonly name: string;
}

/** The guarded parameters of a SecretProviderClass: digests by name, so that a copy is small whatever the texts are. */
export type ClassParameters = ReadonlyMap<string, string>;

/** Takes the guarded parameters from the `spec.parameters` of a class. */
export function guardedParameters(parameters: ReadonlyMap<string, string>): ClassParameters {
  return new Map(GUARDED_NAMES.map((name) => [name, digestOf(parameters, name)]));
}

/** The guarded parameters that differ from the class and are not allowed to. */
export function overriddenNames(
  { parameters }: Pick<Attributes, 'parameters'>,
  classParameters: ClassParameters,
  allowed: readonly string[],
): readonly string[] {
  return GUARDED_NAMES.filter(
    (name) => !isAllowed(name, allowed) && digestOf(parameters, name) !== classParameters.get(name),
  );
}

/** True if `--allow-volume-attributes` names the parameter, or all of them. */
export function isAllowed(name: string, allowed: readonly string[]): boolean {
  return allowed.includes(name) || allowed.includes(ALLOW_ALL);
}

/** A parameter that is absent means the same as an empty one. */
function digestOf(parameters: ReadonlyMap<string, string>, name: string): string {
  return createHash('sha256')
    .update(parameters.get(name)?.trim() ?? '')
    .digest('base64');
}

/** The class of a request; undefined where the driver names none, as at rotations up to v1.5, which read the class only. */
export function classOf({ pod, secretProviderClass }: Attributes): ClassRef | undefined {
  return secretProviderClass === '' ? undefined : { namespace: pod.namespace, name: secretProviderClass };
}

/** A class for a message. */
export function classInWords({ namespace, name }: ClassRef): string {
  return `SecretProviderClass ${clip(`${namespace}/${name}`)}`;
}

/** The error about parameters that the pod's `volumeAttributes` change. */
export function overrideProblem(names: readonly string[], allowed: readonly string[], ref: ClassRef): string {
  const [one, them, are] = names.length === 1 ? ['parameter', 'it', 'is'] : ['parameters', 'them', 'are'];
  const quoted = names.map((name) => `"${name}"`).join(', ');
  return (
    `${one} ${quoted} of the pod's volumeAttributes ${are} refused: the identity is the node's own, and what it reads is ` +
    `for the class to say; set ${them} in ${classInWords(ref)}, or start the provider with ` +
    `--allow-volume-attributes=${[...allowed, ...names].join(',')}`
  );
}

/** The error about a class that cannot be read; `reason` is the end of the sentence. */
export function unreadableClassProblem(ref: ClassRef, reason: string): string {
  return (
    `the request is for the node's own identity, and the provider cannot read ${classInWords(ref)} to see whether the ` +
    `class or the pod's volumeAttributes ask for it: ${reason}, or start the provider with ` +
    `--allow-volume-attributes=${ALLOW_ALL}, which lets every pod use the node's identity`
  );
}
