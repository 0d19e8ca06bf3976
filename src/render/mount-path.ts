/**
 * Makes the path of a volume in its container from a template such as `/etc/tls/{name}`. Called by `render` and by all
 * that add volumes to pods. Refuses placeholders that it does not know.
 */

import { nearest, oneOf, quote } from '../base/words.ts';
import { partsOfFrom } from './from.ts';

/** The path without an option. */
export const DEFAULT_MOUNT_PATH = '/mnt/secrets-store';

/** The values of the placeholders of a template. */
export interface MountPathNames {
  /** Name of the SecretProviderClass. */
  readonly class: string;
  /** Kind of the resource that it was made from; `SecretProviderClass` if none is known. */
  readonly kind: string;
  /** Name of that resource. */
  readonly name: string;
  /** Purpose of the field in that resource, such as `tls`; may be empty. */
  readonly role: string;
}

/** Returns the values for a class. `from` is its `Kind/name/role`; undefined or empty for a class made by hand. */
export function mountPathNames(className: string, from: string | undefined): MountPathNames {
  const parts = partsOfFrom(from);
  if (parts.kind === '') return { class: className, kind: 'SecretProviderClass', name: className, role: '' };
  return { class: className, ...parts };
}

const NAMES = ['class', 'kind', 'name', 'role'] as const;
const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Returns the path of a class. A template without placeholders is the directory above: `{class}` is appended. */
export function mountPathOf(template: string, names: MountPathNames): string {
  const whole = /\{[^{}]*\}/.test(template) ? template : `${template}/{class}`;
  const path = whole.replace(PLACEHOLDER, (_, name: keyof MountPathNames) => names[name] ?? '');
  return path.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
}

/** Returns the problem of a template, in words that follow its name, or undefined. */
export function mountPathTemplateProblem(template: string): string | undefined {
  const rule = `an absolute directory, or a path with the placeholders ${oneOf(NAMES.map((name) => `{${name}}`))}`;
  const problem = (words: string) => `${quote(template)} ${words}; give ${rule}`;
  for (const [placeholder, name = ''] of template.matchAll(PLACEHOLDER)) {
    if (NAMES.some((known) => known === name)) continue;
    const guess = nearest(name, NAMES);
    return problem(
      `has the unknown placeholder ${quote(placeholder)}${guess === undefined ? '' : `; did you mean {${guess}}?`}`,
    );
  }
  if (/[{}]/.test(template.replace(PLACEHOLDER, ''))) return problem('holds a brace without its partner');
  if (!template.startsWith('/')) return problem('does not begin with "/"');
  if (template.includes(':')) return problem('holds ":", which Kubernetes refuses in a mount path');
  if (template.split('/').some((part) => part === '.' || part === '..')) return problem('holds "." or ".."');
  return undefined;
}
