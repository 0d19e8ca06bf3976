/**
 * Finds the ConfigMaps with CA certificates that broker resources name, and makes them from chain secrets. Called by
 * `render --config-maps`. The vault has no field that says which secret a ConfigMap is made of: trust in a CA is never
 * guessed, so the user names the secret.
 */

import { parse, stringify } from 'yaml';
import { nearest, oneOf, quote } from '../../base/words.ts';
import { subdomainProblem } from '../../spc/kubernetes-names.ts';
import { objectNameProblem } from '../../spc/names.ts';
import { readStream } from '../../spc/yaml/stream.ts';
import type { Tree } from '../../spc/yaml/tree.ts';
import type { Source } from '../find.ts';
import { NO_RESOURCE, type Resource, resourceAt, SKIPPED } from '../resource.ts';
import type { RenderedVolume } from '../volume.ts';

/** A ConfigMap and the secret of the vault that holds its certificates, as the user gave them. */
export interface ConfigMapWish {
  readonly name: string;
  readonly secret: string;
}

/** A ConfigMap to be made, and the parameters of the Mount whose only file holds its certificates. */
export interface WantedConfigMap {
  readonly name: string;
  readonly namespace: string;
  /** The keys that its readers want, each with the same certificates. */
  readonly keys: readonly string[];
  /** Parameters of a SecretProviderClass for one read of the vault; it is not printed. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What {@link configMapsOf} found. */
export interface WantedConfigMaps {
  readonly configMaps: readonly WantedConfigMap[];
  readonly mistakes: readonly string[];
}

/** A place in a resource that names a ConfigMap. */
interface Reference {
  readonly name: string;
  readonly key: string;
  readonly resource: Resource;
}

/** The key that the reader of a ConfigMap wants, by the name of the field. Where the documentation names none: ca.crt. */
const FIELDS: Readonly<Record<string, string>> = {
  trustedClientCaCert: 'client_ca.pem',
  trustedCaCertificateConfigMap: 'ca.crt',
  trustedCaCertificateConfigMapRef: 'ca.crt',
  caCert: 'ca.crt',
  caCertConfigMap: 'ca.crt',
};
const CA_FILE = 'ca.crt';

/**
 * Returns the ConfigMaps that are asked for, one in each namespace whose resources name it. The vault and the credentials
 * are those of the `keyVault` fields of the resource, or of all resources if it has none.
 */
export function configMapsOf(
  wishes: readonly ConfigMapWish[],
  sources: readonly Source[],
  volumes: readonly RenderedVolume[],
): WantedConfigMaps {
  if (wishes.length === 0) return { configMaps: [], mistakes: [] };
  const references = sources.flatMap(referencesIn);
  const mistakes: string[] = [];
  const configMaps: WantedConfigMap[] = [];
  for (const wish of wishes) {
    const problem = problemOf(wish, references);
    if (problem !== undefined) mistakes.push(problem);
    const own = references.filter(({ name }) => name === wish.name);
    for (const namespace of new Set(own.map(({ resource }) => resource.namespace))) {
      const here = own.filter(({ resource }) => resource.namespace === namespace);
      const vaults = vaultsOf(here, volumes);
      const [vault] = vaults;
      if (vault === undefined || vaults.length > 1) mistakes.push(vaultProblem(wish, vaults));
      else {
        const keys = [...new Set(here.map(({ key }) => key))];
        configMaps.push({ name: wish.name, namespace, keys, parameters: parametersOf(wish, vault) });
      }
    }
  }
  return { configMaps, mistakes };
}

/** Returns the ConfigMap with its certificates, as data for the API server. */
export function configMapOf({ name, namespace, keys }: WantedConfigMap, certificates: string): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(namespace === '' ? {} : { namespace }) },
    data: Object.fromEntries(keys.map((key) => [key, certificates])),
  };
}

/** Returns the ConfigMaps that a source names, in all its documents. */
function referencesIn({ text }: Source): readonly Reference[] {
  return readStream(text).flatMap(({ read }) =>
    read.ok && read.tree !== undefined ? [...referencesBelow(read.tree, NO_RESOURCE, [])] : [],
  );
}

function* referencesBelow(tree: Tree, outer: Resource, path: readonly (string | number)[]): Generator<Reference> {
  if (tree.kind === 'list') {
    for (const [index, item] of tree.items.entries()) yield* referencesBelow(item, outer, [...path, index]);
  }
  if (tree.kind !== 'map') return;
  const own = resourceAt(tree, outer, path);
  const [resource, here] = own === undefined ? [outer, path] : [own, []];
  for (const [field, { value }] of tree.entries) {
    const reference = referenceAt(field, value, resource);
    if (reference !== undefined) yield reference;
    else if (own === undefined || !SKIPPED.includes(field)) yield* referencesBelow(value, resource, [...here, field]);
  }
}

function referenceAt(field: string, value: Tree, resource: Resource): Reference | undefined {
  const key = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (key === undefined || value.kind !== 'text' || resource.kind === '') return undefined;
  return { name: value.text, key, resource };
}

function problemOf({ name, secret }: ConfigMapWish, references: readonly Reference[]): string | undefined {
  const about = `--config-maps ${quote(`${name}=${secret}`)}`;
  const nameProblem = subdomainProblem(name) ?? objectNameProblem(secret);
  if (nameProblem !== undefined) return `${about}: ${nameProblem}`;
  if (references.some((one) => one.name === name)) return undefined;
  const known = [...new Set(references.map((one) => one.name))];
  if (known.length === 0)
    return `${about}: no resource names a ConfigMap with CA certificates (${oneOf(Object.keys(FIELDS))})`;
  const guess = nearest(name, known);
  const hint = guess === undefined ? `they name ${oneOf(known)}` : `did you mean ${quote(guess)}?`;
  return `${about}: no resource names the ConfigMap ${quote(name)}; ${hint}`;
}

/** Returns the vaults, with their credentials, of the resources, each once; of all resources if these have none. */
function vaultsOf(references: readonly Reference[], volumes: readonly RenderedVolume[]): readonly object[] {
  const isOwn = ({ found: { resource } }: RenderedVolume) =>
    references.some((one) => one.resource.kind === resource.kind && one.resource.name === resource.name);
  const own = volumes.filter(isOwn);
  const vaults = (own.length > 0 ? own : volumes).map(({ parameters: { keyVault = '' } }): object => {
    const field: unknown = parse(keyVault, { schema: 'failsafe', maxAliasCount: 100 });
    return typeof field === 'object' && field !== null && 'vault' in field ? (field.vault as object) : {};
  });
  return [...new Map(vaults.map((vault) => [JSON.stringify(vault), vault])).values()];
}

function vaultProblem({ name, secret }: ConfigMapWish, vaults: readonly object[]): string {
  const about = `--config-maps ${quote(`${name}=${secret}`)}`;
  if (vaults.length === 0) return `${about}: no keyVault field names a vault to read the secret from`;
  const names = vaults.map((vault) => ('name' in vault ? String(vault.name) : ''));
  const which =
    new Set(names).size > 1 ? `the vaults ${names.join(', ')}` : `the vault ${names[0]} with several identities`;
  return `${about}: the resources use ${which}; render those of one vault at a time`;
}

/** Returns parameters that read the secret, and write its CA certificates into one file: never its private key. */
function parametersOf({ secret }: ConfigMapWish, vault: object): Readonly<Record<string, string>> {
  return { keyVault: stringify({ vault, vaultCaChainCert: { name: secret, files: { ca: CA_FILE } } }) };
}
