/**
 * Reads SecretProviderClass and Secret manifests. `mount` and `check --fetch` call it. Refuses manifests that the API
 * server refuses.
 */

import { decodeBase64 } from '../base/encoding.ts';
import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { foreignFile, foreignKind, unreadable } from '../spc/foreign-text.ts';
import { readManifestParts } from '../spc/yaml/manifests.ts';
import { needsQuotes } from '../spc/yaml/scalar.ts';
import { kindOf, type MapTree, type Tree, type YamlError } from '../spc/yaml/tree.ts';
import { MAX_ERRORS } from '../spc/yaml/yaml-tree.ts';

/** A SecretProviderClass as the driver reads it from the cluster. */
export interface SecretProviderClass {
  readonly name: string;
  /** Empty if the manifest does not set it. */
  readonly namespace: string;
  readonly provider: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** A Kubernetes Secret with decoded values. */
export interface SecretManifest {
  readonly name: string;
  /** Empty if the manifest does not set it. */
  readonly namespace: string;
  readonly data: Readonly<Record<string, Secret>>;
}

/** The manifests in a text that the driver uses. Other kinds are ignored. */
export interface Manifests {
  readonly classes: readonly SecretProviderClass[];
  readonly secrets: readonly SecretManifest[];
  /** What to do with documents that are no manifest of the driver, such as broker resources; absent: nothing. */
  readonly hints?: readonly string[];
}

/**
 * Reads SecretProviderClass and Secret manifests from YAML or JSON, including lists of kind `List`. `source` is the
 * name of the text in messages.
 * Throws: ERR_BAD_PARAMETERS with `source:line`, for YAML that cannot be read and for manifests that the API server
 * would refuse.
 */
export function readManifests(text: string, source: string): Manifests {
  const documents: Tree[] = [];
  const mistakes: Pick<YamlError, 'line' | 'message'>[] = [];
  for (const part of readManifestParts(text)) {
    if (part.read.ok) documents.push(...part.read.documents);
    else mistakes.push(...unreadable(part, part.read.errors, 'mount'));
  }
  if (mistakes.length > 0) {
    const foreign = foreignFile(text);
    const shown = foreign === undefined ? mistakes.slice(0, MAX_ERRORS) : [{ line: 1, message: foreign }];
    const reasons = shown.map(({ line, message }) => `${source}:${line}: ${message}`);
    throw new ProviderError('ERR_BAD_PARAMETERS', reasons.join('\n'));
  }
  const objects = documents.flatMap(objectsOf);
  const ofKind = (kind: string) => objects.filter((object) => textField(object, 'kind') === kind);
  return {
    classes: ofKind('SecretProviderClass').map((object) => readClass(object, source)),
    secrets: ofKind('Secret').map((object) => readSecret(object, source)),
    hints: documents.flatMap((document) => foreignKind(document, 'mount') ?? []).slice(0, MAX_ERRORS),
  };
}

function objectsOf(document: Tree): MapTree[] {
  if (document.kind !== 'map') return [];
  const items = document.entries.get('items')?.value;
  if (items?.kind === 'list' && textField(document, 'kind')?.endsWith('List')) return items.items.flatMap(objectsOf);
  return [document];
}

function readClass(object: MapTree, source: string): SecretProviderClass {
  const { name, namespace } = nameOf(object, source);
  const what = `SecretProviderClass "${name}"`;
  const spec = mapOf(object, 'spec');
  if (spec === undefined) throw manifestError(source, object.line, `${what} has no spec`);
  const provider = textField(spec, 'provider') ?? '';
  if (provider === '') throw manifestError(source, spec.line, `${what} has no provider; set spec.provider to "azure"`);
  const parameters = mapOf(spec, 'parameters');
  if (parameters === undefined || parameters.entries.size === 0) {
    throw manifestError(
      source,
      spec.line,
      `${what} has no parameters: the driver refuses it before it calls the provider; set spec.parameters`,
    );
  }
  const entries = [...parameters.entries].map(([key, { line, value }]): [string, string] => {
    if (value.kind !== 'text') {
      const remedy = `Kubernetes accepts text only; ${value.kind === 'null' ? 'write ""' : 'write "|" after the name'}`;
      throw manifestError(source, line, `spec.parameters.${key} of ${what} is ${kindOf(value)}: ${remedy}`);
    }
    if (needsQuotes(value)) {
      throw manifestError(
        source,
        line,
        `spec.parameters.${key} of ${what} must be text: write "${value.text}" in quotes`,
      );
    }
    return [key, value.text];
  });
  return { name, namespace, provider, parameters: Object.fromEntries(entries) };
}

function readSecret(object: MapTree, source: string): SecretManifest {
  const { name, namespace } = nameOf(object, source);
  const data = new Map<string, Secret>();
  for (const [key, { line, value }] of mapOf(object, 'data')?.entries ?? []) {
    const decoded = decodeBase64(value.kind === 'text' ? value.text.trim() : '');
    if (!decoded.ok) {
      const remedy = 'encode it, or move it to stringData';
      throw manifestError(source, line, `data.${key} of Secret "${name}" is not base64; ${remedy}`);
    }
    data.set(key, new Secret(decoded.bytes.toString('utf8')));
  }
  for (const [key, { value }] of mapOf(object, 'stringData')?.entries ?? []) {
    data.set(key, new Secret(value.kind === 'text' ? value.text : ''));
  }
  return { name, namespace, data: Object.fromEntries(data) };
}

function nameOf(object: MapTree, source: string): { name: string; namespace: string } {
  const metadata = mapOf(object, 'metadata');
  const name = metadata === undefined ? undefined : textField(metadata, 'name');
  if (metadata === undefined || name === undefined) {
    throw manifestError(source, object.line, `${textField(object, 'kind')} has no metadata.name`);
  }
  return { name, namespace: textField(metadata, 'namespace') ?? '' };
}

function mapOf(map: MapTree, key: string): MapTree | undefined {
  const value = map.entries.get(key)?.value;
  return value?.kind === 'map' ? value : undefined;
}

function textField(map: MapTree, key: string): string | undefined {
  const value = map.entries.get(key)?.value;
  return value?.kind === 'text' ? value.text : undefined;
}

function manifestError(source: string, line: number, reason: string): ProviderError {
  return new ProviderError('ERR_BAD_PARAMETERS', `${source}:${line}: ${reason}`);
}
