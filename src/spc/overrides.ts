/**
 * Compares the parameters of a request with those of its SecretProviderClass. The driver merges the pod's
 * `volumeAttributes` over the parameters of the class. The pipeline of a Mount calls this file for requests that use
 * the node's own identity. It refuses changes of parameters that decide what this identity reads.
 */

import { createHash } from 'node:crypto';
import { clip } from '../base/words.ts';
import type { Attributes } from './attributes.ts';
import { ALL_NAMES } from './parameter-names.ts';

/**
 * The parameters that do not decide what the node's identity reads: they name or shape files, say how new values must
 * be, belong to other modes, or have no effect. A new parameter is guarded until this list contains it.
 */
const FREE_NAMES: readonly string[] = [
  'clientID',
  'usePodIdentity',
  'useAzureTokenProxy',
  'fileLayout',
  'certificateUse',
  'fileName',
  'filePermission',
  'maxAge',
  'resourceGroup',
  'subscriptionId',
];

/** The parameters that a pod may not change in requests that use the node's own identity. */
export const GUARDED_NAMES: readonly string[] = [...new Set(ALL_NAMES)].filter((name) => !FREE_NAMES.includes(name));

/** The value of `--allow-volume-attributes` that allows all parameters. */
export const ALLOW_ALL = '*';

/** The namespace and name of a SecretProviderClass. */
export interface ClassRef {
  readonly namespace: string;
  readonly name: string;
}

/** The guarded parameters of a SecretProviderClass: a digest for each name, so that long texts need little memory. */
export type ClassParameters = ReadonlyMap<string, string>;

/** Returns the guarded parameters among the `spec.parameters` of a class. */
export function guardedParameters(parameters: ReadonlyMap<string, string>): ClassParameters {
  return new Map(GUARDED_NAMES.map((name) => [name, digestOf(parameters, name)]));
}

/** Returns the guarded parameters that differ from the class and that pods may not change. */
export function overriddenNames(
  { parameters }: Pick<Attributes, 'parameters'>,
  classParameters: ClassParameters,
  allowed: readonly string[],
): readonly string[] {
  return GUARDED_NAMES.filter(
    (name) => !isAllowed(name, allowed) && digestOf(parameters, name) !== classParameters.get(name),
  );
}

/** Returns true if `--allow-volume-attributes` allows pods to change the parameter. */
export function isAllowed(name: string, allowed: readonly string[]): boolean {
  return allowed.includes(name) || allowed.includes(ALLOW_ALL);
}

/** Returns the digest of a parameter. An absent parameter is equal to an empty one. */
function digestOf(parameters: ReadonlyMap<string, string>, name: string): string {
  return createHash('sha256')
    .update(parameters.get(name)?.trim() ?? '')
    .digest('base64');
}

/**
 * Returns the class of a request. Undefined at rotations of drivers up to v1.5: they send the class only, without its
 * name.
 */
export function classOf({ pod, secretProviderClass }: Attributes): ClassRef | undefined {
  return secretProviderClass === '' ? undefined : { namespace: pod.namespace, name: secretProviderClass };
}

/** Returns the name of a class for messages. */
function classInWords({ namespace, name }: ClassRef): string {
  return `SecretProviderClass ${clip(`${namespace}/${name}`)}`;
}

/** Returns the error about parameters that the pod's `volumeAttributes` change. */
export function overrideProblem(names: readonly string[], allowed: readonly string[], ref: ClassRef): string {
  const [one, them, are] = names.length === 1 ? ['parameter', 'it', 'is'] : ['parameters', 'them', 'are'];
  const quoted = names.map((name) => `"${name}"`).join(', ');
  return (
    `${one} ${quoted} of the pod's volumeAttributes ${are} refused: the request uses the node's own identity, and only ` +
    `the SecretProviderClass may then set ${them}; set ${them} in ${classInWords(ref)}, or start the provider with ` +
    `--allow-volume-attributes=${[...allowed, ...names].join(',')}`
  );
}

/** Returns the error about a class that does not exist. `reason` ends with a remedy. */
export function missingClassProblem(ref: ClassRef, reason: string): string {
  return `${classInWords(ref)} cannot be read: ${reason}`;
}

/** Returns the error about a class that the provider cannot read. `reason` ends with a remedy. */
export function unreadableClassProblem(ref: ClassRef, reason: string): string {
  return (
    `the request uses the node's own identity, and the provider cannot compare its parameters with ` +
    `${classInWords(ref)}: ${reason}, or start the provider with --allow-volume-attributes=${ALLOW_ALL}, with which ` +
    `every pod can use the node's identity`
  );
}
