/**
 * Checks the SecretProviderClasses of a text: names, provider, parameters and Secrets to be made. Called by the command
 * `check`. Reports what the provider, the driver or the API server would refuse; documents of other kinds are counted
 * only.
 */

import { clip, nearest, quote } from '../base/words.ts';
import { checkParameters, type ParametersContext } from './check-parameters.ts';
import { Fields } from './fields.ts';
import type { Finding } from './finding.ts';
import { Findings } from './finding.ts';
import { foreignFile, foreignKind, unreadable } from './foreign-text.ts';
import { namespaceProblem, subdomainProblem } from './kubernetes-names.ts';
import { CLASSIC_NAMES } from './parameter-names.ts';
import { withPlaceholder } from './placeholder.ts';
import { checkSecretObjects } from './secret-objects.ts';
import { readManifestParts } from './yaml/manifests.ts';
import { childOf, type Tree, textOf, type YamlError } from './yaml/tree.ts';

/** The result for one SecretProviderClass. */
export interface CheckedManifest {
  readonly name: string;
  readonly namespace: string;
  /** Line of the document in its file. */
  readonly line: number;
  readonly findings: readonly Finding[];
}

/** The result for one text of manifests. */
export interface CheckReport {
  /** Places at which the text cannot be read. */
  readonly findings: readonly Finding[];
  readonly manifests: readonly CheckedManifest[];
  /** Number of documents of other kinds, which are not checked. */
  readonly others: number;
}

/** Inputs for checking manifests. */
export interface CheckContext extends ParametersContext {
  /** Names under which this provider runs: "azure", and those that the user gives. */
  readonly providerNames: readonly string[];
}

/**
 * Checks every SecretProviderClass of a YAML text by the parser that the provider uses; lines are those of the text.
 */
export async function checkManifests(text: string, context: CheckContext): Promise<CheckReport> {
  const findings: Finding[] = [];
  const documents: Tree[] = [];
  for (const part of readManifestParts(text)) {
    if (part.read.ok) documents.push(...part.read.documents.filter(({ kind }) => kind !== 'null').flatMap(unwrapList));
    else findings.push(...unreadable(part, part.read.errors, 'check').map(unreadableFinding));
  }
  const manifests: CheckedManifest[] = [];
  for (const document of documents) {
    const checked = await checkDocument(document, context);
    if (checked !== undefined) manifests.push(checked);
    const message = checked === undefined ? foreignKind(document, 'check') : undefined;
    if (message !== undefined) findings.push({ severity: 'note', path: '', message, line: document.line });
  }
  const others = documents.length - manifests.length;
  const foreign =
    manifests.length === 0 || findings.some(({ severity }) => severity === 'error') ? foreignFile(text) : undefined;
  if (foreign !== undefined)
    return { findings: [{ severity: 'error', path: '', message: foreign, line: 1 }], manifests, others };
  return { findings: findings.slice(0, MAX_UNREADABLE), manifests, others };
}

/** The limit of findings about documents that cannot be read, or that are of another kind. */
const MAX_UNREADABLE = 100;

function unreadableFinding({ line, message }: Pick<YamlError, 'line' | 'message'>): Finding {
  return { severity: 'error', path: '', message, line };
}

function unwrapList(document: Tree): readonly Tree[] {
  const items = childOf(document, 'items');
  return items?.kind === 'list' && textAt(document, 'kind').endsWith('List') ? items.items : [document];
}

async function checkDocument(document: Tree, context: CheckContext): Promise<CheckedManifest | undefined> {
  if (document.kind !== 'map' || textAt(document, 'kind') !== 'SecretProviderClass') return undefined;
  const { line } = document;
  const name = textAt(childOf(document, 'metadata'), 'name');
  const namespace = textAt(childOf(document, 'metadata'), 'namespace');
  const findings = new Findings();
  checkMetadata(document, findings);
  const spec = childOf(document, 'spec');
  if (!checkProvider(spec, { line: spec?.line ?? line, names: context.providerNames, findings }))
    return { name, namespace, line, findings: findings.all };
  checkSpecFields(spec, findings);
  const { found, files } = await checkParameters(spec, context);
  if (spec?.kind === 'map') checkSecretObjects(spec, files, findings);
  return { name, namespace, line, findings: [...findings.all, ...found] };
}

function checkMetadata(document: Tree, findings: Findings): void {
  const metadata = childOf(document, 'metadata');
  const problems = { name: subdomainProblem, namespace: namespaceProblem };
  if (textAt(metadata, 'name') === '')
    findings.error('metadata.name', 'metadata.name is required', { line: document.line });
  for (const [field, problemOf] of Object.entries(problems)) {
    const text = textAt(metadata, field);
    const problem = text === '' ? undefined : problemOf(text);
    const path = `metadata.${field}`;
    if (problem !== undefined)
      findings.error(path, withPlaceholder(`${path} ${problem}`, text), { line: lineOf(metadata, field) });
  }
}

const SPEC_FIELDS = ['provider', 'parameters', 'secretObjects'];

/** Reports parameters and unknown fields in `spec`, which kubectl refuses or ignores. */
function checkSpecFields(spec: Tree | undefined, findings: Findings): void {
  if (spec?.kind !== 'map') return;
  const fields = new Fields(findings, spec, 'spec');
  const parameters = fields.names.filter((name) => CLASSIC_NAMES.includes(name) || name === 'keyVault');
  for (const name of parameters) fields.error(name, 'is a parameter: put it below spec.parameters');
  fields.onlyKnown([...SPEC_FIELDS, ...parameters], 'warning');
}

interface ProviderContext {
  readonly line: number;
  readonly names: readonly string[];
  readonly findings: Findings;
}

/** True if the parameters are for this provider, by any of its names. */
function checkProvider(spec: Tree | undefined, { line: specLine, names, findings }: ProviderContext): boolean {
  const provider = textAt(spec, 'provider');
  const line = lineOf(spec, 'provider') ?? specLine;
  if (names.includes(provider)) return true;
  const path = 'spec.provider';
  if (provider === '') {
    findings.error(path, 'spec.provider is required; this provider is called "azure"', { line });
    return false;
  }
  const mismatch = `${path} is ${quote(provider)}, not ${names.map(quote).join(' or ')}`;
  const sameWord = names.find((name) => name.toLowerCase() === provider.toLowerCase());
  const parameters = childOf(spec, 'parameters');
  const isOurs = ['keyvaultName', 'keyVault'].some((name) => childOf(parameters, name) !== undefined);
  if (!isOurs && sameWord === undefined) {
    findings.note(path, `${mismatch}; not checked further`, line);
    return false;
  }
  const socket = `${mismatch}: the driver looks for the socket ${clip(provider)}.sock`;
  const near = sameWord ?? nearest(provider, names);
  if (near !== undefined && !provider.startsWith(near))
    findings.error(path, `${socket}; did you mean ${quote(near)}?`, { line });
  else
    findings.warning(
      path,
      `${socket}; if a provider runs under that name, give --provider-name ${clip(provider)}`,
      line,
    );
  return true;
}

function lineOf(tree: Tree | undefined, name: string): number | undefined {
  return tree?.kind === 'map' ? tree.entries.get(name)?.line : undefined;
}

function textAt(tree: Tree | undefined, name: string): string {
  return textOf(tree, name).trim();
}
