/**
 * Checks names by the rules of Kubernetes: of objects, of namespaces, and of keys of Secrets. Called by `check` and
 * `render`, so that they report what the API server would refuse. Each function returns the problem in words that
 * follow the field's path.
 */

import { quote } from '../base/words.ts';

const MAX_LABEL = 63;
const MAX_SUBDOMAIN = 253;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Returns the problem of the name of an object such as a Secret, or undefined. */
export function subdomainProblem(name: string): string | undefined {
  if (name.length <= MAX_SUBDOMAIN && SUBDOMAIN.test(name)) return undefined;
  const rule = `lower case letters, digits, "-" and ".", begin and end with a letter or digit, at most ${MAX_SUBDOMAIN}`;
  return `${quote(name)} cannot be a name in Kubernetes: ${rule}`;
}

/** Returns the problem of the name of a namespace, or undefined. */
export function namespaceProblem(name: string): string | undefined {
  if (name.length <= MAX_LABEL && SUBDOMAIN.test(name) && !name.includes('.')) return undefined;
  const rule = `lower case letters, digits and "-", begin and end with a letter or digit, at most ${MAX_LABEL}`;
  return `${quote(name)} cannot be a namespace: ${rule}`;
}

/** Returns the problem of a key of a Secret, or undefined. */
export function secretKeyProblem(key: string): string | undefined {
  if (/^[-._a-zA-Z0-9]{1,253}$/.test(key) && key !== '.' && !key.startsWith('..')) return undefined;
  return `${quote(key)} cannot be a key of a Secret: letters, digits, "-", "_" and ".", at most 253`;
}
