/**
 * Reads the fields of a MountRequest that are JSON texts: attributes, secrets and permission. Called by the gRPC
 * handler before anything else. Refuses texts that are not the expected JSON, and values that are too long or too many.
 */

import { ProviderError } from '../base/errors.ts';
import { isJsonObject, type JsonLimits, jsonExcess, parseJson } from '../base/json.ts';
import { Secret } from '../base/secret.ts';
import { quote } from '../base/words.ts';
import { TOKENS_LIMITS } from './tokens.ts';

const KUBELET = 'csi.storage.k8s.io/';
const TOKENS = `${KUBELET}serviceAccount.tokens`;

/** A class has a dozen parameters and one long text of at most 256 KiB; the kubelet adds seven and the pod's tokens. */
const ATTRIBUTES_LIMITS: JsonLimits = { bytes: 512 * 1024, entries: 200, depth: 16 };
/** A Secret holds 1 MiB; as JSON it is longer. */
const SECRETS_LIMITS: JsonLimits = { bytes: 3 * 1024 * 1024, entries: 1000, depth: 16 };
const PERMISSION_LIMITS: JsonLimits = { bytes: 64, entries: 16, depth: 16 };
const MAX_PATH_BYTES = 4096;
/** Length limit of names that the kubelet sends; names in Kubernetes have at most 253 characters. */
const MAX_NAME_BYTES = 1024;
/** Entries of a node-publish secret that are used, in bytes; Entra's own are far shorter. */
const CREDENTIAL_BYTES: ReadonlyMap<string, number> = new Map([
  ['clientid', 4096],
  ['clientsecret', 16 * 1024],
  ['clientcertificate', 256 * 1024],
  ['clientcertificatepassword', 16 * 1024],
]);

/** The pod that a volume is for. Fields that the kubelet does not send are empty. */
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

/**
 * `MountRequest.secrets`: the entries of the node-publish secret, without the kubelet's tokens; undefined if there are
 * none.
 */
export type NodePublishSecret = ReadonlyMap<string, Secret>;

/**
 * Reads `MountRequest.attributes`.
 * Throws: ERR_BAD_REQUEST, with the official provider's `failed to unmarshal attributes`.
 */
export function parseAttributes(json: string): Attributes {
  const all = parseStringMap(json, 'attributes', ATTRIBUTES_LIMITS) ?? new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [key, value] of all) if (!key.startsWith(KUBELET)) parameters.set(key, value.trim());
  const kubelet = (key: string) => all.get(KUBELET + key)?.trim() ?? '';
  const tokens = all.get(TOKENS)?.trim() ?? '';
  const excess = jsonExcess(tokens, TOKENS_LIMITS);
  if (excess !== undefined) throw malformed('attributes', `${TOKENS}: ${excess}`);
  const secretProviderClass = parameters.get('secretProviderClass') ?? '';
  parameters.delete('secretProviderClass');
  const pod = {
    name: kubelet('pod.name'),
    namespace: kubelet('pod.namespace'),
    uid: kubelet('pod.uid'),
    serviceAccount: kubelet('serviceAccount.name'),
  };
  for (const [what, name] of Object.entries({ ...pod, secretProviderClass })) {
    const tooLong = lengthProblem(name, MAX_NAME_BYTES);
    if (tooLong !== undefined) throw malformed('attributes', `the ${what} of the pod ${tooLong}`);
  }
  return {
    pod,
    secretProviderClass,
    tokens: tokens === '' ? undefined : new Secret(tokens),
    parameters,
  };
}

/**
 * Reads `MountRequest.secrets`. From Kubernetes 1.35 the map can hold the pod's tokens too: they are no credentials of
 * a node-publish secret, so a map with nothing else counts as none.
 * Throws: ERR_BAD_REQUEST, with the official provider's `failed to unmarshal secrets`.
 */
export function parseNodePublishSecret(json: string): NodePublishSecret | undefined {
  const all = parseStringMap(json, 'secrets', SECRETS_LIMITS);
  if (all === undefined) return undefined;
  const entries = [...all].filter(([key]) => !key.startsWith(KUBELET));
  for (const [key, value] of entries) {
    const tooLong = lengthProblem(value, CREDENTIAL_BYTES.get(key.trim().toLowerCase()) ?? SECRETS_LIMITS.bytes);
    if (tooLong !== undefined) throw malformed('secrets', `the value of ${quote(key)} ${tooLong}`);
  }
  if (entries.length === 0 && all.size > 0) return undefined;
  return new Map(entries.map(([key, value]) => [key, new Secret(value)]));
}

/** Returns the entries of a node-publish secret that a login uses. They are secret; the other entries are dropped. */
export function credentialsIn(secret: NodePublishSecret | undefined): readonly string[] {
  const entries = [...(secret ?? [])].filter(([key]) => /^client(secret|certificate)/i.test(key.trim()));
  return entries.map(([, value]) => value.reveal());
}

/**
 * Reads `MountRequest.permission`: a file mode as a decimal JSON number; `null` is 0. The driver uses the low nine
 * bits.
 * Throws: ERR_BAD_REQUEST, with the official provider's `failed to unmarshal file permission`.
 */
export function parsePermission(json: string): number {
  const value = readJson(json, 'file permission', PERMISSION_LIMITS);
  if (value === null) return 0;
  if (typeof value !== 'number') throw malformed('file permission', cannotBe(value, 'fs.FileMode'));
  if (!/^\d+$/.test(json.trim()) || value > 0xffff_ffff) {
    const rule = 'it must be a whole number from 0 to 4294967295';
    throw malformed('file permission', `${cannotBe(value, 'fs.FileMode')}; ${rule}`);
  }
  return value & 0x7fff_ffff;
}

/**
 * Refuses a `MountRequest.target_path` that cannot be a path on any system. The path is kept, to tell volumes apart.
 * Throws: ERR_BAD_REQUEST.
 */
export function checkTargetPath(path: string): void {
  const tooLong = lengthProblem(path, MAX_PATH_BYTES);
  if (tooLong !== undefined) throw new ProviderError('ERR_BAD_REQUEST', `target_path ${tooLong}`);
}

/** Returns the problem of a text that is too long, such as `has 5000 bytes, more than 4096`, or undefined. */
export function lengthProblem(text: string, maxBytes: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  return bytes > maxBytes ? `has ${bytes} bytes, more than ${maxBytes}` : undefined;
}

function parseStringMap(json: string, what: string, limits: JsonLimits): Map<string, string> | undefined {
  const value = readJson(json, what, limits);
  if (value === null) return undefined;
  if (!isJsonObject(value)) throw malformed(what, cannotBe(value, 'map[string]string'));
  const map = new Map<string, string>();
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string' && entry !== null) {
      throw malformed(what, `${cannotBe(entry, 'string')} (the value of ${quote(key)})`);
    }
    map.set(key, entry ?? '');
  }
  return map;
}

function readJson(json: string, what: string, limits: JsonLimits): unknown {
  const parsed = parseJson(json, limits);
  if (!parsed.ok) throw malformed(what, parsed.reason);
  return parsed.value;
}

/** Go's words for a JSON value of the wrong kind; they name the kind, not the value. */
function cannotBe(value: unknown, type: string): string {
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${kind} into Go value of type ${type}`;
}

function malformed(what: string, reason: string): ProviderError {
  return new ProviderError('ERR_BAD_REQUEST', `failed to unmarshal ${what}, error: ${reason}`);
}
