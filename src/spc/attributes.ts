import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { quote } from '../base/words.ts';

const KUBELET = 'csi.storage.k8s.io/';
const TOKENS = `${KUBELET}serviceAccount.tokens`;

/** The pod a volume is for, as the kubelet names it; empty where it does not say. */
export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

/** `MountRequest.attributes`, taken apart. */
export interface Attributes {
  readonly pod: Pod;
  /** Name of the SecretProviderClass. */
  readonly secretProviderClass: string;
  /** The JSON of the service-account tokens, by audience. */
  readonly tokens: Secret | undefined;
  /** Everything else: the SecretProviderClass's parameters, overlaid by the volume's attributes. Values are trimmed. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** `MountRequest.secrets`: the node-publish secret's entries, without the kubelet's tokens; undefined where there is none. */
export type NodePublishSecret = ReadonlyMap<string, Secret>;

/**
 * Reads `MountRequest.attributes`.
 * Errors: ERR_BAD_REQUEST, with the official provider's `failed to unmarshal attributes`.
 */
export function parseAttributes(json: string): Attributes {
  const all = parseStringMap(json, 'attributes') ?? new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [key, value] of all) if (!key.startsWith(KUBELET)) parameters.set(key, value.trim());
  const kubelet = (key: string) => all.get(KUBELET + key)?.trim() ?? '';
  const tokens = all.get(TOKENS)?.trim() ?? '';
  const secretProviderClass = parameters.get('secretProviderClass') ?? '';
  parameters.delete('secretProviderClass');
  return {
    pod: {
      name: kubelet('pod.name'),
      namespace: kubelet('pod.namespace'),
      uid: kubelet('pod.uid'),
      serviceAccount: kubelet('serviceAccount.name'),
    },
    secretProviderClass,
    tokens: tokens === '' ? undefined : new Secret(tokens),
    parameters,
  };
}

/**
 * Reads `MountRequest.secrets`. From Kubernetes 1.35 the map can hold the pod's tokens too: they are no credentials of a
 * node-publish secret, so a map with nothing else counts as none.
 * Errors: ERR_BAD_REQUEST, with the official provider's `failed to unmarshal secrets`.
 */
export function parseNodePublishSecret(json: string): NodePublishSecret | undefined {
  const all = parseStringMap(json, 'secrets');
  if (all === undefined) return undefined;
  const entries = [...all].filter(([key]) => !key.startsWith(KUBELET));
  if (entries.length === 0 && all.size > 0) return undefined;
  return new Map(entries.map(([key, value]) => [key, new Secret(value)]));
}

/**
 * Reads `MountRequest.permission`: a file mode as a decimal JSON number; `null` is 0. The driver uses the low nine bits.
 * Errors: ERR_BAD_REQUEST, with the official provider's `failed to unmarshal file permission`.
 */
export function parsePermission(json: string): number {
  const value = parseJson(json, 'file permission');
  if (value === null) return 0;
  if (typeof value !== 'number') throw malformed('file permission', cannotBe(value, 'fs.FileMode'));
  if (!/^\d+$/.test(json.trim()) || value > 0xffff_ffff) {
    const rule = 'it must be a whole number from 0 to 4294967295';
    throw malformed('file permission', `${cannotBe(value, 'fs.FileMode')}; ${rule}`);
  }
  return value & 0x7fff_ffff;
}

function parseStringMap(json: string, what: string): Map<string, string> | undefined {
  const value = parseJson(json, what);
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed(what, cannotBe(value, 'map[string]string'));
  const map = new Map<string, string>();
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string' && entry !== null) {
      throw malformed(what, `${cannotBe(entry, 'string')} (the value of ${quote(key)})`);
    }
    map.set(key, entry ?? '');
  }
  return map;
}

/** Never passes on what the JSON parser says: its messages quote the text, and the text holds tokens and secrets. */
function parseJson(json: string, what: string): unknown {
  if (json.trim() === '') throw malformed(what, 'unexpected end of JSON input');
  try {
    return JSON.parse(json);
  } catch {
    throw malformed(what, 'it is not valid JSON');
  }
}

/** Go's words for a JSON value of the wrong kind; they name the kind, not the value. */
function cannotBe(value: unknown, type: string): string {
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${kind} into Go value of type ${type}`;
}

function malformed(what: string, reason: string): ProviderError {
  return new ProviderError('ERR_BAD_REQUEST', `failed to unmarshal ${what}, error: ${reason}`);
}
