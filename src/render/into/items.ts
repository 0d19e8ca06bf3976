/**
 * Reads the items of the annotation `akv-csi/mount`, such as `broker=BrokerListener/front/tls:/tls, SecretProviderClass/db`.
 * Called for each workload that asks for volumes. Refuses items that name no resource, and paths that no container can
 * have.
 */

import { quote } from '../../base/words.ts';
import { subdomainProblem } from '../../spc/kubernetes-names.ts';

/** One wish of a pod: the classes of a resource, in a container. */
export interface MountItem {
  /** The item as it was written. */
  readonly text: string;
  /** Absent: the container that resolve.ts chooses. */
  readonly container?: string;
  /** As it was written: in any case, and also in the plural; compare it by `isKind`. */
  readonly kind: string;
  readonly name: string;
  /** Absent: all fields of the resource. */
  readonly role?: string;
  /** An absolute path without a slash at its end. Absent: the default of the class. */
  readonly mountPath?: string;
}

/** The items of a text and the mistakes in it; each mistake names its item. */
export interface ParsedItems {
  readonly items: readonly MountItem[];
  readonly mistakes: readonly string[];
}

/** Limits of one annotation. A pod can hold fewer volumes than this on any node. */
const MAX_ITEMS = 100;
const MAX_LENGTH = 32 * 1024;
/** container, kind, name, role and path of an item. */
const ITEM = /^(?:([^=/:]*)=)?([^/:=]*)\/([^/:=]*)(?:\/([^/:=]*))?(?::(.*))?$/;

/** The form of an item, for messages. */
const ITEM_FORM = '[CONTAINER=]KIND/NAME[/ROLE][:MOUNTPATH]';

/** Reads items that are separated by commas or line breaks. Empty ones are skipped, so that a comma may be at the end. */
export function parseItems(text: string): ParsedItems {
  if (text.length > MAX_LENGTH)
    return { items: [], mistakes: [`has ${text.length} characters; the limit is ${MAX_LENGTH}`] };
  const texts = text.split(/[,\r\n]/).flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  if (texts.length === 0) return { items: [], mistakes: [`holds no item; the form is ${ITEM_FORM}`] };
  if (texts.length > MAX_ITEMS)
    return { items: [], mistakes: [`holds ${texts.length} items; the limit is ${MAX_ITEMS}`] };
  const read = texts.map(readItem);
  return {
    items: read.flatMap((item) => ('problem' in item ? [] : [item])),
    mistakes: read.flatMap((item) => ('problem' in item ? [`item ${quote(item.text)}: ${item.problem}`] : [])),
  };
}

function readItem(text: string): MountItem | { readonly text: string; readonly problem: string } {
  const [match, container, kind = '', name = '', role, path] = ITEM.exec(text) ?? [];
  if (match === undefined || kind.trim() === '' || container === '' || role === '')
    return { text, problem: `the form is ${ITEM_FORM}, such as BrokerListener/NAME` };
  const problem = subdomainProblem(name) ?? (path === undefined ? undefined : mountPathProblem(path));
  if (problem !== undefined) return { text, problem };
  return {
    text,
    ...(container === undefined ? {} : { container: container.trim() }),
    kind: kind.trim(),
    name,
    ...(role === undefined ? {} : { role: role.trim() }),
    ...(path === undefined ? {} : { mountPath: withoutEndSlash(path) }),
  };
}

/** Returns the problem of a path in a container, in words that follow its name, or undefined. */
export function mountPathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return `the mount path ${quote(path)} has to begin with "/"`;
  if (path.includes(':')) return `the mount path ${quote(path)} must not hold ":"`;
  const parts = withoutEndSlash(path).slice(1).split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return `the mount path ${quote(path)} must not be "/" or hold "//", "." or ".."`;
  return undefined;
}

function withoutEndSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
