// Rules of Kubernetes for names: of objects, namespaces, and keys of Secrets. Called by `check` and `render`, so that what the
// API server would refuse is told before. Each function gives what is wrong in words that follow the field's path.
import { quote } from '../base/words.ts';

const MAX_LABEL = 63;
const MAX_SUBDOMAIN = 253;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** What is wrong with the name of an object such as a Secret; undefined where it can be one. */
export function subdomainProblem(name: string): string | undefined {
  if (name.length <= MAX_SUBDOMAIN && SUBDOMAIN.test(name)) return undefined;
  const rule = `lower case letters, digits, "-" and ".", begin and end with a letter or digit, at most ${MAX_SUBDOMAIN}`;
  return `${quote(name)} cannot be a name in Kubernetes: ${rule}`;
}

/** What is wrong with the name of a namespace; undefined where it can be one. */
export function namespaceProblem(name: string): string | undefined {
  if (name.length <= MAX_LABEL && SUBDOMAIN.test(name) && !name.includes('.')) return undefined;
  const rule = `lower case letters, digits and "-", begin and end with a letter or digit, at most ${MAX_LABEL}`;
  return `${quote(name)} cannot be a namespace: ${rule}`;
}

/** What is wrong with a key of a Secret; undefined where it can be one. */
export function secretKeyProblem(key: string): string | undefined {
  if (/^[-._a-zA-Z0-9]{1,253}$/.test(key) && key !== '.' && !key.startsWith('..')) return undefined;
  return `${quote(key)} cannot be a key of a Secret: letters, digits, "-", "_" and ".", at most 253`;
}
