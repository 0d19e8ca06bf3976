/**
 * Parses parameters as a Mount does, for tests of src/spc/.
 */
import { parseAttributes, parseNodePublishSecret } from '../../src/spc/attributes.ts';
import type { CloudFile, ReadCloudFile } from '../../src/spc/cloud.ts';
import type { DeveloperLogin } from '../../src/spc/identities/developer.ts';
import type { ObjectSpec } from '../../src/spc/model.ts';
import type { ParameterDefaults } from '../../src/spc/parameter-reader.ts';
import { findingsError, parseParameters } from '../../src/spc/parameters.ts';

/** 2026-01-01. */
export const NOW = Date.UTC(2026, 0, 1);
export const TENANT = '0f8fad5b-d9cb-469f-a165-70867728950e';
export const OBJECTS = 'array:\n  - |\n    objectName: secret1\n    objectType: secret\n';
export const POD = { 'csi.storage.k8s.io/pod.name': 'web-0', 'csi.storage.k8s.io/pod.namespace': 'prod' };
export const CLIENT_SECRET = 'hunter2-client-secret';

export const DEFAULTS: ParameterDefaults = {
  cloudName: 'AzurePublicCloud',
  orderChain: true,
  split: false,
};

/** The reader of cloud files for checks of manifests that name no file. */
export const NO_CLOUD_FILE: ReadCloudFile = async () => ({ problem: 'no file here' });

/** Parameters that mount one secret with a service principal. */
export const CLASSIC = { keyvaultName: 'kv1', tenantID: TENANT, objects: OBJECTS };

/** The parts of a Mount request. An attribute that is undefined is omitted. */
export interface Asked {
  readonly attributes?: Readonly<Record<string, string | undefined>>;
  readonly secrets?: string;
  readonly mode?: number;
  readonly defaults?: Partial<ParameterDefaults>;
  readonly cloudFile?: CloudFile;
  readonly developer?: DeveloperLogin;
}

/** Parses a request as a Mount does. */
export function read(parameters: Readonly<Record<string, string | undefined>>, asked: Asked = {}) {
  const attributes = parseAttributes(JSON.stringify({ ...POD, ...asked.attributes, ...parameters }));
  const secret = parseNodePublishSecret(
    asked.secrets ?? JSON.stringify({ clientid: 'app-1', clientsecret: CLIENT_SECRET }),
  );
  const { findings, volume } = parseParameters(attributes, {
    defaults: { ...DEFAULTS, ...asked.defaults },
    request: { secret, mode: asked.mode ?? 0o644, now: NOW, developer: asked.developer },
    cloudFile: asked.cloudFile,
  });
  const texts = (severity: string) => findings.all.filter((one) => one.severity === severity).map((one) => one.message);
  return {
    volume,
    error: findingsError(findings),
    errors: findings.errors.map(({ message }) => message),
    notes: texts('note'),
    warnings: texts('warning'),
  };
}

/** Returns one object of the `objects` parameter, in a block string as in the official documentation. */
export function block(...items: readonly string[]): string {
  const indented = items.map((item) => `  - |\n${item.replaceAll(/^/gm, '    ')}\n`);
  return `array:\n${indented.join('')}`;
}

/** Returns the objects of a volume that must be valid. */
export function objectsOf(objects: string, asked: Asked = {}): readonly ObjectSpec[] {
  const { volume, error } = read({ ...CLASSIC, objects }, asked);
  if (volume === undefined) throw error ?? new Error('no volume');
  return volume.objects;
}

/** Returns service account tokens as the kubelet sends them. */
export function tokensOf(tokens: Readonly<Record<string, unknown>>): Record<string, string> {
  return { 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(tokens) };
}

/** Returns a JWT with these claims. Its signature is not valid. */
export function jwt(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Returns the file of a custom cloud with hosts below `domain`. */
export function cloudFileOf(domain: string): CloudFile {
  const text = JSON.stringify({ activeDirectoryEndpoint: `https://login.${domain}`, keyVaultDNSSuffix: domain });
  return { name: 'cloud.json', text };
}

/** The smallest valid object. */
export const SECRET = 'objectName: secret1\nobjectType: secret';

/** Returns the only mistake of an `objects` text. */
export function objectsError(objects: string): string {
  const { errors } = read({ ...CLASSIC, objects });
  if (errors.length !== 1) throw new Error(`${errors.length} mistakes: ${errors.join('; ')}`);
  return errors[0] ?? '';
}

/** Returns the only object of a mount, made of the smallest valid object and additional fields, and its only file. */
export function fileOf(fields: string, asked: Asked = {}) {
  const [object] = objectsOf(block(`${SECRET}\n${fields}`), asked);
  if (object?.content.kind !== 'value') throw new Error('not one file');
  return { ...object, ...object.content };
}

/** Fields of an object, as in a manifest. */
export type Fields = Readonly<Record<string, unknown>>;

/** The vault of volumes in the keyVault form. */
export const VAULT = { name: 'kv1', directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } };

/** Returns parameters of the classic form with one object: the smallest valid one, or `base`, and additional fields. */
export function classicWith(fields: Fields, base = SECRET) {
  const lines = Object.entries(fields).map(([name, value]) => `\n${name}: ${JSON.stringify(value)}`);
  return { ...CLASSIC, objects: block(`${base}${lines.join('')}`) };
}

/** Returns parameters of the keyVault form with one secret and additional fields. */
export function keyVaultWith(fields: Fields) {
  return { keyVault: JSON.stringify({ vault: VAULT, vaultSecret: { name: 'secret1', ...fields } }) };
}
